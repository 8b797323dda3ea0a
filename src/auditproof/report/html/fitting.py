"""What fits on a printed page: every part gets some of its rows, the most important ones more. Pure."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Generic, TypeVar
from unicodedata import east_asian_width

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

T = TypeVar("T")
_SPACE, _BOLD, _USUAL = 0.32, 1.12, 0.615
_WIDTHS = {0.28: "ijl", 0.34: ".,:;/!|'() -", 0.4: "frt", 0.53: "csz_", 0.7: "ABCEFGHKLNPQRSTUVXYZDO", 0.95: "mwMW@%…"}
_NARROW = {letter: width for width, letters in _WIDTHS.items() for letter in letters}
_PIECE = re.compile(r"[^-/]*[-/]+|[^-/]+")
HEAD = 2.0  # lines of a heading
MORE = 1.3  # lines of a row that says how many more there are


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    """Rows of which as many as fit are ``shown``, and ``more`` are not."""

    shown: tuple[T, ...] = ()
    more: int = 0

    def lines(self, height: Callable[[T], float], head: float = HEAD) -> float:
        """How many lines it takes, if a row takes ``height`` lines."""
        if not self.shown and not self.more:
            return 0
        return head + sum(map(height, self.shown)) + (MORE if self.more else 0)


def fitting(
    lines: float, parts: Mapping[str, Sequence[T]], height: Callable[[T], float], *, head: float = HEAD
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


def lines_of(text: str, width: float, *, bold: bool = False) -> int:
    """How many lines a text takes that is broken at ``width`` em, after spaces, hyphens and slashes; at least one.

    Measured in a wide font: in most others, text takes less room.

    >>> lines_of("a word or two", 4), lines_of("a word or two", 9), lines_of("", 4)
    (2, 1, 1)
    """
    return sum(_broken(line, width / (_BOLD if bold else 1)) for line in text.splitlines()) or 1


def _broken(line: str, width: float) -> int:
    lines, used = 1, 0.0
    for word in line.split():
        used += _SPACE if used else 0
        for piece in _PIECE.findall(word):
            takes = sum(map(_letter, piece))
            if used + takes > width and used:
                lines, used = lines + 1, 0.0
            lines, used = lines + int((used + takes) // width), (used + takes) % width
    return lines


def _letter(letter: str) -> float:
    """The width of a letter in em."""
    return _NARROW.get(letter) or (1 if east_asian_width(letter) in "WF" else _USUAL)


def clipped(text: str, length: int) -> str:
    """The text, or its beginning with an ellipsis: of at most ``length`` letters, or fewer wide ones, on one line.

    >>> clipped("one two three", 9)
    'one two …'
    """
    one_line = " ".join(text.split())
    widths = list(accumulate(max(1, _letter(letter) / _USUAL) for letter in one_line))
    if not widths or widths[-1] <= length:
        return one_line
    end = bisect_right(widths, length - 2)
    cut = one_line[:end]
    return f"{cut.rpartition(' ')[0] if ' ' in cut[end // 2 :] else cut.rstrip()} …".lstrip()
