"""Reads a file that someone may have replaced: no link is followed, nothing blocks, and no more is read than asked."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def read_regular(path: Path, limit: int) -> tuple[bytes, os.stat_result]:
    """The first ``limit`` bytes of a regular file, and its owner and mode; of anything else, no bytes.

    Raises OSError, also for a link.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found, data = os.fstat(descriptor), b""
        while stat.S_ISREG(found.st_mode) and len(data) < limit and (part := os.read(descriptor, limit - len(data))):
            data += part
        return data, found
    finally:
        os.close(descriptor)
