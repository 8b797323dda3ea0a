"""Reads an audit log file by offset and across rotations, including compressed files; every line is accounted for.

A line that is not an audit event is reported as a problem, never skipped: it may be the very event whose absence is to
be proven. An unfinished last line of the live file is left for the next read. Libraries that follow a log lose or
repeat lines at a rotation, silently; here each byte is accounted for.
"""

from __future__ import annotations

import glob
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
DAMAGED = (OSError, EOFError, zlib.error)  # raised while reading a file, or an incomplete compressed one
EVENT = b'{"kind":"Event",'
API_VERSION = "audit.k8s.io/v1"
LEVELS = {level.value: level for level in Level}
STAGES = {stage.value: stage for stage in Stage}
LEGACY = b' AUDIT: id="'
NO_LEVEL = "this line is in the legacy format, which has no level: set --audit-log-format=json"


@dataclass(frozen=True, slots=True)
class Mark:
    """A position in the log: everything before it has been read.

    ``inode`` identifies the file, also after its rotation; ``tail`` are the bytes before the position, which reveal a
    log that was truncated and has grown since. ``rotated`` is the newest rotated file at that time: a file compressed
    since then has another inode, and is the first one with a later name.
    """

    inode: int
    offset: int
    tail: bytes
    rotated: str = ""


@dataclass(frozen=True, slots=True)
class LogSlice:
    """The part of the log between two marks: the wanted events, and a problem for every line that is not an event."""

    events: tuple[AuditEvent, ...]
    problems: tuple[str, ...]
    end: Mark
    lines: int
    parts: tuple[LogSlice, ...] = ()  # one per log, if there are several


class AuditLog(Protocol):
    """A source of recorded events.

    ``in_order``: an event never appears before events that the backend received earlier. This holds for a file, also in
    batch mode (one consumer, first in first out), but not for a webhook in batch mode, which sends its batches
    concurrently (k8s.io/apiserver plugin/pkg/audit/buffered/buffered.go, AsyncDelegate).
    """

    @property
    def in_order(self) -> bool:
        """See above."""
        ...

    def mark(self) -> Mark:
        """Return the current end of the log."""
        ...

    def beginning(self) -> Mark:
        """Return the position before all existing lines."""
        ...

    def read(self, since: Mark, wanted: Callable[[AuditEvent], bool]) -> LogSlice:
        """All complete lines after ``since``; ``wanted`` is asked about each event in turn, and says which are kept.

        Raises LogUnreadable if lines may be lost (file deleted, truncated or replaced).
        """
        ...


class FileLog:
    """A log file as kube-apiserver writes it; rotated files are next to it as ``<stem>-<time><suffix>[.gz]``.

    ``foreign`` recognises lines that are certainly not audit events, if the file also has other content.
    """

    def __init__(
        self, path: Path, *, in_order: bool = True, foreign: Callable[[bytes], bool] = lambda _: False
    ) -> None:
        self._path = path
        self._foreign = foreign
        self.in_order = in_order

    def mark(self) -> Mark:
        """Return the current end of the log: after its last complete line.

        Raises LogUnreadable if the file does not exist.
        """
        try:
            newest = _newest(self._files())
            with self._path.open("rb") as file:
                return replace(_mark(file, _end_of_last_line(file)), rotated=newest)
        except OSError as error:
            raise LogUnreadable(f"cannot read the audit log {self._path}: {error.strerror}") from None

    def beginning(self) -> Mark:
        """Return the position before the first line of the oldest file. Raises LogUnreadable if there is no file."""
        return Mark(self._files()[0][0], 0, b"")

    def read(self, since: Mark, wanted: Callable[[AuditEvent], bool]) -> LogSlice:
        """See AuditLog.read."""
        found = LineReader(wanted)
        mark = since
        files = self._files_from(since)
        for n, (inode, path) in enumerate(files):
            live = n == len(files) - 1
            # Only the file that contains the mark is read from there, every later one from its beginning.
            begin = replace(since, inode=inode) if n == 0 else Mark(inode, 0, b"", path.name)
            try:
                mark = self._read_lines(path, begin, found, live=live)
            except DAMAGED as error:
                raise LogUnreadable(f"the audit log {path} cannot be read to its end: {error}") from None
        end = replace(mark, rotated=_newest(files) or since.rotated)
        return LogSlice(tuple(found.events), tuple(found.problems), end, found.lines)

    def _read_lines(self, path: Path, begin: Mark, found: LineReader, *, live: bool) -> Mark:
        """Read complete lines from ``begin``; return the offset at which the next read begins."""
        offset = begin.offset
        with self._open(path, begin) as file:
            if file.seek(0, os.SEEK_END) < offset or _tail(file, offset) != begin.tail:
                raise LogUnreadable(f"the audit log {path} was truncated while being read: events may be lost")
            for line in file:
                # The server is still writing this line. In a rotated file nothing can follow it.
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
        # After a rotation since the listing, another file is at this path.
        if os.fstat(file.fileno()).st_ino == begin.inode and path.suffix != COMPRESSED:
            return file
        file.close()
        return cast("BinaryIO", gzip.open(path)) if path.suffix == COMPRESSED else self._open_again(begin)

    def _open_again(self, begin: Mark) -> BinaryIO:
        inode, path = self._files_from(begin)[0]
        return self._open(path, replace(begin, inode=inode))

    def _files_from(self, mark: Mark) -> list[tuple[int, Path]]:
        """The files from the one that contains ``mark``; compression changes its inode, but not its text."""
        files = self._files()
        place = next((n for n, (number, _) in enumerate(files) if number == mark.inode), None)
        if place is None:
            later = (n for n, (_, path) in enumerate(files[:-1]) if path.name > mark.rotated)
            place = next(later, None)
            place = place if place is not None and _holds(files[place][1], mark) else None
        if place is None:
            raise LogUnreadable(
                f"the audit log {self._path} was deleted or replaced while being read: events may be lost"
            )
        return files[place:]

    def _files(self) -> list[tuple[int, Path]]:
        """The rotated files, oldest first (their names contain the time), then the live one, each with its inode.

        Repeated until two listings agree, because a rotation during a listing would hide a file.
        """
        listing, before = self._list(), None
        while listing != before:
            listing, before = self._list(), listing
        return listing

    def _list(self) -> list[tuple[int, Path]]:
        try:
            pattern = f"{glob.escape(self._path.stem)}-*{glob.escape(self._path.suffix)}"
            packed = set(self._path.parent.glob(f"{pattern}{COMPRESSED}"))
            plain = set(self._path.parent.glob(pattern)) - packed  # for a log without a suffix, the pattern has both
            # While a file is being compressed, both of its forms exist: the plain one is complete.
            rotated = sorted(plain | {path for path in packed if path.with_suffix("") not in plain})
            return [(path.stat().st_ino, path) for path in (*rotated, self._path)]
        except OSError as error:
            raise LogUnreadable(f"cannot read the audit log {self._path}: {error.strerror}") from None


def _newest(files: list[tuple[int, Path]]) -> str:
    """The name of the newest rotated file; the last of ``files`` is the live one."""
    return files[-2][1].name if len(files) > 1 else ""


def _holds(path: Path, mark: Mark) -> bool:
    """Whether a compressed file has the same bytes before a mark as the original had."""
    if path.suffix != COMPRESSED:
        return False
    try:
        with gzip.open(path) as file:
            return _tail(cast("BinaryIO", file), mark.offset) == mark.tail
    except DAMAGED:  # still being written; the original still exists then
        return False


def _mark(file: BinaryIO, offset: int) -> Mark:
    return Mark(os.fstat(file.fileno()).st_ino, offset, _tail(file, offset))


def _tail(file: BinaryIO, offset: int) -> bytes:
    """The last bytes before ``offset``, with the timestamps of the last event; leaves the file at ``offset``."""
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
    """Collects events and problems while reading."""

    def __init__(self, wanted: Callable[[AuditEvent], bool]) -> None:
        self._wanted = wanted
        self.events: list[AuditEvent] = []
        self.problems: list[str] = []
        self.lines = 0

    def add(self, line: bytes, source: str, offset: int) -> None:
        """Add one line, which begins at byte ``offset`` of ``source``."""
        self.lines += 1
        try:
            event = event_of(decode(line), source, offset, line)
        except ValueError as error:
            if LEGACY in line:
                self.problems.append(f"{source}, byte {offset}: {NO_LEVEL}")
                return
            self.problems.append(f"{source}, byte {offset}: this line is not an audit event: {error}: {line[:80]!r}")
            # A full disk cuts a line, and the next event is appended to it: that event is evidence, the problem stays.
            glued = line.rfind(EVENT)
            if glued > 0:
                with suppress(ValueError):
                    event = event_of(decode(line[glued:]), source, offset + glued)
                    self.events += [event] if self._wanted(event) else []
            return
        if self._wanted(event):
            self.events.append(event)


def event_of(raw: Any, source: str, offset: int, line: bytes = b"") -> AuditEvent:
    """Return a decoded line as an AuditEvent whose fields have the types of audit.k8s.io/v1 Event.

    Raises ValueError if it is not one. Null fields are removed from ``raw``: to Go they are absent.
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
