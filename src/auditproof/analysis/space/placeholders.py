"""Values that represent "anything else": readable names that no rule mentions."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


def fresh(wanted: str, taken: Collection[str]) -> str:
    """``wanted``, or ``wanted`` with the first number appended that is not ``taken``."""
    number, name = 1, wanted
    while name in taken:
        number += 1
        name = f"{wanted}-{number}"
    return name
