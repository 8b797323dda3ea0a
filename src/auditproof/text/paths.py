"""Paths from user input: checking them never raises, whatever they contain."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def path_of(text: str) -> Path:
    """Return the path with ``~`` expanded; if the user or path cannot exist, a path to no file."""
    # Path.expanduser raises RuntimeError if there is no such user.
    return Path(os.path.expanduser(text.replace("\0", "\\0")))  # noqa: PTH111 - see above


def is_file(path: Path) -> bool:
    """Whether the file exists; false if the name is too long (Path.is_file raises OSError then)."""
    return os.path.isfile(path)  # noqa: PTH113 - see above


def is_folder(path: Path) -> bool:
    """Whether there is a folder; a name that is too long is none."""
    return os.path.isdir(path)  # noqa: PTH112 - as is_file


def files_of(path: Path) -> list[Path]:
    """The files behind a path: those of a folder by name, but none that begins with a dot; else the file itself.

    There are none in a folder that cannot be read.
    """
    if not is_folder(path):
        return [path]
    try:
        return sorted(each for each in path.iterdir() if each.is_file() and not each.name.startswith("."))
    except OSError:
        return []


def is_pipe(path: Path) -> bool:
    """Whether there is something to read that is neither file nor folder, as a shell's ``<(...)``."""
    return os.path.exists(path) and not is_file(path) and not is_folder(path)  # noqa: PTH110 - as is_file


def names_beside(path: Path) -> list[str]:
    """Return the names in the folder of ``path``; empty if the folder does not exist or cannot be read."""
    try:
        return [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return []


def shown_path(path: Path, folders: tuple[Path, ...]) -> str:
    """A path as messages show it: relative to the first of ``folders`` that contains it."""
    return next((str(path.relative_to(folder)) for folder in folders if path.is_relative_to(folder)), str(path))


def path_below(root: Path, shown: str, folders: Iterable[Path]) -> str:
    """The path from ``root`` of a file that is shown as ``shown``; empty if there is no such file below it.

    It is looked for in each of ``folders``. A link keeps its name: only its folder is resolved.
    """
    found = next((folder / shown for folder in folders if shown and is_file(folder / shown)), None)
    file = found.parent.resolve() / found.name if found else None
    return file.relative_to(root).as_posix() if file and file.is_relative_to(root) else ""
