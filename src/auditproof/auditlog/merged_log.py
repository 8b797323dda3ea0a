"""Reads the logs of several API servers behind one address as one: each event is in one server's log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.auditlog.file_log import LogSlice, Mark

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from auditproof.audit.event import AuditEvent
    from auditproof.auditlog.file_log import AuditLog


@dataclass(frozen=True, slots=True)
class Marks(Mark):
    """A position in each of the logs."""

    parts: tuple[Mark, ...] = ()


class MergedLog:
    """An AuditLog whose slices have the slices of the single logs as ``parts``, in order."""

    def __init__(self, logs: Sequence[AuditLog]) -> None:
        self._logs = tuple(logs)

    @property
    def in_order(self) -> bool:
        """Whether each of the logs is in order."""
        return all(log.in_order for log in self._logs)

    def mark(self) -> Mark:
        """Return the current end of each log. Raises LogUnreadable."""
        return Marks(0, 0, b"", parts=tuple(log.mark() for log in self._logs))

    def beginning(self) -> Mark:
        """Before everything."""
        return Marks(0, 0, b"", parts=tuple(log.beginning() for log in self._logs))

    def read(self, since: Mark, wanted: Callable[[AuditEvent], bool]) -> LogSlice:
        """See AuditLog.read."""
        assert isinstance(since, Marks), "a mark of another log"
        parts = tuple(log.read(part, wanted) for log, part in zip(self._logs, since.parts, strict=True))
        return LogSlice(
            tuple(event for part in parts for event in part.events),
            tuple(problem for part in parts for problem in part.problems),
            Marks(0, 0, b"", parts=tuple(part.end for part in parts)),
            sum(part.lines for part in parts),
            parts,
        )
