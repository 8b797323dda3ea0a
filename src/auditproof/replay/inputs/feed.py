"""Turns every file of a log into JSON lines: plain ones are read by the engine itself, others through a pipe.

A file whose lines are an API server's own is passed on as it is, or decompressed. Any other form is read by
``auditlog.forms`` and written as an API server writes it. Nothing is kept in memory or on disk.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Protocol

from auditproof.auditlog.file_log import event_of
from auditproof.auditlog.forms import Opening, Passed, UnwrappedEvent
from auditproof.auditlog.forms.fields import what_is_missing
from auditproof.replay.bodies import line_of
from auditproof.replay.inputs.lines import LONGEST_LINE, TOO_LONG
from auditproof.replay.inputs.packed import BLOCK, DAMAGED, GZIP, ZSTD, unpacked
from auditproof.replay.inputs.stores import message_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from auditproof.auditlog.forms import Opened
    from auditproof.replay.inputs.found import LogFile

NATIVE = b'{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"'
_HEAD = 256


@dataclass(slots=True)
class Trouble:
    """What is no event: the file, the line of the first one if it is known, why, and how many have the same reason."""

    file: str
    line: int | None
    reason: str
    count: int = 1

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        more = f" ({self.count:,} such lines)" if self.count > 1 else ""
        return f"{where}: {self.reason}{more}"


class Troubles:
    """Counts what is no event, by file and reason; several threads add to it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[tuple[str, str], Trouble] = {}

    def add(self, file: str, line: int | None, reason: str, count: int = 1) -> None:
        """Note one."""
        with self._lock:
            known = self._found.get((file, reason))
            if known is None:
                self._found[file, reason] = Trouble(file, line, reason, count)
                return
            known.count += count
            if line is not None:
                known.line = line if known.line is None else min(known.line, line)

    def all(self) -> tuple[Trouble, ...]:
        """All of them, most frequent first."""
        return tuple(sorted(self._found.values(), key=lambda one: (-one.count, one.file, one.line or 0)))


@dataclass(slots=True)
class Feed:
    """Files that are read through one pipe, in turn; ``forms`` and ``others`` count events and lines of other logs."""

    files: list[tuple[LogFile, bool]]
    troubles: Troubles
    forms: Counter[str] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)
    read: int = 0
    written: int = 0

    def write_to(self, pipe: Path) -> None:
        """Write the lines of all files to a named pipe; ends quietly when its reader closes it."""
        try:
            with pipe.open("wb", buffering=0) as out:
                for file, native in self.files:
                    for block in self._blocks(file, native=native):
                        write_all(out, block)
                        self.written += len(block)
                    self.read += file.size
        except BrokenPipeError:
            return

    def _blocks(self, file: LogFile, *, native: bool) -> Iterator[bytes]:
        try:
            head = _head_of(file)
            with file.open() as raw:
                text = unpacked(raw, head)
                yield from _whole(text) if native else self._lines(file.name, text)
        except DAMAGED as error:
            self.troubles.add(file.name, None, f"the compressed file is damaged or cut off ({error}): the rest is lost")
            yield b"\n"
        except Exception as error:  # a library of a store may raise anything
            self.troubles.add(file.name, None, f"it cannot be read to its end: {message_of(error)}")
            yield b"\n"

    def _lines(self, name: str, text: BinaryIO) -> Iterator[bytes]:
        """The events of a file of any form, as lines, some at a time."""
        ready: list[bytes] = []
        size = events = 0
        damage: Exception | None = None
        try:
            for found in Opening(text).read():
                line = self._found(name, found)
                events += bool(line)
                ready.append(line)
                size += len(line)
                if size > BLOCK:
                    yield b"".join(ready)
                    ready, size = [], 0
        except DAMAGED as error:
            damage = error  # what was read before is passed on first
        yield b"".join(ready)
        if not events:
            self.troubles.add(name, None, "there is no audit event in this file")
        if damage:
            raise damage

    def _found(self, name: str, found: Opened) -> bytes:
        if isinstance(found, UnwrappedEvent):
            return self._line(name, found)
        if isinstance(found, Passed):
            self.others[found.log] += 1
        else:
            self.troubles.add(name, found.line, found.reason)
        return b""

    def _line(self, name: str, found: UnwrappedEvent) -> bytes:
        raw = found.raw
        if missing := what_is_missing(raw):
            self.troubles.add(name, found.line, f"not judged: {missing}")
            return b""
        for key, value in (("kind", "Event"), ("apiVersion", "audit.k8s.io/v1")):
            if raw.get(key) is None:
                raw[key] = value  # an EventList leaves it out
        try:
            event_of(raw, name, found.line)
        except ValueError as error:
            self.troubles.add(name, found.line, f"not an audit event: {error}")
            return b""
        line = line_of(raw) + b"\n"
        if len(line) > LONGEST_LINE:
            self.troubles.add(name, found.line, TOO_LONG)
            return b""
        self.forms[found.form] += 1
        return line


def _whole(text: BinaryIO) -> Iterator[bytes]:
    """A file block by block, ending in a line break."""
    last = b""
    while block := text.read(BLOCK):
        yield block
        last = block
    if not last.endswith(b"\n"):
        yield b"\n"


def write_all(out: BinaryIO, block: bytes) -> None:
    """Write the whole block to a pipe, which may take a part of it at a time."""
    view = memoryview(block)
    while view:
        view = view[out.write(view) :]


def _head_of(file: LogFile) -> bytes:
    with file.open() as raw:
        return raw.read(_HEAD)


def is_plain(head: bytes) -> bool:
    """Whether a file that begins with ``head`` is not compressed."""
    return not head.startswith((GZIP, ZSTD))


def sort_out(files: Sequence[LogFile], troubles: Troubles) -> tuple[list[LogFile], list[tuple[LogFile, bool]]]:
    """The files that an engine can read itself, and those for a feed, each with whether its lines are native."""
    own: list[LogFile] = []
    fed: list[tuple[LogFile, bool]] = []
    for file in files:
        if not file.size:
            troubles.add(file.name, None, "this file is empty")
            continue
        try:
            with file.open() as raw:
                head = raw.read(_HEAD)
            with file.open() as raw:
                native = unpacked(raw, head).read(len(NATIVE)) == NATIVE
        except Exception as error:  # a library of a store may raise anything; what is damaged is read by the feed
            if not isinstance(error, DAMAGED):
                troubles.add(file.name, None, f"it cannot be read: {message_of(error)}")
                continue
            native = False
        if native and is_plain(head) and file.path is not None:
            own.append(file)
        else:
            fed.append((file, native))
    return own, fed


class Writer(Protocol):
    """What writes lines to a named pipe; it keeps what fails."""

    def write_to(self, pipe: Path) -> None:
        """Write all lines to ``pipe``."""


@contextmanager
def fed(writers: Sequence[Writer], folder: Path) -> Iterator[list[Path]]:
    """A named pipe in ``folder`` for each writer, which writes to it in a thread until the end of the block."""
    pipes = [folder / f"feed-{n}" for n in range(len(writers))]
    for pipe in pipes:
        os.mkfifo(pipe, 0o600)
    threads = [
        threading.Thread(target=writer.write_to, args=(pipe,), daemon=True)
        for writer, pipe in zip(writers, pipes, strict=True)
    ]
    for thread in threads:
        thread.start()
    try:
        yield pipes
    finally:
        # A writer may still wait for a reader, or write for one that has gone.
        for pipe in pipes:
            with suppress(OSError):
                os.close(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK))
    for thread in threads:
        thread.join()
