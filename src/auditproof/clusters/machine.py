"""What this machine lacks when a server ends or a file cannot be written: said before anything else."""

from __future__ import annotations

import errno
import os
import resource
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

from auditproof.errors import ClusterError

if TYPE_CHECKING:
    from pathlib import Path

FULL_BYTES = 64 * 1024  # with less than this, no server writes on
_NO_SPACE = "no space left on device"  # as Go names ENOSPC
_NO_FILES = ("too many open files", "file descriptor limit of etcd process is too low")  # EMFILE, and etcd before it


def lacks(folder: Path, text: str) -> str | None:
    """What made a server end that writes into ``folder``, by its log ``text`` and the disk; None where nothing did."""
    with suppress(OSError):
        # The disk is looked at as well: on a full one the message itself may be missing.
        if _NO_SPACE in text or shutil.disk_usage(folder).free < FULL_BYTES:
            return _no_space(folder)
    # Without an inotify instance kube-apiserver does not watch its certificates, tries again later, and goes on.
    lines = [line for line in text.splitlines() if "notify" not in line]
    return _no_files() if any(words in line for line in lines for words in _NO_FILES) else None


def _no_space(folder: Path, variable: str = "TMPDIR") -> str:
    free = shutil.disk_usage(folder).free // 1024
    return f"no space left on the disk of {folder} ({free} KiB are free): make room, or set {variable} to another disk"


def _no_files() -> str:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return f"too many open files: a process may have {limit} here; allow more (ulimit -n 1024)"


def is_full(error: OSError) -> bool:
    """Whether there is no room for what was to be written."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def cannot(what: str, error: OSError, folder: Path, variable: str = "TMPDIR") -> ClusterError:
    """The error to raise where ``what`` ("the run directory cannot be made") is the fault of this machine.

    ``folder`` was written into, and ``variable`` of the environment chooses it.
    """
    where = f"{error.filename}: " if error.filename else ""
    reason = f"{where}{error.strerror} (set {variable} to another folder)"
    with suppress(OSError):
        if is_full(error):
            reason = _no_space(folder, variable)
    return ClusterError(f"{what}: {_no_files() if error.errno in (errno.EMFILE, errno.ENFILE) else reason}")


def memory() -> int:
    """The memory of this machine in bytes; 0 where it is not known."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return 0
