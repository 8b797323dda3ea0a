"""What fits on a printed page: every part gets some of its rows, the most important ones more. Pure."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Generic, TypeVar
from unicodedata import east_asian_width

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

T = TypeVar("T")
_WIDE = 1.6
MORE = 1.3  # lines of a row that says how many more there are


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    """Rows of which as many as fit are ``shown``, and ``more`` are not."""

    shown: tuple[T, ...] = ()
    more: int = 0


def fitting(
    lines: float, parts: Mapping[str, Sequence[T]], height: Callable[[T], float], *, head: float = 2
) -> dict[str, Part[T]]:
    """As many rows of each part as fit into ``lines`` together; a row takes ``height`` lines, a part ``head`` more.

    The parts come in the order of importance, and so do their rows. Each gets its first row if there is room, then its
    second, and so on: a part with many rows takes what the others leave. A part of which rows are left out takes MORE
    lines to say so.

    >>> shown = fitting(10, {"a": "wxyz", "b": "v"}, lambda _: 1.0)
    >>> {name: (part.shown, part.more) for name, part in shown.items()}
    {'a': (('w', 'x', 'y', 'z'), 0), 'b': (('v',), 0)}
    >>> fitting(8, {"a": "wxyz", "b": "v"}, lambda _: 1.0)["a"]
    Part(shown=('w',), more=3)
    """
    wanted = {name: list(rows) for name, rows in parts.items() if rows}
    taken = dict.fromkeys(wanted, 0)
    left = lines - (head + MORE) * len(wanted)
    for place in range(max(map(len, wanted.values()), default=0)):
        for name, rows in wanted.items():
            if taken[name] != place or place >= len(rows):
                continue
            takes = height(rows[place]) - (MORE if place == len(rows) - 1 else 0)
            if takes <= left:
                left -= takes
                taken[name] += 1
    return {
        name: Part(tuple(rows[: taken.get(name, 0)]), len(rows) - taken.get(name, 0)) for name, rows in parts.items()
    }


def lines_of(text: str, width: float) -> int:
    """How many lines a text takes that is ``width`` letters wide; at least one.

    >>> lines_of("a word or two", 8), lines_of("", 8)
    (2, 1)
    """
    return sum(max(1, math.ceil(_width(line) / width)) for line in text.splitlines()) or 1


def _width(text: str) -> float:
    """The width of a text in letters of average width."""
    return sum(map(_letter, text))


def _letter(letter: str) -> float:
    return _WIDE if letter in "mwMW@%" else 2 if east_asian_width(letter) in "WF" else 1


def clipped(text: str, length: int) -> str:
    """The text, or its beginning with an ellipsis: as wide as at most ``length`` letters, on one line.

    >>> clipped("one two three", 9)
    'one two …'
    """
    one_line = " ".join(text.split())
    if _width(one_line) <= length:
        return one_line
    end = bisect_right(list(accumulate(map(_letter, one_line))), length - 2)
    cut = one_line[:end]
    return f"{cut.rpartition(' ')[0] if ' ' in cut[end // 2 :] else cut.rstrip()} …".lstrip()
