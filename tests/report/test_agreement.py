"""Whatever a run has found: exit code, JUnit file, problems and step summary agree with its decision."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from auditproof.report.ci.github import step_summary
from auditproof.report.ci.junit import EMPTY, told_in_full
from auditproof.report.ci.troubles import troubles
from auditproof.report.faithful import nothing_shown
from auditproof.report.headline import ShownAmount, run_outcome
from auditproof.report.model import Report, ServerCount
from auditproof.report.statements import FAIL, decision, statements
from auditproof.report.terminal import closing_lines, decision_lines
from tests.report.test_report import OTHER, forbidden, gate_record, proof, report, requirement
from tests.support.properties import examples

VERDICTS = ("PROVEN", "VIOLATED", "UNPROVEN", "NOT_SUPPORTED")
MISCOUNTED = ServerCount(policy="p.yaml", events=9, lost=0, lines=8, levels={}, holds=False, reason="one is missing")


@st.composite
def reports(draw: st.DrawFn) -> Report:
    names = [f"s::{number}" for number in range(draw(st.integers(1, 4)))]
    some = st.lists(st.sampled_from([*names, "s::never", "s::deselected"]), unique=True, max_size=3)
    changed: list[dict[str, Any]] = [{}, {"policy": OTHER}, {"contradicts": "policy"}]
    proofs = [
        proof(name, draw(st.sampled_from(VERDICTS[: draw(st.sampled_from([1, 4]))])), **draw(st.sampled_from(changed)))
        for name in names
    ]
    parts: dict[str, Any] = {"failOn": draw(st.sampled_from(["unmet", "new", "never"]))}
    parts["requirements"] = [
        requirement(f"r{number}", *draw(some), violated=draw(st.booleans()))
        | {"status": draw(st.sampled_from(["", "new", "known", "fixed"]))}
        for number in range(draw(st.integers(0, 2)))
    ]
    if draw(st.booleans()):
        parts["gate"] = gate_record(
            *(
                forbidden(f"r{number}", "exposed", by=draw(st.sampled_from(["", "ann"])))
                for number in range(draw(st.integers(0, 2)))
            )
        )
    if draw(st.sampled_from([False, False, False, True])):
        parts["counting"] = (MISCOUNTED,)
    planned = ("s::never",) if draw(st.sampled_from([False, False, True])) else ()
    ended = draw(st.sampled_from(["", "", "", "was interrupted"]))
    return report(*proofs, parts=parts, planned=planned, ended=ended)


@examples(300)
@given(reports())
def test_every_output_agrees_with_the_decision(found: Report) -> None:
    """A CI system may read any one of them: none is green if another is red."""
    decided, told = decision(found), statements(found)
    suite = ElementTree.fromstring(told_in_full(EMPTY, found)).find("testsuite")
    assert suite is not None
    failed = any(case.find(kind) is not None for case in suite.iter("testcase") for kind in ("failure", "error"))
    everything = told.faithful.passes and told.requirements.passes and told.change.passes

    assert found.decision == decided and found.statements == told
    assert decided.passes == (run_outcome(found) is ShownAmount.ALL)
    assert everything or not decided.passes
    if nothing_shown(found) and decided.word != FAIL:
        assert run_outcome(found) is not ShownAmount.ALL  # exit code 5, or 1
        return
    assert bool(troubles(found)) == failed == (not decided.passes)
    assert step_summary(found).startswith("## ✅") == decided.passes
    assert decision_lines(found)[0] == decided.sentence
    assert len(step_summary(found).splitlines()) < 60
    assert all(closing_lines(found, 1.0))
