"""Compares the results of a run with its plan, in the controller; of several verdicts, the worst counts."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from auditproof.audit.redact import redact_text
from auditproof.cases.case import Source
from auditproof.errors import Position
from auditproof.plugin.fixtures import FIXTURES
from auditproof.plugin.item_result import result_of
from auditproof.plugin.planning import REMOVED
from auditproof.proof.verdict import Outcome
from auditproof.report.proof_record import bare_record
from auditproof.report.versions import version_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pytest

    from auditproof.audit.policy.load import Policy
    from auditproof.plugin.planning import Plan
    from auditproof.report.model import BackendLoad, BackendTest, ProofRecord


class Gathered:
    """The plan of a run, and the records of its tests.

    ``roots`` are the folders that ids are relative to. ``kubernetes`` is the version until a server reports one, by the
    version that the items' ids name (``versions``, see ``report.versions``); in a run on one version, by an empty text.
    """

    def __init__(self, policy: Policy, roots: Sequence[Path], kubernetes: Mapping[str, str]) -> None:
        self._policy, self._roots = policy, roots
        self.kubernetes = dict(kubernetes)
        self.not_running = ""
        self.deselected = 0
        self.records: dict[str, ProofRecord] = {}
        self.backend_tests: dict[str, BackendTest] = {}
        self.loads: dict[str, tuple[BackendLoad, ...]] = {}
        self.planned_backend_tests: set[str] = set()
        self.verdicts: Counter[Outcome] = Counter()
        self.reference: set[str] = set()  # the ids of the planned reference cases
        self.whole = True  # these are all that there are, in every process
        self.left_out: dict[str, int] = {}  # how many were left out, by the version that their ids name
        self._planned: set[str] = set()
        self._reached: set[str] = set()
        self._lost: dict[str, str] = {}  # why an item has no result, by its id
        self._left_out: dict[str, str] = {}

    def __bool__(self) -> bool:
        return any(
            (self._planned, self.records, self.planned_backend_tests, self.backend_tests, self._lost, self._left_out)
        )

    def plan(self, plan: Plan) -> None:
        """Note the plan of this process or of a worker."""
        self._planned.update(plan.proofs, plan.removed)
        self.planned_backend_tests.update(plan.backend_tests)
        self._lost.update(dict.fromkeys(plan.removed, REMOVED))
        self.deselected = max(self.deselected, plan.deselected)
        self.reference.update(plan.reference)
        self.whole = self.whole and plan.whole
        self.left_out.update(plan.left_out)

    @property
    def planned(self) -> list[str]:
        """The ids of all records, and of the planned items that have none so far."""
        return sorted((self._planned - self._reached) | self.records.keys())

    @property
    def planned_count(self) -> int:
        """How many ids are planned; callable from any thread."""
        return len(self._planned - self._reached) + len(self.records)

    def take(self, report: pytest.TestReport) -> tuple[tuple[ProofRecord, ...], list[ProofRecord]]:
        """Take the result of a test report; returns its records, and those that are worse than the known ones."""
        result = result_of(report)
        if result is not None:
            if result.kubernetes:
                self.kubernetes[version_in(report.nodeid, self.kubernetes)] = result.kubernetes
            self.not_running = result.not_running or self.not_running
            test = result.backend
            known = self.backend_tests.get(test.id) if test is not None else None
            if test is not None and (known is None or known.verdict.rank >= test.verdict.rank):
                self.backend_tests[test.id], self.loads[test.id] = test, result.load
        records = result.records if result is not None else ()
        if records:
            self._reached.add(report.nodeid)  # a Python test is planned as one item, and may have several proofs
        elif report.failed and report.nodeid in self._planned - self._reached:
            self._lost[report.nodeid] = first_line(str(report.longrepr))  # for example, its worker crashed
        return records, [record for record in records if self._take(record)]

    def _take(self, record: ProofRecord) -> bool:
        known = self.records.get(record.id)
        if known is not None and known.verdict.rank < record.verdict.rank:
            return False
        if known is not None:
            self.verdicts[known.verdict] -= 1
        self.records[record.id] = record
        self.verdicts[record.verdict] += 1
        return known is None or record.verdict.rank < known.verdict.rank

    def take_collector(self, report: pytest.CollectReport) -> None:
        """Note files that could not be collected, or were skipped as a whole."""
        name = report.nodeid or "the collection"
        if report.failed:
            self._lost[name] = f"it could not be collected: {first_line(str(report.longrepr))}"
        elif report.skipped and any(_is_about_us(root / report.nodeid) for root in self._roots):
            why = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
            self._left_out[name] = f"skipped: {first_line(str(why).removeprefix('Skipped: '))}"

    def is_done(self, version: str) -> bool:
        """Whether every planned item of a version has a result."""
        open_items = (self._planned - self._reached) | (self.planned_backend_tests - self.backend_tests.keys())
        return not any(version_in(name, self.kubernetes) == version for name in open_items)

    @property
    def unheard_of(self) -> bool:
        """Whether a planned item has no result, and no known reason for that."""
        return bool(self._planned - self._reached - self._lost.keys())

    def conclude(self) -> None:
        """Add a record for every item without a result whose reason is known."""
        for name, why in self._lost.items():
            if name not in self._reached:
                self._take(self._bare(name, Outcome.UNPROVEN, why))
                self._reached.add(name)
        for name, why in self._left_out.items():
            self._take(self._bare(name, Outcome.NOT_SUPPORTED, why))

    def _bare(self, name: str, verdict: Outcome, why: str) -> ProofRecord:
        suite, _, title = name.partition("::")
        return bare_record(name, title or suite, Source(Position(suite, 1, 1)), self._policy, verdict, why)


def first_line(text: str) -> str:
    """The first line of ``text``, without secrets."""
    return redact_text(text.strip().partition("\n")[0])[:300]


def _is_about_us(file: Path) -> bool:
    """Whether a file that was not imported mentions one of auditproof's fixtures."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return (
        re.search(rf"\b(?:{'|'.join(sorted(FIXTURES))}|audit_server|audit_backend|audit_backend_start)\b", text)
        is not None
    )
