"""How far a server's clock is ahead of ours: known where both are one machine, else measured by the events. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    Offsets = Sequence[tuple[timedelta, timedelta]]

TOLERANCE = timedelta(milliseconds=50)  # what a clock that is slewed may drift in the minutes of a batch
PRECISION = timedelta(milliseconds=2)  # of one clock, read by two programs
_EVER = timedelta(days=36500)


@dataclass(frozen=True, slots=True)
class Clock:
    """The server's clock is ahead of ours by ``least`` to ``most``; a clock that is behind has negative ones."""

    least: timedelta = -PRECISION
    most: timedelta = PRECISION

    def text(self) -> str:
        """The offset in words; empty where both clocks are as good as one."""
        if self.least <= timedelta() <= self.most:
            return ""  # UNKNOWN, too: then nothing was compared
        middle = (self.least + self.most) / 2
        way = "ahead of" if middle > timedelta() else "behind"
        apart = (self.most - self.least) / 2
        return f"the server's clock is {_seconds(abs(middle))} {way} ours, give or take {_seconds(apart)}"


SAME = Clock()
UNKNOWN = Clock(-_EVER, _EVER)


def measured(offsets: Offsets, tolerance: timedelta = TOLERANCE) -> Clock:
    """The offset on which most exchanges agree; each says between what it must be. UNKNOWN without any.

    A request was received after it was sent and before its answer had ended, by the server's clock: so every exchange
    bounds the offset. Those that do not agree with the others are not of their exchange, or the clock has jumped.
    """
    if not offsets:
        return UNKNOWN
    edges = sorted([(least, 0) for least, _ in offsets] + [(most, 1) for _, most in offsets])
    agreeing, best, bounds = 0, 0, (timedelta(), timedelta())
    for n, (edge, closes) in enumerate(edges):
        agreeing += -1 if closes else 1
        if agreeing > best:
            best, bounds = agreeing, (edge, edges[n + 1][0])
    return Clock(bounds[0] - tolerance, bounds[1] + tolerance)


def _seconds(span: timedelta) -> str:
    return f"{span.total_seconds():.3f} s"
