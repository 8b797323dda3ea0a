"""Downloading a file whose checksum is known: what does not agree with it is not used.

The standard library is enough for that.
"""

from __future__ import annotations

import hashlib
import time
import urllib.request
from typing import TYPE_CHECKING

from auditproof.clusters.machine import is_full
from auditproof.errors import BinaryNotFound, ClusterError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TIMEOUT_S = 60.0
PROGRESS_S = 10.0
BLOCK = 1 << 20


def fetch(url: str, file: Path, algorithm: str, checksum: str, report: Callable[[str], None]) -> None:
    """Download ``url`` to ``file``, with progress; ``checksum`` is its digest by ``algorithm`` (sha256, say), in hex.

    Raises BinaryNotFound where it cannot be downloaded, ClusterError where the checksum does not agree, OSError where
    the disk is full.
    """
    digest, done, told = hashlib.new(algorithm), 0, time.monotonic()
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer, file.open("wb") as output:  # noqa: S310 - checked by its digest
            while block := answer.read(BLOCK):
                digest.update(block)
                output.write(block)
                done += len(block)
                if time.monotonic() - told > PROGRESS_S:
                    told = time.monotonic()
                    report(f"auditproof: {done >> 20} MiB so far")
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and is_full(error):
            raise
        raise BinaryNotFound(f"{url} cannot be downloaded: {error}") from None
    if digest.hexdigest() != checksum.lower():
        name = algorithm.upper().replace("SHA", "SHA-")
        raise ClusterError(f"{url} has the {name} {digest.hexdigest()}, the index says {checksum}: it is not used")
