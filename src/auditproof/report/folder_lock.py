"""One writer for a report folder: an OS lock, which ends with the process that holds it, however that ends."""

from __future__ import annotations

import fcntl
import os
import socket
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from auditproof.errors import AuditproofError
from auditproof.text.printable import printable

if TYPE_CHECKING:
    from pathlib import Path

WRITER = ".auditproof-writer"  # the locked file in the folder; it says who holds the lock
_SHOWN = 200


class FolderInUse(AuditproofError):
    """Another process writes a report to the folder."""


class FolderLock:
    """The right to write a folder, held until ``release`` or the end of the process; workers do not inherit it."""

    def __init__(self, folder: Path) -> None:
        """Take the lock. Raises FolderInUse, with who holds it, and OSError where the folder cannot be locked."""
        self._path = folder / WRITER
        self._file = self._locked()
        os.truncate(self._file, 0)
        now = datetime.now(UTC)
        os.pwrite(self._file, f"process {os.getpid()} on {socket.gethostname()}, since {now:%F %T} UTC".encode(), 0)

    def _locked(self) -> int:
        """The locked file: the one that the folder has now, because the holder removes it with the lock still held."""
        while True:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                with suppress(FileNotFoundError):
                    if os.path.samestat(os.fstat(file), self._path.stat()):
                        return file
            except BlockingIOError:
                holder = printable(os.pread(file, _SHOWN, 0).decode(errors="replace"))
                os.close(file)
                raise FolderInUse(holder) from None
            os.close(file)

    def release(self) -> None:
        """Give the folder back."""
        with suppress(OSError):
            self._path.unlink()
        os.close(self._file)
