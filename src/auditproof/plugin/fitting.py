"""Lines for the width of a terminal: in full if they fit on a screen, otherwise each cut to one line. Pure."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

VISIBLE = 16  # lines of a screen of 24, next to the decision and pytest's own
NARROWEST = 20  # columns; below, nothing is gained by wrapping
_PATH = "report: "  # how a line begins that is copied as a whole


def in_full(lines: Sequence[str], width: int) -> list[str]:
    """Each line in as many lines as ``width`` columns need; 0 is no terminal, which needs no width."""
    return [part for line in lines for part in _wrapped(line, width)]


def on_a_screen(lines: Sequence[str], width: int) -> list[str]:
    """The lines in full if all of them are visible at once then; otherwise each cut to ``width`` columns."""
    whole = in_full(lines, width)
    return whole if len(whole) <= VISIBLE else [_cut(line, width) for line in lines]


def _wrapped(line: str, width: int) -> list[str]:
    if width < NARROWEST or len(line) < width or line.startswith(_PATH):
        return [line]
    return textwrap.wrap(
        line, width - 1, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False, tabsize=1
    )


def _cut(line: str, width: int) -> str:
    return line if line.startswith(_PATH) or not 0 < width < len(line) else f"{line[: width - 1]}…"
