"""The bits of a bitmask, of which the space has many. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def bits(mask: int) -> Iterator[int]:
    """Each bit of a bitmask, the lowest first; ``mask`` must not be negative."""
    while mask:
        bit = mask & -mask
        mask ^= bit
        yield bit
