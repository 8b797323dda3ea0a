"""A log reader that misbehaves: it copies the server's log to another file, on which the prover relies.

Each fault is a small machine that is given one line and answers those that are handed on in its place; some do
something to the file besides. They work one behind the other, so any two can be had at once.
"""

from __future__ import annotations

import heapq
import itertools
import os
import threading
import time
from typing import TYPE_CHECKING, Protocol

from tests.gauntlet.events import Line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

POLL_S = 0.002


class LineFault(Protocol):
    """One way to misbehave."""

    def take(self, line: Line, reader: Reader) -> list[Line]:
        """What is handed on in the place of ``line``; ``reader`` is who has the file."""
        ...


class Reader:
    """Copies what is added to ``source`` from now on into ``target``, by way of ``faults``, until it is closed."""

    def __init__(self, source: Path, target: Path, faults: Sequence[LineFault]) -> None:
        self.target = target
        self._source = source.open("rb")
        self._source.seek(0, os.SEEK_END)
        self._taken = self._source.tell()
        self._faults = faults
        self._rest = b""
        self._waiting: list[tuple[float, int, bytes]] = []
        self._number = itertools.count()
        self._end = threading.Event()
        self.frozen = False
        self._file = target.open("wb", buffering=0)
        self._thread = threading.Thread(target=self._run, name="gauntlet-reader")
        self._thread.start()

    def close(self) -> None:
        """End; what is held back is lost."""
        self._end.set()
        self._thread.join()
        self._file.close()
        self._source.close()

    @property
    def at_end(self) -> bool:
        """Whether every line that there is was taken, and none is held back to be handed on later."""
        return self._taken == os.fstat(self._source.fileno()).st_size and not self._waiting

    @property
    def size(self) -> int:
        """How much was handed on."""
        return self._file.tell()

    def truncate(self, size: int) -> None:
        """Cut the file to a size."""
        self._file.truncate(size)
        self._file.seek(size)

    def rotate(self, *, keep: bool) -> None:
        """Begin another file; the one before is kept beside it as kube-apiserver would, or removed."""
        self._file.close()
        if keep:
            stamp = time.strftime("%Y-%m-%dT%H-%M-%S") + f".{next(self._number):03d}"
            self.target.rename(self.target.with_name(f"{self.target.stem}-{stamp}{self.target.suffix}"))
        else:
            self.target.unlink()
        self._file = self.target.open("wb", buffering=0)

    def _run(self) -> None:
        while not self._end.wait(POLL_S):
            if data := self._source.read():
                *lines, self._rest = (self._rest + data).split(b"\n")
                for text in lines:
                    self._hand_on(Line.of(text + b"\n"))
                    self._taken += len(text) + 1
            while self._waiting and self._waiting[0][0] <= time.monotonic():
                self._write(heapq.heappop(self._waiting)[2])

    def _hand_on(self, line: Line) -> None:
        lines = [line]
        for fault in self._faults:
            lines = [out for each in lines for out in fault.take(each, self)]
        for each in lines:
            if each.later:
                heapq.heappush(self._waiting, (time.monotonic() + each.later, next(self._number), each.text))
            else:
                self._write(each.text)

    def _write(self, text: bytes) -> None:
        if not self.frozen:
            self._file.write(text)
