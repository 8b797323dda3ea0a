"""A small file system in memory, to be filled for real; needs the right to mount."""

from __future__ import annotations

import ctypes
import errno
import os
import shlex
import sys
from typing import TYPE_CHECKING

from auditproof.errors import ClusterError

if TYPE_CHECKING:
    from pathlib import Path

    from auditproof.clusters.run.run_directory import RunDirectory


class CannotMount(ClusterError):
    """No file system can be mounted here."""


def mount_disk(run: RunDirectory, name: str, size: str) -> Path:
    """Mount a tmpfs of ``size`` (``1m``, as mount(8) takes it) in the run directory; it goes at the end of the run.

    Raises CannotMount where this machine does not let us.
    """
    if sys.platform != "linux":
        raise CannotMount("a file system of its own cannot be mounted here: only Linux has tmpfs")
    path = run.path / "disks" / name
    path.mkdir(mode=0o700, parents=True)
    run.at_end(f"disk-{name}", f"umount -l {shlex.quote(str(path))} 2>/dev/null || true\n")
    library = ctypes.CDLL(None, use_errno=True)
    options = f"size={size},mode=0755".encode()
    if library.mount(b"tmpfs", os.fsencode(path), b"tmpfs", 0, options):
        reason = os.strerror(ctypes.get_errno())
        raise CannotMount(f"a file system of its own cannot be mounted here: {reason} (root is needed)")
    return path


def fill(folder: Path) -> Path:
    """Fill the file system of ``folder`` to its last byte; return the file that does. Raises OSError."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        # The last bytes fit none of the larger blocks.
        for block in (65536, 4096, 1):
            try:
                while True:
                    os.write(file.fileno(), b"\0" * block)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
    return filler
