"""The parts of the benchmark, each a group of ratios that are measured together. A new part is a line in PARTS."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Ratio:
    """A cost as a multiple of the cost of a ``unit``."""

    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class Part:
    """A part; ``measured_by`` is the module and function of this package that returns a Ratio for each name.

    ``cheap``: it starts no server and takes seconds. ``title`` is above its table in docs/performance.md.
    """

    name: str
    measured_by: str
    title: str
    cheap: bool

    def measure(self) -> dict[str, Ratio]:
        """Measure the part now."""
        module, function = self.measured_by.split(":")
        measure: Callable[[], dict[str, Ratio]] = getattr(import_module(f"tools.bench.{module}"), function)
        return measure()


PARTS = (
    Part("startup", "startup:measure", "Starting", cheap=True),
    Part("analysis", "analysis:measure", "Analysing a policy", cheap=True),
    Part("long", "analysis:measure_long", "Analysing a very long policy", cheap=False),
    Part("replay", "replay:measure", "Replaying a log", cheap=False),
    Part("proof", "proof:measure", "Proving", cheap=False),
    Part("cases", "cases:measure", "Many cases", cheap=False),
)


def chosen(names: list[str]) -> tuple[Part, ...]:
    """The parts with these names; ``cheap`` is all that are cheap, and no name is all of them.

    Raises ValueError for any other name.
    """
    known = [part.name for part in PARTS]
    if unknown := [name for name in names if name not in (*known, "cheap")]:
        raise ValueError(f'no part is called "{unknown[0]}"; choose from {", ".join([*known, "cheap"])}')
    return tuple(part for part in PARTS if not names or part.name in names or (part.cheap and "cheap" in names))
