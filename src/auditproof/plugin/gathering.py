"""What has come back of what a run has planned, in the controller: of everything, the worst that was ever said."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from auditproof.audit.redact import redact_text
from auditproof.plugin.failures import PIPE_RECORD, RECORDS
from auditproof.plugin.fixtures import FIXTURES
from auditproof.plugin.planning import REMOVED
from auditproof.report.headline import worse
from auditproof.report.proof_record import Origin, bare_record

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest

    from auditproof.audit.policy.load import Policy
    from auditproof.plugin.planning import Plan


class Gathered:
    """The plan of a run, and the records that its tests have left; ``kubernetes`` is the version told first."""

    def __init__(self, policy: Policy, root: Path, kubernetes: str) -> None:
        self._policy, self._root = policy, root
        self.kubernetes = kubernetes
        self.not_running = ""
        self.deselected = 0
        self.records: dict[str, dict[str, Any]] = {}
        self.pipes: dict[str, dict[str, Any]] = {}
        self.planned_pipes: set[str] = set()
        self.verdicts: Counter[str] = Counter()
        self._planned: set[str] = set()
        self._reached: set[str] = set()
        self._lost: dict[str, str] = {}  # why something has shown nothing
        self._left_out: dict[str, str] = {}

    def __bool__(self) -> bool:
        return any((self._planned, self.records, self.planned_pipes, self.pipes, self._lost, self._left_out))

    def plan(self, plan: Plan) -> None:
        """Note what the run is to perform; every worker says so for itself."""
        self._planned.update(plan.proofs, plan.removed)
        self.planned_pipes.update(plan.pipes)
        self._lost.update(dict.fromkeys(plan.removed, REMOVED))
        self.deselected = max(self.deselected, plan.deselected)

    @property
    def planned(self) -> list[str]:
        """Ids of all that is planned: of the records, and of the items that have none so far."""
        return sorted((self._planned - self._reached) | self.records.keys())

    @property
    def planned_count(self) -> int:
        """How many these are; from any thread."""
        return len(self._planned - self._reached) + len(self.records)

    def take(self, report: pytest.TestReport) -> list[dict[str, Any]]:
        """Take the records that a test report carries; answers those that are worse than what was known."""
        if pipe := getattr(report, PIPE_RECORD, None):
            self._take_pipe(dict(pipe))
        records: Sequence[dict[str, Any]] = getattr(report, RECORDS, ())
        if records:
            self._reached.add(report.nodeid)  # a Python test is planned as one, and proves several
        elif report.failed and report.nodeid in self._planned - self._reached:
            self._lost[report.nodeid] = first_line(str(report.longrepr))  # its worker crashed, say
        return [record for record in map(dict, records) if self._take(record)]

    def _take(self, record: dict[str, Any]) -> bool:
        self.kubernetes = record.pop("kubernetes") or self.kubernetes
        self.not_running = record.pop("notRunning", "") or self.not_running
        known = self.records.get(record["id"])
        if known is not None and worse(known, record):
            return False
        if known is not None:
            self.verdicts[known["verdict"]] -= 1
        self.records[record["id"]] = record
        self.verdicts[record["verdict"]] += 1
        return known is None or worse(record, known)

    def _take_pipe(self, pipe: dict[str, Any]) -> None:
        self.kubernetes = pipe.pop("kubernetes") or self.kubernetes
        known = self.pipes.get(pipe["id"])
        if known is None or not worse(known, pipe):
            self.pipes[pipe["id"]] = pipe

    def take_collector(self, report: pytest.CollectReport) -> None:
        """Note what could not be collected, or was left out as a whole file."""
        name = report.nodeid or "the collection"
        if report.failed:
            self._lost[name] = f"it could not be collected: {first_line(str(report.longrepr))}"
        elif report.skipped and _is_about_us(self._root / report.nodeid):
            why = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
            self._left_out[name] = f"skipped: {first_line(str(why).removeprefix('Skipped: '))}"

    @property
    def unheard_of(self) -> bool:
        """Whether there is something planned of which it is not known why it has shown nothing."""
        return bool(self._planned - self._reached - self._lost.keys())

    def conclude(self) -> None:
        """Make records of what has shown nothing where the reason is known."""
        for name, why in self._lost.items():
            if name not in self._reached:
                self._take(self._bare(name, "UNPROVEN", why))
                self._reached.add(name)
        for name, why in self._left_out.items():
            self._take(self._bare(name, "NOT_SUPPORTED", why))

    def _bare(self, name: str, verdict: str, why: str) -> dict[str, Any]:
        suite, _, title = name.partition("::")
        return bare_record(Origin(name, title or suite, suite, 1, "", None), self._policy, verdict, why)


def first_line(text: str) -> str:
    """What stands in the first line, without secrets."""
    return redact_text(text.strip().partition("\n")[0])[:300]


def _is_about_us(file: Path) -> bool:
    """Whether a file that was not imported names a fixture of ours."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return re.search(rf"\b(?:{'|'.join(sorted(FIXTURES))}|pipe|start_pipe)\b", text) is not None
