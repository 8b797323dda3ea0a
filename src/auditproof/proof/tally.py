"""How many requests a run has sent by now."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class Tally:
    """How many actions all processes of a run have sent: a file that each of them makes longer by a byte an action."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def add(self) -> None:
        """Count one more; from any thread. A full disk is ignored: only the progress would show less."""
        with suppress(OSError):
            os.write(self._file, b".")

    def count(self) -> int:
        """How many there are by now."""
        return os.fstat(self._file).st_size
