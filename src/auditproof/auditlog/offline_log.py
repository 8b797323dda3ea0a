"""A log that another system wrote, read to its end: each line is an event, certainly another log's, or reported.

What form it has is found out by the package ``forms``. A line number is always that of the file as it is on disk,
decompressed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from auditproof.auditlog.file_log import event_of
from auditproof.auditlog.forms import Opening, Passed, UnwrappedEvent
from auditproof.auditlog.forms.envelopes import LINES
from auditproof.auditlog.forms.fields import what_is_missing
from auditproof.errors import LogUnreadable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from auditproof.audit.event import AuditEvent
    from auditproof.auditlog.forms.opening import Passes

NAMED = 20  # reasons that are reported one by one


@dataclass(slots=True)
class ForeignFile:
    """One file and what it holds.

    ``invalid`` are the reasons for which something is no event, each with the first line that has it, as many as are
    named; ``alike`` says how many have the same reason. ``forms`` and ``others`` count events by the form in which
    they were found, and what surely is of another log by which.
    """

    path: Path
    name: str
    lines: int = 0
    blank: int = 0
    events: int = 0
    invalid_lines: int = 0
    invalid: list[tuple[int, str]] = field(default_factory=list)
    alike: Counter[str] = field(default_factory=Counter)
    forms: Counter[str] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)
    encodings: tuple[str, ...] = ()

    def read(self, counted: Passes | None = None) -> Iterator[AuditEvent]:
        """Every event of the file, in its order, but those lines that ``counted`` takes: each is one event.

        Raises LogUnreadable where the file cannot be read.
        """
        try:
            with self.path.open("rb") as file:
                opening = Opening(file, self._noting(counted) if counted else None)
                for found in opening.read():
                    if isinstance(found, UnwrappedEvent):
                        yield from self._event(found)
                    elif isinstance(found, Passed):
                        self.others[found.log] += 1
                    else:
                        self.reject(found.line, found.reason)
                self.lines, self.blank, self.encodings = opening.lines, opening.blank, tuple(opening.encodings)
        except OSError as error:
            raise LogUnreadable(
                f"{self.path}: cannot be read to its end: {error.strerror or 'unknown error'}"
            ) from None

    def _noting(self, counted: Passes) -> Passes:
        def noted(number: int, line: bytes) -> bool:
            taken = counted(number, line)
            if taken:
                self.events += 1
                self.forms[LINES] += 1
            return taken

        return noted

    def _event(self, found: UnwrappedEvent) -> Iterator[AuditEvent]:
        if missing := what_is_missing(found.raw):
            self.reject(found.line, f"not judged: {missing}")
            return
        if found.raw.get("kind") is None:
            found.raw["kind"] = "Event"  # an EventList leaves it out
        try:
            event = event_of(found.raw, self.name, found.line)
        except ValueError as error:
            self.reject(found.line, f"not an audit event: {error}")
            return
        self.events += 1
        self.forms[found.form] += 1
        yield event

    def reject(self, number: int, text: str) -> None:
        """Note that something is no event that can be judged, and why."""
        self.invalid_lines += 1
        if text in self.alike or len(self.invalid) < NAMED:
            self.alike[text] += 1
            if self.alike[text] == 1:
                self.invalid.append((number, text))
