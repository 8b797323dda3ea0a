"""Near misses: requests that meet every condition of a rule except one, and that the rule would decide without it.

For each condition of each rule the space gets a relaxed copy of the rule, without this condition. A class that meets
the relaxed rule but not the rule itself, and that no earlier rule decides, demonstrates the effect of the condition.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from auditproof.analysis.space import PathCell, Space
from auditproof.analysis.space.bitmask import bits
from auditproof.analysis.space.joint import joint_decisions
from auditproof.audit.decide import decided_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.analysis.space import Cell, Region
    from auditproof.analysis.space.joint import JointDecision
    from auditproof.audit.policy.load import Policy, PolicyRule
    from auditproof.kube.attributes import Attributes
    from auditproof.kube.discovery import Served


@dataclass(frozen=True, slots=True)
class Relaxed:
    """A rule without one of its conditions; ``condition`` is its field in audit.k8s.io/v1."""

    rule: PolicyRule
    condition: str
    without: PolicyRule


def relaxed_rules(policy: Policy) -> tuple[Relaxed, ...]:
    """Every rule without each of its conditions."""
    return tuple(Relaxed(rule, name, without) for rule in policy.rules for name, without in _without(rule))


def _without(rule: PolicyRule) -> Iterator[tuple[str, PolicyRule]]:
    if rule.users:
        yield "users", replace(rule, users=())
    if rule.user_groups:
        yield "userGroups", replace(rule, user_groups=())
    if rule.verbs:
        yield "verbs", replace(rule, verbs=())
    if rule.namespaces:
        yield "namespaces", replace(rule, namespaces=())
    if rule.resources:
        yield "resources", replace(rule, resources=())
    if any(entry.resource_names for entry in rule.resources):
        unnamed = tuple(replace(entry, resource_names=()) for entry in rule.resources)
        yield "resourceNames", replace(rule, resources=unnamed)
    if rule.non_resource_urls:
        yield "nonResourceURLs", replace(rule, non_resource_urls=())


def near_misses(policy: Policy, served: Served) -> dict[tuple[int, str], list[Attributes]]:
    """Requests that miss a condition, by rule and condition, the most informative first; pairs without any are absent.

    Most informative is a request that is recorded differently from what the rule says, and that an ordinary client can
    send.
    """
    relaxed = relaxed_rules(policy)
    count = len(policy.rules)
    space = Space.of([*policy.rules, *(one.without for one in relaxed)], served)
    decisions = [replace(decided_by(policy, rule), rule=None) for rule in (*policy.rules, None)]
    nears = [_Near(one) for one in relaxed]
    before = [1 << count]  # for the index of each rule, and none: the first relaxed rule that does not come before it
    for index in range(count):
        before.append(before[-1] << sum(one.rule.index == index for one in relaxed))
    considered = [first - before[0] for first in before]
    kinds = [decisions.index(one) for one in decisions]
    found = [_Best() for _ in relaxed]
    place = {mask: number for number, mask in enumerate(space.cells)}
    ordinary = {id(one): (one.standing, one.failed) for one in space.identities.classes}
    closed, worse = 0, defaultdict[tuple[int, int, bool, int], int](int)  # relaxed rules for which no better one comes
    for outcome in joint_decisions(space, count):
        deciding = count if outcome.deciding is None else outcome.deciding
        left = outcome.met & considered[deciding] & ~closed
        if not left:
            continue
        standing, failed = ordinary[id(outcome.identity)]
        first, cells = outcome.identities & -outcome.identities, place[outcome.cells[0].mask]
        # Later outcomes are of later identities and cells: those of the same rank are no better.
        about = kinds[deciding], standing, failed, cells
        for bit in bits(left & ~worse[about]):
            number = bit.bit_length() - 1 - count
            best = found[number]
            same = kinds[deciding] == kinds[relaxed[number].rule.index]
            far, cell = nears[number].best(outcome)
            key = same, standing, far, failed, first, cells
            if best.takes(key):
                region = _missing(space, outcome, relaxed[number])
                if region is not None and region.possible():
                    best.add(key, (key[:4], outcome.identities, cells, region, cell))
            else:
                worse[about] |= bit
                closed |= bit if best.is_perfect() else 0
    return {
        (one.rule.index, one.condition): [
            cell.attributes(space.identities.user(space.identities.classes[first], region))
            for _, first, _, region, cell in some.apart()
        ]
        for one, some in zip(relaxed, found, strict=True)
        if some.candidates
    }


Rank = tuple[bool, int, tuple[int, int], bool]
Key = tuple[
    bool, int, tuple[int, int], bool, int, int
]  # rank, the first of the identities as a bit, place of the cells
Candidate = tuple[Rank, int, int, "Region", "Cell"]  # with the identities as a bitmask, and the place of the cells
_PERFECT = (False, 0, (0, 0), False)
_KEPT = 8  # candidates; if none of these can be sent, no further one can


class _Best:
    """The best candidates by rank, identity and cell, in this order; of equals the first ones."""

    def __init__(self) -> None:
        self.candidates: list[Candidate] = []
        self._keys: list[Key] = []

    def takes(self, key: Key) -> bool:
        """Whether a candidate with this key is among the best."""
        return len(self._keys) < _KEPT or key < self._keys[-1]

    def is_perfect(self) -> bool:
        """Whether no candidate has a better rank than the worst of these."""
        return len(self._keys) == _KEPT and self._keys[-1][:4] == _PERFECT

    def add(self, key: Key, candidate: Candidate) -> None:
        """Add a candidate; the worst one goes if there are too many."""
        place = bisect_right(self._keys, key)
        self._keys.insert(place, key)
        self.candidates.insert(place, candidate)
        del self._keys[_KEPT:], self.candidates[_KEPT:]

    def apart(self) -> list[Candidate]:
        """The best, each with the place of one identity instead of several as bits."""
        apart = (
            (rank, bit.bit_length() - 1, place, region, cell)
            for rank, identities, place, region, cell in self.candidates
            for bit in islice(bits(identities), _KEPT)
        )
        return heapq.nsmallest(_KEPT, apart, lambda one: one[:3])


def _missing(space: Space, outcome: JointDecision, relaxed: Relaxed) -> Region | None:
    """The group sets with which requests that meet the relaxed rule miss the rule itself; None: never."""
    index, of_groups = relaxed.rule.index, relaxed.condition == "userGroups"
    if bool(outcome.met >> index & 1) != of_groups:
        return None
    wanted = space.identities.wanted[index]
    if of_groups:
        return outcome.region.without(wanted)
    return outcome.region.having(wanted) if wanted else outcome.region


class _Near:
    """The nearest cell to a condition: a path for a path, a subresource of the same resource, the same group."""

    def __init__(self, relaxed: Relaxed) -> None:
        self._path = relaxed.condition == "nonResourceURLs"
        self._of_resources = relaxed.condition == "resources"
        entries = relaxed.rule.resources
        self._groups = {entry.group for entry in entries}
        self._bases = {(entry.group, name.partition("/")[0]) for entry in entries for name in entry.resources}
        self._best: dict[int, tuple[tuple[int, int], Cell]] = {}

    def best(self, outcome: JointDecision) -> tuple[tuple[int, int], Cell]:
        """The distance of the outcome's nearest cell, and that cell."""
        mask = outcome.cells[0].mask
        if mask not in self._best:
            ranked = [((cell.standing, self._far(cell)), cell) for cell in outcome.cells]
            self._best[mask] = min(ranked, key=lambda pair: pair[0])
        return self._best[mask]

    def _far(self, cell: Cell) -> int:
        if isinstance(cell, PathCell):
            return 0 if self._path else 4
        if self._path:
            return 4
        target = cell.targets[0]
        if not self._of_resources or (target.group, target.resource) in self._bases:
            return 0
        return (1 if target.group in self._groups else 2) + (0 if target.known else 1)
