"""The decisions about a whole space, several identity classes at a time.

Most rules name a few users, so most identity classes meet the same rules in a cell. A long policy has a million pairs
of an identity class and a cell, and a few thousand different decisions about them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from auditproof.analysis.space.bitmask import bits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.analysis.space.cells import Cell
    from auditproof.analysis.space.identities import IdentityClass, Region
    from auditproof.analysis.space.space import Space


class JointDecision(NamedTuple):  # there are hundreds of thousands: a dataclass takes three times as long
    """The decision about requests of several equally ordinary identity classes with the same groups.

    ``identities`` has a bit for each class, by its place in ``Identities.classes``; ``identity`` is the first of them.
    ``met`` are the rules whose conditions, apart from groups, the requests meet; ``deciding`` is the deciding rule.
    """

    identities: int
    identity: IdentityClass
    region: Region
    cells: tuple[Cell, ...]
    met: int
    deciding: int | None

    @property
    def oddness(self) -> tuple[int, int, bool]:
        """Sort key, the most ordinary first: by the request, by its user, failed logins last."""
        return self.cells[0].standing, self.identity.standing, self.identity.failed


def joint_decisions(space: Space) -> tuple[JointDecision, ...]:
    """The whole space, divided by the rule that decides; in the order of the first identity class, then of the cells.

    So whatever holds for a first class of ``space.outcomes()`` holds here for the first decision with it.
    """
    found = [one for alike in equally_ordinary(space) for one in _decisions(space, alike)]
    return tuple(sorted(found, key=lambda one: one.identities & -one.identities))


class Alike:
    """Identity classes that differ only in the rules that name them; sets of them have a bit for each."""

    def __init__(self, numbered: list[tuple[int, IdentityClass]]) -> None:
        self.everyone = sum(1 << number for number, _ in numbered)
        self.region = numbered[0][1].region
        self.standing, self.failed = numbered[0][1].standing, numbered[0][1].failed
        self.by_number = dict(numbered)
        self.common = -1
        for _, identity in numbered:
            self.common &= identity.mask
        self._naming: dict[int, int] = {}  # the classes that meet a rule which not all of them meet
        for number, identity in numbered:
            for rule in bits(identity.mask & ~self.common):
                self._naming[rule] = self._naming.get(rule, 0) | 1 << number
        self._named = sum(self._naming)
        self._by_met: dict[int, tuple[tuple[int, int], ...]] = {}

    def who_meet(self, rule: int) -> int:
        """The identity classes whose users meet a rule, given as a bit."""
        return self.everyone if rule & self.common else self._naming.get(rule, 0)

    def by_met(self, mask: int) -> tuple[tuple[int, int], ...]:
        """The rules of ``mask`` that identity classes meet, with the classes."""
        mask &= self.common | self._named  # many cells differ in other rules only
        if mask not in self._by_met:
            self._by_met[mask] = tuple(self._divided(mask))
        return self._by_met[mask]

    def _divided(self, mask: int) -> Iterator[tuple[int, int]]:
        named = 0
        for rule in bits(mask & self._named):
            named |= self._naming[rule]
        found: dict[int, int] = {mask & self.common: self.everyone & ~named} if self.everyone != named else {}
        for bit in bits(named):
            met = mask & self.by_number[bit.bit_length() - 1].mask
            found[met] = found.get(met, 0) | bit
        yield from found.items()


def equally_ordinary(space: Space) -> Iterator[Alike]:
    """All identity classes, those together that are equally ordinary and can have the same groups."""
    grouped: dict[tuple[Region, int, bool], list[tuple[int, IdentityClass]]] = {}
    for number, identity in enumerate(space.identities.classes):
        grouped.setdefault((identity.region, identity.standing, identity.failed), []).append((number, identity))
    yield from map(Alike, grouped.values())


def _decisions(space: Space, alike: Alike) -> Iterator[JointDecision]:
    known: dict[int, tuple[tuple[int | None, Region], ...]] = {}
    for mask, cells in space.cells.items():
        for met, identities in alike.by_met(mask):
            if met not in known:
                known[met] = tuple(space.first_matches(met, alike.region, (0, len(space.rules))))
            first = alike.by_number[(identities & -identities).bit_length() - 1]
            for deciding, region in known[met]:
                yield JointDecision(identities, first, region, cells, met, deciding)
