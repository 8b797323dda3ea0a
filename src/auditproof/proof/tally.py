"""How many requests a run has sent so far."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class Tally:
    """Counts the actions that all processes of a run have sent: a file to which each appends one byte per action."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # O_APPEND: no process overwrites another's byte, so the size of the file is the count.
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def add(self) -> None:
        """Count one more action; from any thread. A full disk is ignored: only the progress display suffers."""
        with suppress(OSError):
            os.write(self._file, b".")

    def count(self) -> int:
        """The number of actions so far."""
        return os.fstat(self._file).st_size
