"""The table of changes and their gates in docs/gate.md is what is computed."""

from __future__ import annotations

import pytest

from auditproof import content
from auditproof.analysis.gate import consequences_named, gate
from auditproof.analysis.requirements import State, check_requirement, load_requirements, status_of
from auditproof.audit.policy.load import load_policy
from auditproof.kube.discovery import load_served

MARK = "<!-- fixtures: tests/contract/test_gate_table.py computes these rows -->\n"
SERVED = load_served("1.37")
TEXT = (content.root() / "docs" / "gate.md").read_text(encoding="utf-8").partition(MARK)[2].partition("\n\n")[0]
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in TEXT.splitlines()[2:]]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row_is_what_the_gate_decides(row: list[str]) -> None:
    """Which change passes which gate, and which requirements are met no more."""
    change, relation, lost, exposed, unmet = row
    old, new = (load_policy(content.root() / "fixtures" / "policies" / f"{one}.yaml") for one in change.split(" → "))
    results = {word: gate(old, new, SERVED, forbid=consequences_named([word])) for word in ("lost", "exposed")}
    cis = load_requirements("cis")
    checked = [check_requirement(new, one, SERVED, old) for one in cis.requirements]
    newly = [one.checked.requirement.id for one in status_of([(cis, checked)]).of(State.NEW)]

    passes = {True: "passes", False: "fails"}
    assert relation == results["lost"].relation
    assert [lost, exposed] == [passes[results[word].passes] for word in ("lost", "exposed")]
    assert unmet == (", ".join(newly) or "none")


def test_the_table_is_there() -> None:
    assert len(ROWS) >= 6
