"""Python, folders and limits of this machine."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from auditproof.clusters.binaries.store import cache_folder
from auditproof.clusters.doctor.finding import Finding, State
from auditproof.text.sizes import readable

if TYPE_CHECKING:
    from collections.abc import Iterator

RUN_BYTES = 100_000_000  # etcd alone reserves 64 MB for its log when it starts (server/storage/wal, SegmentSizeBytes)
CACHE_BYTES = 300_000_000  # the archive of a version, and what is unpacked from it
FILES = 1024


def python(auditproof: str) -> Finding:
    """The version of ``auditproof``, and of the Python that runs it."""
    return Finding("auditproof", State.OK, f"{auditproof}, with Python {platform.python_version()}")


def machine(*, fetching: bool) -> Iterator[Finding]:
    """What is found about the cache, the temporary folder and the limit of open files.

    ``fetching``: something has still to be put into the cache.
    """
    yield _cache(fetching=fetching)
    yield _temporary()
    yield _files()


def _cache(*, fetching: bool) -> Finding:
    folder = cache_folder()
    existing = next((one for one in (folder, *folder.parents) if os.path.lexists(one)), Path("/"))
    command = "export AUDITPROOF_CACHE=/path/of/another/folder"
    if reason := _not_writable(existing):
        state = State.MISSING if fetching else State.OPTIONAL
        return Finding("cache", state, f"{folder} cannot be written: {reason}", command)
    free = _free(existing)
    text = f"{folder}, {readable(free)} free"
    if fetching and free < CACHE_BYTES:
        return Finding(
            "cache", State.MISSING, f"{text}: a version of the binaries needs {readable(CACHE_BYTES)}", command
        )
    return Finding("cache", State.OK, text)


def _temporary() -> Finding:
    command = "export TMPDIR=/path/of/another/folder"
    try:
        folder = tempfile.gettempdir()
    except FileNotFoundError as error:
        return Finding("temporary", State.MISSING, f"no temporary folder can be written: {error.strerror}", command)
    asked = os.environ.get("TMPDIR", "")
    instead = f" (instead of TMPDIR={asked}, which cannot be written)" if asked and not _same(asked, folder) else ""
    free = _free(folder)
    text = f"{folder}{instead}, {readable(free)} free"
    if free < RUN_BYTES:
        return Finding("temporary", State.MISSING, f"{text}: a run needs {readable(RUN_BYTES)}", command)
    return Finding("temporary", State.OK, text)


def _files() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= FILES:
        return Finding("open files", State.OK, f"a process may have {soft if soft >= 0 else 'any number'}")
    able = hard == resource.RLIM_INFINITY or hard >= FILES
    command = f"ulimit -n {FILES}" if able else f"ulimit -H -n {FILES} as root, or LimitNOFILE={FILES} of the service"
    return Finding("open files", State.MISSING, f"a process may have {soft}, the servers need {FILES}", command)


def _not_writable(folder: Path) -> str:
    """Why no file can be made in ``folder``; empty if one can be."""
    if not folder.is_dir():
        return f"{folder} is no directory"
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0" * 4096)
            file.flush()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _free(folder: Path | str) -> int:
    """Bytes for files of this user; 0 if that is not known."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0


def _same(one: str, other: str) -> bool:
    return Path(one).absolute() == Path(other).absolute()
