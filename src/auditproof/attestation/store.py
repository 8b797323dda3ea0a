"""Attestations as files in the cache: found, kept, listed and removed.

A file is sealed (see auditproof.seal); its content is the attestation as JSON.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from filelock import FileLock
from pydantic import ValidationError

from auditproof.attestation.attestation import Attestation
from auditproof.clusters.binaries.store import cache_folder
from auditproof.errors import AuditproofError
from auditproof.seal import read_sealed, write_sealed

if TYPE_CHECKING:
    from pathlib import Path

    from auditproof.attestation.subject import Subject

SUFFIX = ".attestation"
KEPT = 20  # files: older ones make room
_PURPOSE = b"auditproof attestation 1\n"


@dataclass(frozen=True, slots=True)
class Kept:
    """An attestation's file; without ``attestation`` it is ``refused`` for that reason."""

    path: Path
    digest: str = ""
    attestation: Attestation | None = None
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """The attestation of a subject; without ``attestation``, ``why`` there is none that can be used."""

    attestation: Attestation | None = None
    digest: str = ""
    why: str = ""


def attestations_folder() -> Path:
    """Where attestations are kept: in the cache."""
    return cache_folder() / "attestations"


def find_attestation(subject: Subject) -> Found:
    """The attestation of exactly this subject, with the seal of this user; otherwise why there is none."""
    try:
        kept = attestations()
    except AuditproofError as error:
        return Found(why=str(error))
    own = [(one.attestation, one.digest) for one in kept if one.attestation is not None]
    for attestation, digest in own:
        if attestation.subject == subject:
            return Found(attestation, digest)
    if own:
        nearest = min((attestation for attestation, _ in own), key=lambda one: len(subject.differences(one.subject)))
        differing = " and ".join(subject.differences(nearest.subject))
        return Found(why=f"since the attestation of {nearest.made:%d %B %Y} this has changed: {differing}")
    if refused := [one for one in kept if one.refused]:
        return Found(why=f"{refused[0].path} is refused: {refused[0].refused}")
    return Found(why="there is no attestation yet")


def attestations() -> list[Kept]:
    """Every attestation in the cache, the newest first, then what is refused. Raises AuditproofError."""
    folder = attestations_folder()
    try:
        paths = sorted(path for path in folder.iterdir() if path.name.endswith(SUFFIX))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise AuditproofError(f"{folder}: attestations cannot be read: {error.strerror}") from None
    kept = [_read(path) for path in paths]
    newest = sorted((one for one in kept if one.attestation), key=_made, reverse=True)
    return [*newest, *(one for one in kept if one.refused)]


def _made(one: Kept) -> float:
    return one.attestation.made.timestamp() if one.attestation else 0.0


def _read(path: Path) -> Kept:
    try:
        payload = read_sealed(path, _PURPOSE)
        return Kept(path, hashlib.sha256(payload).hexdigest(), Attestation.model_validate_json(payload))
    except AuditproofError as error:
        return Kept(path, refused=str(error))
    except OSError as error:
        return Kept(path, refused=f"it cannot be read: {error.strerror}")
    except ValidationError:
        return Kept(path, refused="another version of auditproof wrote it")


def keep(attestation: Attestation) -> str:
    """Put an attestation into the cache, in the place of an older one of its subject; returns its digest.

    Raises KeyRefused, or AuditproofError if the cache cannot be written: then nothing has changed there.
    """
    payload, folder = attestation.model_dump_json().encode(), attestations_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock"):
            write_sealed(folder / f"{attestation.subject.digest[:32]}{SUFFIX}", payload, _PURPOSE)
            for old in sorted(folder.glob(f"*{SUFFIX}"), key=lambda path: path.lstat().st_mtime)[:-KEPT]:
                old.unlink(missing_ok=True)
    except OSError as error:
        text = f"{folder}: the attestation cannot be kept: {error.strerror} (set AUDITPROOF_CACHE to another folder)"
        raise AuditproofError(text) from None
    return hashlib.sha256(payload).hexdigest()


def clear_attestations(removed: list[Kept]) -> None:
    """Remove these files. Raises AuditproofError if one cannot be removed."""
    for one in removed:
        try:
            one.path.unlink(missing_ok=True)
        except OSError as error:
            raise AuditproofError(f"{one.path} cannot be removed: {error.strerror}") from None
