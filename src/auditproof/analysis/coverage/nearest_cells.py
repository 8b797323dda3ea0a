"""The cells of a space that a policy does not distinguish, the nearest to a condition of a rule first. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.analysis.space import PathCell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditproof.analysis.coverage.near_miss import Relaxed
    from auditproof.analysis.space import Cell, Space

Near = tuple[tuple[int, int], int, "Cell"]  # distance, and the place of the cell's group in the space


class NearestCells:
    """The cells of a space whose first ``count`` rules are a policy's, followed by ``relaxed`` ones.

    ``relaxed`` has the relaxed rules that cells meet, by the mask of the policy's rules that they meet.
    """

    def __init__(self, space: Space, relaxed: Sequence[Relaxed], count: int) -> None:
        self.relaxed: dict[int, int] = {}
        self._space = space
        self._count = count
        self._nearness = [_Nearness.to(one) for one in relaxed]
        self._alike: dict[int, list[tuple[int, int]]] = {}
        for place, mask in enumerate(space.cells):
            own = mask & ((1 << count) - 1)
            self.relaxed[own] = self.relaxed.get(own, 0) | mask >> count
            self._alike.setdefault(own, []).append((place, mask))
        self._ranked: dict[tuple[int, _Nearness], list[tuple[Near, int]]] = {}
        self._nearest: dict[tuple[int, int], list[Near]] = {}

    def nearest(self, mask: int, number: int) -> list[Near]:
        """Those that meet of the policy's rules ``mask``, and the relaxed rule ``number``; one of each group."""
        if (mask, number) not in self._nearest:
            bit = 1 << self._count + number
            ranked = self._by_distance(mask, self._nearness[number])
            self._nearest[mask, number] = [near for near, met in ranked if met & bit]
        return self._nearest[mask, number]

    def _by_distance(self, mask: int, nearness: _Nearness) -> list[tuple[Near, int]]:
        """The nearest cell of each group, with the rules that it meets."""
        if (mask, nearness) not in self._ranked:
            found = [(nearness.nearest(self._space.cells[met], place), met) for place, met in self._alike[mask]]
            self._ranked[mask, nearness] = sorted(found, key=lambda pair: pair[0][:2])
        return self._ranked[mask, nearness]


@dataclass(frozen=True, slots=True)
class _Nearness:
    """What is near to a condition: a path to a path, a subresource to the same resource, resources of one group."""

    path: bool
    groups: frozenset[str]
    bases: frozenset[tuple[str, str]] | None  # None: any resource is equally near

    @staticmethod
    def to(relaxed: Relaxed) -> _Nearness:
        """To the condition that the relaxed rule lacks."""
        path, entries = relaxed.condition == "nonResourceURLs", relaxed.rule.resources
        if relaxed.condition != "resources":
            return _Nearness(path, frozenset(), None)
        bases = frozenset((entry.group, name.partition("/")[0]) for entry in entries for name in entry.resources)
        return _Nearness(path, frozenset(entry.group for entry in entries), bases)

    def nearest(self, cells: Sequence[Cell], place: int) -> Near:
        """The nearest of some cells."""
        distance, cell = min((((cell.standing, self._far(cell)), cell) for cell in cells), key=lambda pair: pair[0])
        return distance, place, cell

    def _far(self, cell: Cell) -> int:
        if isinstance(cell, PathCell):
            return 0 if self.path else 4
        if self.path:
            return 4
        target = cell.targets[0]
        if self.bases is None or (target.group, target.resource) in self.bases:
            return 0
        return (1 if target.group in self.groups else 2) + (0 if target.known else 1)
