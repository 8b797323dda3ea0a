"""Reads and writes sealed files."""

from __future__ import annotations

import hashlib
import hmac
import os
import tempfile
from pathlib import Path

from auditproof.errors import AuditproofError
from auditproof.seal.key import key_file, own_key, read_key
from auditproof.seal.regular_file import read_regular

LARGEST = 4 * 2**20  # bytes; an attestation of the shipped suites has 100 KB, default objects have 200 KB
FOREIGN = "it was changed, or made by another user or on another machine"


class SealRefused(AuditproofError):
    """A file does not have the seal of this user's key; the message says what it has instead."""


def read_sealed(path: Path, purpose: bytes) -> bytes:
    """The content of a file that ``write_sealed`` has written for the same ``purpose``.

    Raises SealRefused, KeyRefused if the key cannot be relied on, and OSError, also for a link.
    """
    key = read_key()
    if key is None:
        raise SealRefused(f"{FOREIGN}: there is no {key_file()}")
    seal, _, payload = read_regular(path, LARGEST)[0].partition(b"\n")
    if not hmac.compare_digest(seal, _seal(key, purpose, payload)):
        raise SealRefused(f"{FOREIGN}: its seal is not that of {key_file()}")
    return payload


def write_sealed(path: Path, payload: bytes, purpose: bytes) -> None:
    """Put a whole sealed file in the place of another, or of none; a reader sees one of them.

    Raises OSError, and KeyRefused: then nothing has changed there.
    """
    key = own_key()
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(_seal(key, purpose, payload) + b"\n" + payload)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)


def _seal(key: bytes, purpose: bytes, payload: bytes) -> bytes:
    return hmac.new(key, purpose + payload, hashlib.sha256).hexdigest().encode()
