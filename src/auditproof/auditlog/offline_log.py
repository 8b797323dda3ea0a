"""Reads an existing log file to its end: every line is an event or is reported, none is skipped.

Lines may be wrapped by a container runtime (CRI: time, stream, P or F, text), and the file may be compressed.
"""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, cast

from auditproof.audit.event_form import decode
from auditproof.auditlog.file_log import DAMAGED, event_of
from auditproof.errors import LogUnreadable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from auditproof.audit.event import AuditEvent

CUT = 16 * 1024  # length at which container runtimes and syslog cut a line
NAMED = 20  # invalid lines that are reported one by one
_CRI = re.compile(rb"^\d{4}-\d\d-\d\dT\S+ (?:stdout|stderr) ([PF]) ")


@dataclass(slots=True)
class ForeignFile:
    """One file and the statistics of its lines; ``invalid`` has the first NAMED invalid lines with the reason."""

    path: Path
    name: str
    lines: int = 0
    events: int = 0
    invalid_lines: int = 0
    invalid: list[tuple[int, str]] = field(default_factory=list)

    def read(self) -> Iterator[AuditEvent]:
        """Yield every event of the file, in order.

        Raises LogUnreadable if the file cannot be opened or is damaged.
        """
        begun, first = b"", 0
        for number, line in enumerate(self._lines(), 1):
            self.lines = number
            wrapped = _CRI.match(line)
            begun, first = begun + (line[wrapped.end() :] if wrapped else line), first or number
            if wrapped and wrapped.group(1) == b"P":
                begun = begun.rstrip(b"\n")
                continue
            yield from self._event(begun, first)
            begun, first = b"", 0
        if begun:
            self.reject(first, "the file ends in the middle of this line")

    def _event(self, line: bytes, number: int) -> Iterator[AuditEvent]:
        try:
            event = event_of(decode(line), self.name, number)
        except ValueError as error:
            cut = " (cut at 16 KiB, as container runtimes and syslog do)" if _is_cut(line) else ""
            self.reject(number, f"not an audit event: {error}{cut}")
            return
        self.events += 1
        yield event

    def reject(self, number: int, text: str) -> None:
        """Record that a line is not an event, and why."""
        self.invalid_lines += 1
        if len(self.invalid) < NAMED:
            self.invalid.append((number, text))

    def _lines(self) -> Iterator[bytes]:
        try:
            with self._open() as file:
                yield from file
        except DAMAGED as error:
            raise LogUnreadable(f"{self.path}: cannot be read to its end: {error}") from None

    def _open(self) -> IO[bytes]:
        return cast("IO[bytes]", gzip.open(self.path)) if self.path.suffix == ".gz" else self.path.open("rb")


def _is_cut(line: bytes) -> bool:
    return CUT - 256 <= len(line.rstrip(b"\n")) <= CUT
