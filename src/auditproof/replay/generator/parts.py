"""Writes a generated log: into one file, or into a folder with rotated files as an API server leaves them."""

from __future__ import annotations

import gzip
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

from auditproof.errors import AuditproofError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_AT_ONCE = 2000  # lines that are encoded and written together
_STAGED = re.compile(r'"stageTimestamp":"([^"]+)"')


def chunks(lines: Iterable[str]) -> Iterator[list[str]]:
    """The lines, some at a time."""
    several: list[str] = []
    for line in lines:
        several.append(line)
        if len(several) == _AT_ONCE:
            yield several
            several = []
    yield several


def write_file(path: Path, lines: Iterable[str], *, compressed: bool) -> Iterator[int]:
    """Write one file; gives the number of lines so far. Raises AuditproofError if it cannot be written."""
    with _told(path), _opened(path, compressed=compressed) as file:
        written = 0
        for several in chunks(lines):
            file.write("".join(several).encode())
            written += len(several)
            yield written


def write_folder(folder: Path, lines: Iterable[str], largest: int, *, compressed: bool) -> Iterator[int]:
    """Write ``audit.log`` in a folder, and rotate it before it exceeds ``largest`` bytes; gives the lines so far.

    A rotated file has the time of its rotation in its name, and is ``compressed`` if so wanted (lumberjack). Raises
    AuditproofError if a file cannot be written, or the folder already has logs, with which these would be mixed.
    """
    current = folder / "audit.log"
    with _told(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if there := next(folder.glob("audit*.log*"), None):
            raise AuditproofError(f"{folder}: {there.name} is already there; name a new or an empty folder")
    written = size = 0
    file = None
    with _told(current):
        try:
            for several in chunks(lines):
                data = "".join(several).encode()
                if file is not None and size + len(data) > largest:
                    file.close()
                    _rotate(current, _STAGED.findall(several[0])[-1], compressed=compressed)
                    file, size = None, 0
                file = file or current.open("wb")
                file.write(data)
                size, written = size + len(data), written + len(several)
                yield written
        finally:
            if file is not None:
                file.close()


def _rotate(current: Path, moment: str, *, compressed: bool) -> None:
    """Rename the current file; ``moment`` is when its successor begins."""
    day, _, time = moment.removesuffix("Z").partition("T")
    rotated = current.with_name(f"audit-{day}T{time[:12].replace(':', '-')}.log")
    if not compressed:
        current.rename(rotated)
        return
    with current.open("rb") as source, _opened(rotated.with_name(f"{rotated.name}.gz"), compressed=True) as file:
        while data := source.read(1 << 20):
            file.write(data)
    current.unlink()


@contextmanager
def _opened(path: Path, *, compressed: bool) -> Iterator[BinaryIO]:
    with path.open("wb") as file:
        if compressed:
            # Neither name nor time, so that the same log is the same file.
            with gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:
                yield cast("BinaryIO", packed)
        else:
            yield file


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = error.strerror or "unknown error"
        raise AuditproofError(f"{path}: the log cannot be written: {why}; what is there of it is incomplete") from None
