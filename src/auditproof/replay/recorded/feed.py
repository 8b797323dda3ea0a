"""The first reading of a log: its plain lines go to SQL, each with its place, and all others are opened in Python."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from auditproof.auditlog.forms import Opening, UnwrappedEvent
from auditproof.replay.inputs.feed import write_all
from auditproof.replay.inputs.packed import BLOCK
from auditproof.replay.recorded.lines import FILE_BITS, SEPARATOR, is_plain

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

Run: TypeAlias = "list[int]"  # the first and the last of lines that follow each other
MOST_IDS = 1_000_000


@dataclass(slots=True)
class PlacedLines:
    """Files, each with its number, that are read through one pipe.

    ``passed`` are the lines of each file that were given to SQL, from one number to another, ``ids`` are the Audit-IDs
    of other events, and ``failed`` is why the reading ended before the end.
    """

    files: list[tuple[int, Path]]
    passed: dict[int, list[Run]] = field(default_factory=dict)
    ids: set[str] = field(default_factory=set)
    failed: Exception | None = None

    def write_to(self, pipe: Path) -> None:
        """Write all plain lines to a named pipe."""
        try:
            with pipe.open("wb", buffering=0) as out:
                for number, path in self.files:
                    self._write_file(out, number, path)
        except Exception as error:  # raised again by the reader of the pipe
            self.failed = error

    def _write_file(self, out: BinaryIO, number: int, path: Path) -> None:
        ready: list[bytes] = []
        runs = self.passed[number] = []
        size = 0
        base = number << FILE_BITS

        def passes(line_number: int, line: bytes) -> bool:
            nonlocal size
            if not is_plain(line):
                return False
            ready.append(b"%d%b%b" % (base + line_number, SEPARATOR, line))
            size += len(line)
            if runs and runs[-1][1] == line_number - 1:
                runs[-1][1] = line_number
            else:
                runs.append([line_number, line_number])
            if size > BLOCK:
                write_all(out, b"".join(ready))
                ready.clear()
                size = 0
            return True

        with path.open("rb") as file:
            for found in Opening(file, passes).read():
                if isinstance(found, UnwrappedEvent) and len(self.ids) < MOST_IDS:
                    self.ids.add(str(found.raw.get("auditID")))
        write_all(out, b"".join(ready))
