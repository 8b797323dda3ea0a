"""The statements, which are never mixed, and the one decision that follows from them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from auditproof.errors import AuditproofError
from auditproof.proof.verdict import WHO_IS_WRONG
from auditproof.report.headline import ShownAmount, run_outcome
from auditproof.report.model import results_text
from auditproof.report.read import load_report
from auditproof.report.statements import decision, statements
from tests.report.test_report import OTHER, forbidden, gate_record, proof, report, requirement

if TYPE_CHECKING:
    from pathlib import Path

    from auditproof.report.model import Report

PROVEN, NO_EXEC = proof("a"), forbidden("pods/exec", "lost-events")


def unmet(name: str = "cis", *proofs: str, **changed: Any) -> dict[str, Any]:
    return requirement(name, *(proofs or ("a",)), violated=True) | changed


def met(name: str = "cis", *proofs: str) -> dict[str, Any]:
    return requirement(name, *(proofs or ("a",)), violated=False)


def with_base(*proofs: dict[str, Any], gate: dict[str, Any] | None = None, **parts: Any) -> Report:
    return report(*(proofs or (PROVEN,)), parts={"gate": gate or gate_record(), **parts})


def test_an_unmet_requirement_is_no_fault_of_the_server() -> None:
    """Whether the policy meets a requirement is another question than whether the server follows the policy."""
    found = statements(report(PROVEN, parts={"requirements": [unmet()]}))

    assert (found.faithful.word, found.faithful.passes) == ("PROVEN", True)
    assert (found.requirements.word, found.requirements.passes, found.requirements.unmet) == ("NOT MET", False, 1)
    assert (found.change.word, found.change.passes) == ("NONE", True)


def test_a_case_that_contradicts_the_policy_is_counted_apart_from_a_server_that_does() -> None:
    """The server may have done what the policy says, and the case expects something else."""
    found = report(
        proof("server", "VIOLATED"),
        proof("case", "VIOLATED", contradicts="policy"),
        proof("other", "VIOLATED", contradicts="policy"),
        proof("body", "VIOLATED", contradicts="events"),
    )

    told = statements(found).faithful
    assert (told.word, told.server, told.cases) == ("VIOLATED", 1, 3)
    assert "the server recorded something else than the policy decides (1 action)" in decision(found).sentence
    assert "2 cases expect something else than the policy decides" in told.sentence
    assert "1 case expects something else in the events, which are as the policy decides" in told.sentence
    only = report(proof("case", "VIOLATED", contradicts="policy"))
    assert decision(only).sentence.startswith("VIOLATED: 1 case expects something else than the policy decides: 0 of 1")
    assert "the server recorded" not in decision(only).sentence


@pytest.mark.parametrize(
    ("proofs", "planned", "word"),
    [
        ([proof("a"), proof("b")], (), "MET"),
        ([proof("a"), proof("b", "UNPROVEN")], (), "NOT SHOWN"),
        ([proof("a"), proof("b", "VIOLATED")], (), "NOT SHOWN"),
        ([proof("a"), proof("b", "NOT_SUPPORTED")], (), "NOT SHOWN"),
        ([proof("a")], ("b",), "NOT SHOWN"),
        ([proof("a")], (), "NOT SELECTED"),
        ([proof("c")], (), "NOT SELECTED"),
    ],
)
def test_a_requirement_is_met_only_with_all_of_its_proofs(
    proofs: list[dict[str, Any]], planned: tuple[str, ...], word: str
) -> None:
    """What was not shown is never a pass; what was deselected is said, and is not met either."""
    found = report(*proofs, planned=planned, parts={"requirements": [met("cis", "a", "b")]})

    assert statements(found).requirements.word == word
    (record,) = found.requirements
    assert (record.met, record.shown) == ((True, True) if word == "MET" else (None, False))
    assert decision(found).passes is (word in ("MET", "NOT SELECTED"))


def test_a_requirement_that_no_request_shows_is_not_met() -> None:
    found = report(PROVEN, parts={"requirements": [met() | {"proofs": []}]})

    assert decision(found).word == "UNPROVEN"
    assert "1 of 1 requirements is not shown (cis)" in decision(found).sentence


@pytest.mark.parametrize(
    ("status", "fail_on", "passes"),
    [
        ("known", "unmet", False),
        ("new", "unmet", False),
        ("", "unmet", False),
        ("known", "new", True),
        ("new", "new", False),
        ("", "new", False),
        ("new", "never", True),
    ],
)
def test_which_unmet_requirements_keep_a_run_from_passing(status: str, fail_on: str, passes: bool) -> None:
    found = report(PROVEN, parts={"requirements": [unmet(status=status)], "failOn": fail_on})

    assert statements(found).requirements.passes is passes
    assert statements(found).requirements.word == "NOT MET"
    assert (run_outcome(found) is ShownAmount.ALL) is passes


def test_unmet_requirements_are_named_as_new_or_known() -> None:
    parts = {"requirements": [unmet("a", status="known"), unmet("b", status="new"), met("c")], "failOn": "new"}

    assert statements(with_base(**parts)).requirements.sentence == (
        "1 of 3 requirements is newly not met (b); 1 of 3 requirements is known not to be met (a)."
    )
    assert statements(report(PROVEN, parts=parts)).requirements.sentence == (
        "1 of 3 requirements is not met (b); 1 of 3 requirements is known not to be met (a)."
    )


def test_a_change_may_go_in_if_all_three_statements_pass() -> None:
    found = with_base(requirements=[met()])

    assert decision(found).model_dump() == {
        "passes": True,
        "word": "PASS",
        "sentence": "This change may go in: nothing forbidden (lost-events, exposed) is left; the requirement is met; "
        "the server recorded what the policy decides: 1 of 1 actions proven.",
    }


def test_a_forbidden_change_may_not_go_in_although_all_of_it_is_proven() -> None:
    found = with_base(gate=gate_record(NO_EXEC, forbidden("secrets", "exposed", by="ann")))

    assert decision(found).word == "FAIL"
    assert decision(found).sentence == (
        "This change may not go in: 1 change is forbidden (lost-events of pods/exec); 1 change acknowledged."
    )
    told = statements(found)
    assert told.faithful.word == "PROVEN"
    assert (told.change.word, told.change.passes, told.change.forbidden, told.change.acknowledged) == (
        "records more",
        False,
        1,
        1,
    )


def test_a_change_of_many_resources_is_named_in_a_few_words() -> None:
    many = [f"resource-{number}" for number in range(40)]
    long = forbidden(", ".join(many), "lost-events") | {"resources": many}

    said = decision(with_base(gate=gate_record(long))).sentence

    assert said.endswith("1 change is forbidden (lost-events of resource-0 and 39 more).")


def test_what_is_forbidden_is_certain_although_the_server_has_shown_nothing() -> None:
    """It is computed from the policies: no doubt about a server makes it less forbidden."""
    found = with_base(proof("a", "UNPROVEN"), gate=gate_record(NO_EXEC))

    assert decision(found).word == "FAIL"
    assert "1 change is forbidden" in decision(found).sentence
    assert "1 action was inconclusive" in decision(found).sentence


@pytest.mark.parametrize(
    ("proofs", "says"),
    [
        ((proof("a", "UNPROVEN"),), "Nothing can be said: 1 action was inconclusive: 0 of 1 actions proven."),
        ((proof("a", policy=OTHER),), "Nothing can be said: 1 of 1 actions proven, none of them judged by prod.yaml"),
        ((proof("a", "NOT_SUPPORTED"),), "Nothing can be said: nothing was shown: the only action was skipped"),
    ],
)
def test_a_change_about_which_nothing_was_shown_may_not_go_in(proofs: tuple[dict[str, Any], ...], says: str) -> None:
    found = with_base(*proofs)

    assert (decision(found).passes, decision(found).word) == (False, "UNPROVEN")
    assert decision(found).sentence.startswith(says)


def test_a_run_that_shows_nothing_and_does_something_forbidden_fails() -> None:
    """Exit code 5 means that nothing was checked; the gate was."""
    assert run_outcome(with_base(proof("a", "NOT_SUPPORTED"))) is ShownAmount.NOTHING
    assert run_outcome(with_base(proof("a", "NOT_SUPPORTED"), gate=gate_record(NO_EXEC))) is ShownAmount.NOT_ALL


def test_results_json_has_the_decision_first_and_is_read_without_it(tmp_path: Path) -> None:
    """A file of an earlier version says neither decision nor statements: they follow from the rest."""
    written = report(PROVEN, parts={"requirements": [unmet()]})
    data = json.loads(results_text(written))
    assert list(data)[:4] == ["apiVersion", "kind", "decision", "statements"]

    for key in ("decision", "statements"):
        del data[key]
    for key in ("met", "shown", "status"):
        del data["requirements"][0][key]
    file = tmp_path / "results.json"
    file.write_text(json.dumps(data))

    assert load_report(file) == written


def test_a_file_that_judged_requests_by_requirements_accuses_no_server(tmp_path: Path) -> None:
    """An earlier version called them VIOLATED, although the server had recorded what the policy decides."""
    wrong = f"recorded at Request, but the policy decides Metadata by rule 1 (line 2): {WHO_IS_WRONG}"
    by_policy = proof("a", "VIOLATED", reasons=["recorded at Metadata (required: at least Request)"])
    by_server = proof("b", "VIOLATED", reasons=[wrong])
    data = json.loads(results_text(report(by_policy, by_server, parts={"requirements": [unmet("cis", "a", "b")]})))
    del data["decision"]
    file = tmp_path / "results.json"
    file.write_text(json.dumps(data))

    told = statements(load_report(file)).faithful

    assert (told.server, told.cases) == (1, 1)


def test_a_decision_that_does_not_follow_from_the_rest_is_refused(tmp_path: Path) -> None:
    """Readers look no further than the decision."""
    data = json.loads(results_text(report(PROVEN, parts={"requirements": [unmet()]})))
    data["decision"]["passes"] = True
    file = tmp_path / "results.json"
    file.write_text(json.dumps(data))

    with pytest.raises(AuditproofError, match=r"\$.decision: it says that the run passes"):
        load_report(file)
