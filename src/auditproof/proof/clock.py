"""How far a server's clock is ahead of the client's: zero on the same machine, else measured by the events. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    Offsets = Sequence[tuple[timedelta, timedelta]]

TOLERANCE = timedelta(milliseconds=50)  # how far a slewed clock may drift in the minutes of a batch
PRECISION = timedelta(milliseconds=2)  # of one clock, read by two programs
_EVER = timedelta(days=36500)


@dataclass(frozen=True, slots=True)
class Clock:
    """The server's clock is ahead by ``least`` to ``most``; both are negative for a clock that is behind."""

    least: timedelta = -PRECISION
    most: timedelta = PRECISION

    def text(self) -> str:
        """The offset in words; empty if the clocks agree."""
        if self.least <= timedelta() <= self.most:
            return ""  # also for UNKNOWN: nothing was compared
        middle = (self.least + self.most) / 2
        way = "ahead of" if middle > timedelta() else "behind"
        apart = (self.most - self.least) / 2
        return f"the server's clock is {_seconds(abs(middle))} {way} ours, give or take {_seconds(apart)}"


SAME = Clock()
UNKNOWN = Clock(-_EVER, _EVER)


def measured(offsets: Offsets, tolerance: timedelta = TOLERANCE) -> Clock:
    """The offset on which most exchanges agree, widened by ``tolerance``; UNKNOWN without any exchange.

    Each offset is the least and the most that one exchange allows: the server received the request after it was sent
    and before its response had ended. An exchange that disagrees with the majority has events of another request, or
    the clock has jumped.
    """
    if not offsets:
        return UNKNOWN
    # A sweep over the ends of all intervals: the span in which most of them overlap.
    edges = sorted([(least, 0) for least, _ in offsets] + [(most, 1) for _, most in offsets])
    agreeing, best, bounds = 0, 0, (timedelta(), timedelta())
    for n, (edge, closes) in enumerate(edges):
        agreeing += -1 if closes else 1
        if agreeing > best:
            best, bounds = agreeing, (edge, edges[n + 1][0])
    return Clock(bounds[0] - tolerance, bounds[1] + tolerance)


def _seconds(span: timedelta) -> str:
    return f"{span.total_seconds():.3f} s"
