"""What begins requests: timers, and people and programs that act at random.

A story is a sequence of calls that belong together, such as the start of a pod: they share the values of their slots.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditproof.replay.generator.call import Call

Story = tuple[tuple[float, "Call"], ...]  # each with its delay in seconds

HOURS = (2, 2, 1, 1, 1, 2, 4, 8, 15, 22, 24, 23, 19, 21, 24, 23, 21, 16, 10, 7, 5, 4, 3, 2)  # how busy people are
BUSIEST = 24
WEEKEND = 0.2  # of what they do on other days
ALL_DAY = sum(HOURS) / BUSIEST / len(HOURS)
ALL_WEEK = ALL_DAY * (5 + 2 * WEEKEND) / 7


@dataclass(frozen=True, slots=True)
class Source:
    """Stories of which one begins every so many seconds, on average.

    ``stories`` have a weight each. A ``timer`` keeps its interval, with little jitter; a ``watch`` begins again when
    it ends; what is neither happens at random. ``daily`` follows the working day: ``every`` is the busiest hour's.
    """

    every: float
    stories: tuple[tuple[float, Story], ...]
    timer: bool = False
    watch: bool = False
    daily: bool = False

    @property
    def per_second(self) -> float:
        """Stories a second, over a whole week."""
        return (ALL_WEEK if self.daily else 1.0) / self.every


def timer(every: float, *calls: Call) -> Source:
    """Calls that a program repeats regularly."""
    return Source(every, ((1.0, tuple((0.01 * place, call) for place, call in enumerate(calls))),), timer=True)


def at_random(every: float, *stories: tuple[float, Story], daily: bool = True) -> Source:
    """Stories without a timetable; without ``daily``, as many at night as by day."""
    return Source(every, stories, daily=daily)


def busy(second: int) -> float:
    """How busy people are at this second of a week that begins on Monday at 00:00: 1 is the busiest hour."""
    day, second = divmod(second % (7 * 86400), 86400)
    return HOURS[second // 3600] / BUSIEST * (WEEKEND if day >= 5 else 1.0)
