"""Values that stand for "anything else": readable names that no rule mentions."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


def fresh(wanted: str, taken: Collection[str]) -> str:
    """``wanted``, or with a number behind it the first that is not ``taken``."""
    number, name = 1, wanted
    while name in taken:
        number += 1
        name = f"{wanted}-{number}"
    return name


def literal(values: Collection[str]) -> list[str]:
    """The values that somebody or something can be called, each once: not empty, and no glob.

    The server compares exactly, so a value with a ``*`` in it would need a namesake with a ``*`` in its name.
    """
    return [value for value in dict.fromkeys(values) if value and "*" not in value]


def segments(values: Collection[str]) -> list[str]:
    """The literal values that can be a segment of a URL's path: a ``/``, however it is escaped, would split them."""
    return [value for value in literal(values) if "/" not in value]
