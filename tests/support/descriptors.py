"""What a running process has open."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def descriptors(pid: int) -> dict[int, str]:
    """The number of every open descriptor of a process, and what it stands for.

    A process goes on opening and closing while it is looked at: a descriptor that is gone by then is left out.
    """
    found: dict[int, str] = {}
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found[int(entry.name)] = str(entry.readlink())
    return found
