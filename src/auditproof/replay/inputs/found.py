"""Finds the files of a log: files, folders, globs, and the same in a store that fsspec knows (s3://, gs://, abfs://)."""

from __future__ import annotations

import glob
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from auditproof.errors import AuditproofError
from auditproof.replay.inputs.stores import MAGIC, files_in_store
from auditproof.text.paths import is_file, is_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_PACKED = (".gz", ".zst")


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file of a log: what messages call it, its size in bytes, and how it is opened.

    ``path`` is its place on this machine, None in a store.
    """

    name: str
    size: int
    open: Callable[[], BinaryIO]
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class FoundLogs:
    """The files of a log, each once, and remarks about files that are not read."""

    files: tuple[LogFile, ...]
    remarks: tuple[str, ...]


def find_logs(given: Iterable[str]) -> FoundLogs:
    """Every file that the arguments LOG name, in their order, those of a folder or glob sorted by name.

    Raises AuditproofError if an argument names no file, and if a store cannot be listed.
    """
    files: dict[str, LogFile] = {}
    for text in given:
        for file in _in_store(text) if "://" in text else _on_machine(text):
            files.setdefault(str(file.path.resolve()) if file.path else file.name, file)
    kept, remarks = _without_copies(list(files.values()))
    return FoundLogs(tuple(kept), (*remarks, *_rotated_remarks(kept)))


def _on_machine(text: str) -> Iterator[LogFile]:
    path = Path(text)
    if is_file(path):
        yield _local(path)
        return
    if is_folder(path):
        found = sorted(one for one in path.rglob("[!.]*") if is_file(one))
    elif any(letter in text for letter in MAGIC):
        names = sorted(glob.glob(text, recursive=True))  # noqa: PTH207 - Path.glob takes no absolute pattern
        found = [Path(name) for name in names if is_file(Path(name))]
    else:
        raise AuditproofError(f"{text}: no such file or folder; expected an audit log, a folder of logs, or a glob")
    if not found:
        raise AuditproofError(f"{text}: there is no file there; expected audit logs")
    yield from map(_local, found)


def _local(path: Path) -> LogFile:
    return LogFile(str(path), path.stat().st_size, lambda: path.open("rb"), path)


def _in_store(url: str) -> Iterator[LogFile]:
    for store, name, full, size in files_in_store(url):
        yield LogFile(full, size, partial(_opened, store, name))


def _opened(store: Any, name: str) -> BinaryIO:
    return cast("BinaryIO", store.open(name, "rb"))


def _without_copies(files: list[LogFile]) -> tuple[list[LogFile], list[str]]:
    """Leaves out the compressed copy of a file that is there as well: a rotation is just compressing it."""
    names = {file.name for file in files}
    copies = [file for file in files if file.name.endswith(_PACKED) and file.name.rpartition(".")[0] in names]
    remarks = [f"{file.name} is not read: it is a copy of {file.name.rpartition('.')[0]}" for file in copies]
    return [file for file in files if file not in copies], remarks


def _rotated_remarks(files: list[LogFile]) -> list[str]:
    """Says which rotated files are next to a log and not read (kube-apiserver names them STEM-TIME.SUFFIX)."""
    given = {file.path.resolve() for file in files if file.path}
    remarks = []
    for path in sorted(given):
        if "-20" in path.stem:
            continue
        ending = f"{glob.escape(path.suffix)}*" if path.suffix else ""
        rotated = set(path.parent.glob(f"{glob.escape(path.stem)}-20*{ending}")) - given
        if rotated:
            several = "files are" if len(rotated) > 1 else "file is"
            remarks.append(f"{len(rotated)} rotated {several} next to {path.name} and not read: give the folder")
    return remarks
