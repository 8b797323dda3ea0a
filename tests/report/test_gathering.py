"""What the controller makes of the reports that come back: of everything the worst, and nothing gets lost."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from auditproof.audit.policy.load import parse_policy
from auditproof.plugin.gathering import Gathered
from auditproof.plugin.item_result import ItemResult, attach
from auditproof.plugin.planning import Plan
from auditproof.report.model import ProofRecord
from tests.report.test_report import proof

POLICY = parse_policy(b"apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n", path="prod.yaml")
TEST = "test_it.py::test_x"


@pytest.fixture
def gathered() -> Gathered:
    found = Gathered(POLICY, [Path()], {"": "1.37"})
    found.plan(Plan(proofs=[TEST]))
    return found


def made_report(outcome: Any, *records: dict[str, Any], longrepr: Any = None) -> pytest.TestReport:
    made = pytest.TestReport(TEST, ("test_it.py", 0, "test_x"), {}, outcome, longrepr, "call")
    attach(made, ItemResult(records=tuple(map(ProofRecord.model_validate, records)), kubernetes="v1.37.2"))
    return made


@pytest.mark.parametrize("verdicts", [("VIOLATED", "PROVEN"), ("PROVEN", "VIOLATED"), ("UNPROVEN", "VIOLATED")])
def test_of_what_was_shown_twice_the_worst_stands(gathered: Gathered, verdicts: tuple[str, ...]) -> None:
    told = [gathered.take(made_report("passed", proof(f"{TEST}#1", verdict))) for verdict in verdicts]

    assert gathered.records[f"{TEST}#1"].verdict == "VIOLATED"
    assert +gathered.verdicts == {"VIOLATED": 1}
    assert len(told[1][1]) == (1 if verdicts[1] == "VIOLATED" else 0), "what is worse than before is told"
    assert gathered.planned == [f"{TEST}#1"]


def test_a_report_can_be_taken_twice(gathered: Gathered) -> None:
    made = made_report("passed", proof(f"{TEST}#1"))

    gathered.take(made)
    gathered.take(made)

    assert gathered.verdicts == {"PROVEN": 1}


def test_a_test_whose_worker_crashed_is_unproven_for_that(gathered: Gathered) -> None:
    crashed = made_report("failed", longrepr="worker 'gw0' crashed while running it")
    crashed.node = SimpleNamespace(gateway=SimpleNamespace(id="gw0"))

    gathered.take(crashed)
    gathered.conclude()

    (record,) = gathered.records.values()
    assert (record.id, record.verdict, record.reasons) == (
        TEST, "UNPROVEN", ("worker 'gw0' crashed while running it",),
    )  # fmt: skip
    assert not gathered.unheard_of


def test_what_nobody_has_reported_stays_planned(gathered: Gathered) -> None:
    gathered.take(made_report("passed"))
    gathered.conclude()

    assert gathered.planned == [TEST]
    assert gathered.unheard_of
    assert not gathered.records
