"""Writes the files, and replaces none that is there unless it is named."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from auditproof.errors import AuditproofError
from auditproof.report.document import replace_file
from auditproof.text.suggestion import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from auditproof.starter.plan import StarterFile

WRITTEN, REPLACED, SAME, KEPT = "written", "replaced", "same", "kept"


@dataclass(frozen=True, slots=True)
class Written:
    """What has become of a file, or will; ``name`` is its path as it is shown."""

    name: str
    what: str
    instead: str = ""


def write(files: Sequence[StarterFile], forced: Iterable[str], *, dry: bool) -> Iterator[Written]:
    """Write each file that is not there yet, and those that ``forced`` names; with ``dry`` nothing is written.

    Raises AuditproofError if ``forced`` names none of the files, or if one cannot be written; those before are written.
    """
    names = {_shown(file.path): file for file in files}
    replaced = {file.path for file in (_named(name, names) for name in forced)}
    for name, file in names.items():
        try:
            yield Written(name, _write(file, force=file.path in replaced, dry=dry), file.instead)
        except OSError as error:
            raise AuditproofError(f"init: {name} cannot be written: {error.strerror}") from None


def _named(given: str, names: dict[str, StarterFile]) -> StarterFile:
    path = Path(os.path.abspath(given))  # noqa: PTH100 - resolve() would follow a link
    found = names.get(_shown(path))
    if found is None:
        meant = did_you_mean(given, names, quote="")
        raise AuditproofError(f"init: --force {given}: init does not write this file{meant}")
    return found


def _write(file: StarterFile, *, force: bool, dry: bool) -> str:
    """Write one file if it may be; returns what has become of it. Raises OSError."""
    if os.path.lexists(file.path):
        if file.path.is_file() and file.path.read_bytes() == file.text.encode():
            return SAME
        if not force:
            return KEPT
        if not dry:
            replace_file(file.path, file.text)
        return REPLACED
    if not dry:
        file.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            opened = file.path.open("x", encoding="utf-8", newline="\n")
        except FileExistsError:  # another process was faster
            return KEPT
        with opened:
            opened.write(file.text)
    return WRITTEN


def _shown(path: Path) -> str:
    """The path from the working directory if it is below it."""
    here = Path.cwd()
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else str(path)
