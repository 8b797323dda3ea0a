"""Paths that a user has written down: whatever they are, asking for what is there raises nothing."""

from __future__ import annotations

import os
from pathlib import Path


def path_of(text: str) -> Path:
    """A path with ``~`` as the user's own folder; where no such user or path can be, it leads to no file."""
    # Path.expanduser raises RuntimeError where there is no such user.
    return Path(os.path.expanduser(text.replace("\0", "\\0")))  # noqa: PTH111


def is_file(path: Path) -> bool:
    """Whether there is a file; a name that is too long is none (Path.is_file raises OSError there)."""
    return os.path.isfile(path)  # noqa: PTH113


def names_beside(path: Path) -> list[str]:
    """The names in the folder in which a file would be; none where there is no such folder, or it cannot be read."""
    try:
        return [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return []
