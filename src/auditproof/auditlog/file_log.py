"""Reading the audit log: by offset, across rotations (compressed ones, too), every line accounted for.

A line that is not an audit event is reported as a problem, never skipped: it may be the very event whose absence
somebody wants to prove. An unfinished last line of the live file is left for the next read.
"""

from __future__ import annotations

import gzip
import os
import zlib
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, cast

from auditproof.audit.event import AuditEvent, Level, Stage
from auditproof.audit.event_form import check_event, decode, shown
from auditproof.errors import LogUnreadable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


TAIL_BYTES = 1024
COMPRESSED = ".gz"
DAMAGED = (OSError, EOFError, zlib.error)  # what reading raises where a file is, or a compressed one is not whole
EVENT = b'{"kind":"Event",'
API_VERSION = "audit.k8s.io/v1"
LEVELS = {level.value: level for level in Level}
STAGES = {stage.value: stage for stage in Stage}
LEGACY = b' AUDIT: id="'
NO_LEVEL = "this line is in the legacy format, which holds no level: set --audit-log-format=json"


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the log: everything before it has been read.

    ``inode`` names the file, also after its rotation; ``tail`` is what stands before the place, so that a log is found
    out that was truncated and has grown since. ``rotated`` is the name of the newest rotated file at that moment: what
    has been compressed since has another inode, and is the first one with a later name.
    """

    inode: int
    offset: int
    tail: bytes
    rotated: str = ""


@dataclass(frozen=True, slots=True)
class LogSlice:
    """What stood in the log between two marks: the events that were asked for, and everything that is not an event."""

    events: tuple[AuditEvent, ...]
    problems: tuple[str, ...]
    end: Mark
    lines: int
    parts: tuple[LogSlice, ...] = ()  # of each log, where there are several


class AuditLog(Protocol):
    """Where recorded events are read.

    ``in_order``: an event is never there before those that were handed to the backend earlier. That is so for a file,
    in batch mode too (one consumer, first in first out), but not for a webhook in batch mode, whose batches are sent
    beside each other (k8s.io/apiserver plugin/pkg/audit/buffered/buffered.go, AsyncDelegate).
    """

    @property
    def in_order(self) -> bool:
        """See above."""
        ...

    def mark(self) -> Mark:
        """The present end of the log."""
        ...

    def beginning(self) -> Mark:
        """The place before everything that is there."""
        ...

    def read(self, since: Mark, wanted: Callable[[AuditEvent], bool]) -> LogSlice:
        """All complete lines after ``since``; ``wanted`` is asked about each event in turn, and says which are kept.

        Raises LogUnreadable where lines may be lost (file deleted, truncated or replaced).
        """
        ...


class FileLog:
    """A log file as kube-apiserver writes it; rotated files stand beside it as ``<stem>-<time><suffix>[.gz]``.

    ``foreign`` tells lines that are surely no events of ours to read, where the file holds others, too.
    """

    def __init__(
        self, path: Path, *, in_order: bool = True, foreign: Callable[[bytes], bool] = lambda _: False
    ) -> None:
        self._path = path
        self._foreign = foreign
        self.in_order = in_order

    def mark(self) -> Mark:
        """The present end of the log: after its last complete line.

        Raises LogUnreadable where the file does not exist.
        """
        try:
            newest = _newest(self._files())
            with self._path.open("rb") as file:
                return replace(_mark(file, _end_of_last_line(file)), rotated=newest)
        except OSError as error:
            raise LogUnreadable(f"cannot read the audit log {self._path}: {error.strerror}") from None

    def beginning(self) -> Mark:
        """Before the first line of the oldest file that is there. Raises LogUnreadable where there is none."""
        return Mark(self._files()[0][0], 0, b"")

    def read(self, since: Mark, wanted: Callable[[AuditEvent], bool]) -> LogSlice:
        """See AuditLog.read."""
        found = LineReader(wanted)
        mark = since
        files = self._files_from(since)
        for n, (inode, path) in enumerate(files):
            live = n == len(files) - 1
            begin = replace(since, inode=inode) if n == 0 else Mark(inode, 0, b"", path.name)
            try:
                mark = self._read_lines(path, begin, found, live=live)
            except DAMAGED as error:
                raise LogUnreadable(f"the audit log {path} cannot be read to its end: {error}") from None
        end = replace(mark, rotated=_newest(files) or since.rotated)
        return LogSlice(tuple(found.events), tuple(found.problems), end, found.lines)

    def _read_lines(self, path: Path, begin: Mark, found: LineReader, *, live: bool) -> Mark:
        """Read complete lines from ``begin``; answers where the next read begins."""
        offset = begin.offset
        with self._open(path, begin) as file:
            if file.seek(0, os.SEEK_END) < offset or _tail(file, offset) != begin.tail:
                raise LogUnreadable(f"the audit log {path} was truncated while it was read: events may be lost")
            for line in file:
                if live and not line.endswith(b"\n"):
                    break
                if not self._foreign(line):
                    found.add(line, str(path), offset)
                offset += len(line)
            return _mark(file, offset)

    def _open(self, path: Path, begin: Mark) -> BinaryIO:
        """Open the file that had this inode when the files were listed; it may have been moved or compressed since."""
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return self._open_again(begin)
        if os.fstat(file.fileno()).st_ino == begin.inode and path.suffix != COMPRESSED:
            return file
        file.close()
        return cast("BinaryIO", gzip.open(path)) if path.suffix == COMPRESSED else self._open_again(begin)

    def _open_again(self, begin: Mark) -> BinaryIO:
        inode, path = self._files_from(begin)[0]
        return self._open(path, replace(begin, inode=inode))

    def _files_from(self, mark: Mark) -> list[tuple[int, Path]]:
        """The files from the one in which ``mark`` is; after compression that has another inode, but the same text."""
        files = self._files()
        place = next((n for n, (number, _) in enumerate(files) if number == mark.inode), None)
        if place is None:
            later = (n for n, (_, path) in enumerate(files[:-1]) if path.name > mark.rotated)
            place = next(later, None)
            place = place if place is not None and _holds(files[place][1], mark) else None
        if place is None:
            raise LogUnreadable(
                f"the audit log {self._path} was deleted or replaced while it was read: events may be lost"
            )
        return files[place:]

    def _files(self) -> list[tuple[int, Path]]:
        """The rotated files, oldest first (their names carry the time), then the live one, each with its inode.

        Listed until two listings agree, because a rotation in the middle of one would hide a file.
        """
        listing, before = self._list(), None
        while listing != before:
            listing, before = self._list(), listing
        return listing

    def _list(self) -> list[tuple[int, Path]]:
        try:
            plain = set(self._path.parent.glob(f"{self._path.stem}-*{self._path.suffix}"))
            packed = set(self._path.parent.glob(f"{self._path.stem}-*{self._path.suffix}{COMPRESSED}"))
            rotated = sorted(plain | {path for path in packed if path.with_suffix("") not in plain})
            return [(path.stat().st_ino, path) for path in (*rotated, self._path)]
        except OSError as error:
            raise LogUnreadable(f"cannot read the audit log {self._path}: {error.strerror}") from None


def _newest(files: list[tuple[int, Path]]) -> str:
    """The name of the newest rotated file; the last one is the live one."""
    return files[-2][1].name if len(files) > 1 else ""


def _holds(path: Path, mark: Mark) -> bool:
    """Whether a compressed file has at a mark what stood there before it was compressed."""
    if path.suffix != COMPRESSED:
        return False
    try:
        with gzip.open(path) as file:
            return _tail(cast("BinaryIO", file), mark.offset) == mark.tail
    except DAMAGED:  # it is still being written; then the original stands beside it
        return False


def _mark(file: BinaryIO, offset: int) -> Mark:
    return Mark(os.fstat(file.fileno()).st_ino, offset, _tail(file, offset))


def _tail(file: BinaryIO, offset: int) -> bytes:
    """The last bytes before ``offset``, times of the last event included; the file is left at ``offset``."""
    begin = max(0, offset - TAIL_BYTES)
    file.seek(begin)
    return file.read(offset - begin)


def _end_of_last_line(file: BinaryIO, block: int = 65536) -> int:
    end = file.seek(0, os.SEEK_END)
    while end > 0:
        begin = max(0, end - block)
        file.seek(begin)
        newline = file.read(end - begin).rfind(b"\n")
        if newline >= 0:
            return begin + newline + 1
        end = begin
    return 0


class LineReader:
    """What reading has found so far."""

    def __init__(self, wanted: Callable[[AuditEvent], bool]) -> None:
        self._wanted = wanted
        self.events: list[AuditEvent] = []
        self.problems: list[str] = []
        self.lines = 0

    def add(self, line: bytes, source: str, offset: int) -> None:
        """Take one line, which begins at ``offset`` of ``source``."""
        self.lines += 1
        try:
            event = event_of(decode(line), source, offset, line)
        except ValueError as error:
            if LEGACY in line:
                self.problems.append(f"{source}, byte {offset}: {NO_LEVEL}")
                return
            self.problems.append(f"{source}, byte {offset}: this line is not an audit event: {error}: {line[:80]!r}")
            self._add_glued(line, source, offset)
            return
        if self._wanted(event):
            self.events.append(event)

    def _add_glued(self, line: bytes, source: str, offset: int) -> None:
        """An event behind a cut one: a full disk cuts a line, and what is written when there is room again follows it.

        What is there is evidence; the problem stays.
        """
        begin = line.rfind(EVENT)
        if begin > 0:
            with suppress(ValueError):
                event = event_of(decode(line[begin:]), source, offset + begin)
                self.events += [event] if self._wanted(event) else []


def event_of(raw: Any, source: str, offset: int, line: bytes = b"") -> AuditEvent:
    """One decoded line as an AuditEvent, every field of it of the type that audit.k8s.io/v1 Event says.

    Raises ValueError where it is not one. A field that is null is taken out of ``raw``: to Go it is not there.
    """
    check_event(raw)
    for key, known in (("kind", "Event"), ("apiVersion", API_VERSION)):
        if raw.get(key, API_VERSION) != known:
            raise ValueError(f"{key} is {shown(raw.get(key))}, not {known!r}")
    if "auditID" not in raw:
        raise ValueError("it has no auditID")
    level, stage = LEVELS.get(raw.get("level", "")), STAGES.get(raw.get("stage", ""))
    if level is None or stage is None:
        raise ValueError(f"there is no level {shown(raw.get('level'))} at stage {shown(raw.get('stage'))}")
    return AuditEvent(raw["auditID"], level, stage, raw, source, offset, line)
