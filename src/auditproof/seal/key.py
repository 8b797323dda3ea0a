"""The user's key, with which files in the cache are sealed: 32 random bytes in a file that nobody else can read.

It is in the state folder and not in the cache, so that a cache that is copied from another machine, or comes out of a
CI system, has no key with it.
"""

from __future__ import annotations

import os
import secrets
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

import platformdirs

from auditproof.errors import AuditproofError
from auditproof.seal.regular_file import read_regular

NAME, SIZE = "attestation.key", 32
VARIABLE = "AUDITPROOF_STATE"


class KeyRefused(AuditproofError):
    """The key cannot be relied on, or cannot be read or made; the message says why, and what to do."""


def key_file() -> Path:
    """Where the key is: in $AUDITPROOF_STATE, else in the user's state folder."""
    given = os.environ.get(VARIABLE)
    return (Path(given) if given else platformdirs.user_state_path("auditproof")) / NAME


def read_key() -> bytes | None:
    """The key; None if there is none yet. Raises KeyRefused if others can read it, or it is not as it was made."""
    path = key_file()
    try:
        key, found = read_regular(path, SIZE + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise KeyRefused(f"{path} cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise KeyRefused(f"{path} is not a file that only you can read: remove it, the next run makes a new key")
    if len(key) != SIZE:
        raise KeyRefused(f"{path} is not as auditproof made it: remove it, the next run makes a new key")
    return key


def own_key() -> bytes:
    """The key, made now if there is none. Raises KeyRefused."""
    found = read_key()
    if found is not None:
        return found
    path = key_file()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{NAME}-")  # 0600
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(SIZE))
            with suppress(FileExistsError):  # another run was faster: then its key is the one
                os.link(name, path)  # whole or not at all
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise KeyRefused(f"{path} cannot be made: {error.strerror} (set {VARIABLE} to another folder)") from None
    made = read_key()
    if made is None:
        raise KeyRefused(f"{path} was removed again while it was made")
    return made
