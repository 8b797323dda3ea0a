"""Collects offline logs (``--audit-no-actions``): no server is started, and no request is sent.

The first log is collected like a test file. Its items are the kinds of requests in all of the logs, the requirements
that apply to any of them, and the files themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from auditproof.auditlog.offline_log import ForeignFile
from auditproof.errors import AuditproofError, LogUnreadable
from auditproof.plugin.fixtures import PROOFS
from auditproof.plugin.session import SESSIONS
from auditproof.proof.offline import OfflineJudge, problems_of
from auditproof.proof.verdict import Outcome
from auditproof.replay.recorded.counted import SMALL, can_count, counted
from auditproof.replay.recorded.lines import NotCounted
from auditproof.report.offline import file_record, kind_record, log_record, requirement_record
from auditproof.text.paths import shown_path
from auditproof.text.printable import printable_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from auditproof.audit.decide import Decision
    from auditproof.audit.event import AuditEvent
    from auditproof.kube.attributes import Attributes
    from auditproof.plugin.options import Options
    from auditproof.report.model import ProofRecord

KEPT = 50  # violations of one requirement; further ones would add nothing


class NotAsDecided(AuditproofError, AssertionError):
    """Recorded events differ from the policy's decision."""


def collect_log(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect ``file_path`` if it is the first of the offline logs."""
    sessions = parent.config.stash.get(SESSIONS, None)
    options = sessions.first.options if sessions is not None else None
    if options is None or not options.recorded or file_path != options.recorded[0]:
        return None
    name = shown_path(file_path, options.folders)
    collector: pytest.Collector = LogCollector.from_parent(parent, path=file_path, nodeid=name)
    return collector


class LogCollector(pytest.File):
    """All logs of the run, under the name of the first."""

    def collect(self) -> Iterator[RecordItem]:
        """Judge every event of the logs and yield one item per result. Raises LogUnreadable."""
        session = self.config.stash[SESSIONS].first
        options = session.options
        reading = read_logs(options, self.name_of)
        session.log_part = log_record(reading.files, reading.judgement, options.policy)
        for record in reading.records(self.nodeid):
            name = record.id.removeprefix(f"{self.nodeid}::")
            yield RecordItem.from_parent(self, name=name, record=record)
        session.recorded_ids = reading.requirement_ids(self.nodeid)

    def name_of(self, path: Path) -> str:
        """The name of a log in reports."""
        return shown_path(path, self.config.stash[SESSIONS].first.options.folders)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *args: Any, **kwargs: Any) -> Any:
        """Show the error of a log, without a traceback."""
        if isinstance(excinfo.value, AuditproofError):
            return printable_lines(str(excinfo.value))
        return super().repr_failure(excinfo, *args, **kwargs)


def read_logs(options: Options, name_of: Callable[[Path], str], *, small: int = SMALL) -> OfflineRun:
    """Judge the logs of the options, with the help of SQL where they have ``small`` bytes. Raises LogUnreadable.

    What cannot be counted in SQL is judged in Python: the result is the same.
    """
    if can_count(options.recorded, small=small):
        reading = OfflineRun(options)
        try:
            reading.read_with_sql(name_of)
        except NotCounted:
            pass
        except OSError as error:
            raise LogUnreadable(f"{error.filename}: cannot be read to its end: {error.strerror}") from None
        else:
            return reading
    reading = OfflineRun(options)
    reading.read(name_of)
    return reading


class OfflineRun:
    """The logs of the options, judged event by event; ``read_with_sql`` leaves out what SQL has counted."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self.judgement = OfflineJudge(options.policy)
        self.files: list[ForeignFile] = []
        self._found: dict[str, list[tuple[AuditEvent, Attributes, str]]] = {}
        self._requirements = [requirement for file in options.requirements for requirement in file.requirements]

    def read(self, name_of: Callable[[Path], str]) -> None:
        """Judge every event."""
        for path in self._options.recorded:
            file = ForeignFile(path, name_of(path))
            self.files.append(file)
            for event in file.read():
                self._judge(event)
        self.judgement.close()

    def read_with_sql(self, name_of: Callable[[Path], str]) -> None:
        """Judge every event that SQL has not counted. Raises NotCounted: then nothing of this is of use."""
        paths = self._options.recorded
        with counted(paths, self._options.policy, self._requirements) as ready:
            for number, path in enumerate(paths):
                file = ForeignFile(path, name_of(path))
                self.files.append(file)
                for event in file.read(ready.lines_of(number)):
                    if ready.is_example:
                        self._require(event, *self.judgement.show(event))
                    else:
                        self._judge(event)
                ready.end_of(number)
            ready.add_to(self.judgement)
        self.judgement.close()

    def _judge(self, event: AuditEvent) -> None:
        judged = self.judgement.add(event)
        if judged is not None:
            self._require(event, *judged)

    def _require(self, event: AuditEvent, attributes: Attributes, decision: Decision) -> None:
        for requirement in self._requirements:
            if requirement.selects(attributes):
                found = self._found.setdefault(requirement.id, [])
                wrong = "; ".join(problems_of(event, decision))
                if not found or (wrong and len(found) < KEPT):
                    found.append((event, attributes, f"{wrong}: {event.audit_id}" if wrong else ""))

    def records(self, suite: str) -> Iterator[ProofRecord]:
        """One record for each kind of requests, file and requirement."""
        policy = self._options.policy
        for kind in self.judgement.kinds.values():
            yield kind_record(kind, suite, policy)
        for file in self.files:
            yield file_record(file, suite, policy)
        for requirement in self._requirements:
            if found := self._found.get(requirement.id):
                because = f"{requirement.because} ({requirement.source})"
                name = f"requirement-{requirement.id}"
                yield requirement_record(name, requirement.title, because, suite, policy, found)

    def requirement_ids(self, suite: str) -> dict[str, str]:
        """The record of each requirement that applies to any event."""
        return {name: f"{suite}::requirement-{name}" for name in self._found}


class RecordItem(pytest.Item):
    """One result of an offline log, judged when the log was read."""

    def __init__(self, *, record: ProofRecord, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.record = record
        self.stash[PROOFS] = [record]

    def setup(self) -> None:
        """UNPROVEN is an error."""
        if self.record.verdict is Outcome.UNPROVEN:
            raise AuditproofError(f"UNPROVEN: {'; '.join(self.record.reasons)}")

    def runtest(self) -> None:
        """VIOLATED is a failure."""
        if self.record.verdict is Outcome.VIOLATED:
            raise NotAsDecided(f"VIOLATED: {'; '.join(self.record.reasons)}")

    def reportinfo(self) -> tuple[Path, int, str]:
        """The line of the log that shows it."""
        return self.path, self.record.line - 1, self.name
