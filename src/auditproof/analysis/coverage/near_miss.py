"""Near misses: requests that meet every condition of a rule except one, and that the rule would decide without it.

For each condition of each rule the space gets a relaxed copy of the rule, without this condition. A class that meets
the relaxed rule but not the rule itself, and that no earlier rule decides, demonstrates the effect of the condition.

Most relaxed rules meet cells that the policy's own rules do not distinguish. So the decisions are those of the policy's
rules, and for each of them the nearest cells of each relaxed rule are looked up.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from dataclasses import dataclass, replace
from itertools import accumulate, islice
from operator import or_
from typing import TYPE_CHECKING

from auditproof.analysis.coverage.nearest_cells import NearestCells
from auditproof.analysis.space import Space
from auditproof.analysis.space.bitmask import bits
from auditproof.analysis.space.joint import equally_ordinary
from auditproof.audit.decide import decided_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.analysis.space import Cell, Region
    from auditproof.analysis.space.joint import Alike
    from auditproof.audit.policy.load import Policy, PolicyRule
    from auditproof.kube.attributes import Attributes
    from auditproof.kube.discovery import Served


@dataclass(frozen=True, slots=True)
class Relaxed:
    """A rule without one of its conditions; ``condition`` is its field in audit.k8s.io/v1."""

    rule: PolicyRule
    condition: str
    without: PolicyRule

    @property
    def of_groups(self) -> bool:
        """Whether the groups of users are what no longer matters."""
        return self.condition == "userGroups"


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
    search = _Search(policy, served)
    for alike in equally_ordinary(search.space):
        search.consider(alike)
    identities = search.space.identities
    return {
        (one.rule.index, one.condition): [
            cell.attributes(identities.user(identities.classes[first], region))
            for _, first, _, region, cell in some.apart()
        ]
        for one, some in zip(search.relaxed, search.found, strict=True)
        if some.candidates
    }


class _Search:
    """The best near misses so far, by relaxed rule. A bitmask of relaxed rules has a bit for each of ``relaxed``."""

    def __init__(self, policy: Policy, served: Served) -> None:
        self.relaxed = relaxed_rules(policy)
        self.space = Space.of([*policy.rules, *(one.without for one in self.relaxed)], served)
        self.found = [_Best() for _ in self.relaxed]
        self._count = len(policy.rules)
        decisions = [replace(decided_by(policy, rule), rule=None) for rule in (*policy.rules, None)]
        self._kinds = [decisions.index(one) for one in decisions]  # by deciding rule, the last for none
        self._of = [0] * self._count  # the relaxed rules of each rule
        for number, one in enumerate(self.relaxed):
            self._of[one.rule.index] |= 1 << number
        self._before = list(accumulate(self._of, or_, initial=0))  # those of the rules before each rule
        self._groups = sum(1 << number for number, one in enumerate(self.relaxed) if one.of_groups)
        self._cells = NearestCells(self.space, self.relaxed, self._count)

    def consider(self, alike: Alike) -> None:
        """Keep the near misses of these identity classes that are among the best."""
        for mask, relaxed in self._cells.relaxed.items():
            for met, identities in alike.by_met(mask):
                missed = relaxed & self._missed(met)
                for deciding, region in self.space.first_matches(met, alike.region, (0, self._count)):
                    last = self._count if deciding is None else deciding
                    for bit in bits(missed & self._before[last]):
                        some = identities & alike.who_meet(bit << self._count)
                        if some:
                            self._add(bit.bit_length() - 1, last, mask, alike, some, region)

    def _missed(self, met: int) -> int:
        """The relaxed rules of those rules that requests do not meet; ``met`` are the rules met, whatever the groups.

        If the groups are what no longer matters, the requests must meet everything else.
        """
        found = 0
        for bit in bits(met):
            found |= self._of[bit.bit_length() - 1]
        return ~(found ^ self._groups)

    def _add(self, number: int, deciding: int, mask: int, alike: Alike, identities: int, region: Region) -> None:
        best, relaxed = self.found[number], self.relaxed[number]
        same, first = self._kinds[deciding] == self._kinds[relaxed.rule.index], identities & -identities
        missing: Region | None = None
        for far, place, cell in self._cells.nearest(mask, number):
            rank = same, alike.standing, far, alike.failed
            if not best.takes((*rank, first, place)):
                return  # neither are those that are farther
            missing = missing or self._missing(region, relaxed)
            if not missing.possible():
                return
            best.add((*rank, first, place), (rank, identities, place, missing, cell))

    def _missing(self, region: Region, relaxed: Relaxed) -> Region:
        """The group sets of ``region`` with which requests that meet the relaxed rule miss the rule itself."""
        wanted = self.space.identities.wanted[relaxed.rule.index]
        if relaxed.of_groups:
            return region.without(wanted)
        return region.having(wanted) if wanted else region


Rank = tuple[bool, int, tuple[int, int], bool]
Key = tuple[
    bool, int, tuple[int, int], bool, int, int
]  # rank, the first of the identities as a bit, place of the cells
Candidate = tuple[Rank, int, int, "Region", "Cell"]  # with the identities as a bitmask, and the place of the cells
_KEPT = 8  # candidates; if none of these can be sent, no further one can


class _Best:
    """The best candidates by rank, identity and cell, in this order; of equals the first ones."""

    def __init__(self) -> None:
        self.candidates: list[Candidate] = []
        self._keys: list[Key] = []

    def takes(self, key: Key) -> bool:
        """Whether a candidate with this key is among the best."""
        return len(self._keys) < _KEPT or key < self._keys[-1]

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
