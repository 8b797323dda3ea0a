"""The texts of the files, in which ``@NAME@`` stands for a value."""

from __future__ import annotations

import re
from pathlib import Path

_FOLDER = Path(__file__).parent / "templates"
_VALUE = re.compile(r"@([A-Z]+)@")


def filled(name: str, **values: str) -> str:
    """The template ``name`` with the values in it, each word for word.

    A line that consists of a value is left out if the value is empty. Raises KeyError if a value is missing.
    """
    lines = []
    for line in (_FOLDER / name).read_text(encoding="utf-8").splitlines():
        text = _VALUE.sub(lambda found: values[found[1]], line)
        if text or not _VALUE.fullmatch(line):
            lines.append(text)
    return "\n".join(lines) + "\n"
