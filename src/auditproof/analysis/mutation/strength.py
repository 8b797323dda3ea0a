"""Which mutants change what is recorded, and which of these a requirement or a case would catch.

All mutants of a rule are compared with all requirements in one space: of the policy's rules, the changed rules, and the
requirements' own. The rule that decides a request is the first bit of its class in the mutant's order.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.analysis.mutation.mutants import one_step_mutants
from auditproof.analysis.requirements.check import levels_of
from auditproof.analysis.space import Space
from auditproof.audit.decide import decide, decided_by
from auditproof.audit.effect import Effect, effect_of
from auditproof.audit.event import Level
from auditproof.audit.stages import emitted_stages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from auditproof.analysis.mutation.mutants import Mutant
    from auditproof.analysis.requirements import Requirement
    from auditproof.analysis.space import IdentityClass, Region
    from auditproof.audit.event import Stage
    from auditproof.audit.policy.load import Policy, PolicyRule
    from auditproof.kube.attributes import Attributes
    from auditproof.kube.discovery import Served


@dataclass(frozen=True, slots=True)
class Stated:
    """What a case states about a request: its level, the stages if given, and the HTTP ``status`` of the response."""

    name: str
    attributes: Attributes
    level: Level | None
    stages: frozenset[Stage] | None
    status: int

    def holds(self, policy: Policy) -> bool:
        """Whether ``policy`` records the request as stated."""
        decision = decide(policy, self.attributes)
        stages = emitted_stages(self.attributes, self.status) - decision.omit_stages
        recorded = decision.level if stages else Level.NONE
        if self.level is not None and recorded is not self.level:
            return False
        return self.stages is None or (recorded is not Level.NONE and stages == self.stages)


@dataclass(frozen=True, slots=True)
class Tried:
    """A mutant that changes what is recorded; ``noticed`` names the first requirement or case that catches it."""

    mutant: Mutant
    noticed: str


@dataclass(frozen=True, slots=True)
class Strength:
    """All mutants that change what is recorded."""

    tried: tuple[Tried, ...]

    @property
    def unnoticed(self) -> tuple[Tried, ...]:
        """The mutants that nothing catches."""
        return tuple(one for one in self.tried if not one.noticed)

    @property
    def score(self) -> float:
        """The fraction of mutants that is caught, from 0 to 1; 1 if there are none."""
        return 1 - len(self.unnoticed) / len(self.tried) if self.tried else 1.0


def strength(
    policy: Policy,
    requirements: Sequence[Requirement],
    stated: Sequence[Stated],
    served: Served,
    progress: Callable[[str], None] = lambda _: None,
) -> Strength:
    """Try every one-step mutant of ``policy``.

    A requirement catches a mutant if a class of requests leaves its bound; a case if its statement holds for the policy
    and not for the mutant. ``progress`` is called with a line of text per rule.
    """
    by_rule: dict[int | None, list[Mutant]] = defaultdict(list)
    for mutant in one_step_mutants(policy):
        by_rule[mutant.rule.index if mutant.rule else None].append(mutant)
    holding = [case for case in stated if case.holds(policy)]
    tried: list[Tried] = []
    for number, (rule, mutants) in enumerate(by_rule.items(), 1):
        about = "the policy" if rule is None else f"rule {rule + 1}"
        progress(f"{about} ({number} of {len(by_rule)}), {len(mutants)} mutants")
        tried += _Trial(policy, mutants, requirements, served).tried(holding)
    return Strength(tuple(tried))


@dataclass(frozen=True, slots=True)
class _Class:
    """Requests that neither policy, mutants nor requirements distinguish: the bits of the rules that match them."""

    mask: int
    failed: bool


class _Trial:
    """The mutants of one rule."""

    def __init__(
        self, policy: Policy, mutants: Sequence[Mutant], requirements: Sequence[Requirement], served: Served
    ) -> None:
        self._policy = policy
        self._mutants = mutants
        self._requirements = requirements
        self._changed = [one.policy.rules[one.order.index(None)] if None in one.order else None for one in mutants]
        own = [rule for rule in self._changed if rule is not None]
        asked = [rule for one in requirements for rule in (*one.excepted, *one.selected, *one.failed)]
        self._space = Space.of([*policy.rules, *own, *asked], served)
        self._first_asked = len(policy.rules) + len(own)
        self._classes = tuple(dict.fromkeys(self._all_classes()))
        self._scopes = {one: tuple(self._scope(one)) for one in self._classes}

    def tried(self, stated: Sequence[Stated]) -> Iterator[Tried]:
        """Each mutant that changes what is recorded."""
        number = len(self._policy.rules)
        for mutant, changed in zip(self._mutants, self._changed, strict=True):
            order = tuple(number if index is None else index for index in mutant.order)
            number += changed is not None
            found = self._noticed(mutant, order)
            if found is not None:
                yield Tried(mutant, found or next((case.name for case in stated if not case.holds(mutant.policy)), ""))

    def _noticed(self, mutant: Mutant, order: tuple[int, ...]) -> str | None:
        """The requirement that catches the mutant, empty if none does; None if the mutant changes nothing."""
        original = tuple(range(len(self._policy.rules)))
        before, after = _Effects(self._policy), _Effects(mutant.policy)
        changes = False
        for one in self._classes:
            old = before.of(_deciding(one.mask, original), one.failed)
            new = after.of(_deciding(one.mask, order), one.failed)
            if old == new:
                continue
            changes = True
            for requirement in self._scopes[one]:
                if _allows(requirement, old, one.failed) and not _allows(requirement, new, one.failed):
                    return requirement.id
        return "" if changes else None

    def _all_classes(self) -> Iterator[_Class]:
        """Classes of honest clients and served requests."""
        known: set[tuple[int, Region]] = set()
        served = [mask for mask, cells in self._space.cells.items() if any(cell.served for cell in cells)]
        for identity in self._space.identities.classes:
            if identity.honest:
                for mask in served:
                    if (key := (mask & identity.mask, identity.region)) not in known:
                        known.add(key)
                        yield from self._by_groups(identity, key[0])

    def _by_groups(self, identity: IdentityClass, mask: int) -> Iterator[_Class]:
        """A class for each way in which groups can meet the conditions of the rules in ``mask``."""
        wanting: dict[int, int] = defaultdict(int)
        left = mask
        while left:
            bit = left & -left
            left ^= bit
            if groups := self._space.identities.wanted[bit.bit_length() - 1]:
                wanting[groups] |= bit
        regions = [(identity.region, mask)]
        for groups, bits in wanting.items():
            split = [(r.having(groups), m) for r, m in regions] + [(r.without(groups), m & ~bits) for r, m in regions]
            regions = [(region, met) for region, met in split if region.possible()]
        for _, met in regions:
            yield _Class(met, identity.failed)

    def _scope(self, one: _Class) -> Iterator[Requirement]:
        """The requirements that apply to a class."""
        number = self._first_asked
        for requirement in self._requirements:
            excepted = one.mask >> number & (1 << len(requirement.excepted)) - 1
            number += len(requirement.excepted)
            selected = one.mask >> number & (1 << len(requirement.selected)) - 1
            number += len(requirement.selected)
            failed = one.mask >> number & (1 << len(requirement.failed)) - 1
            number += len(requirement.failed)
            if not excepted and (failed if one.failed else selected):
                yield requirement


def _deciding(mask: int, order: tuple[int, ...]) -> int | None:
    """The place of the first rule that matches."""
    return next((place for place, bit in enumerate(order) if mask >> bit & 1), None)


def _allows(requirement: Requirement, effect: Effect, failed: bool) -> bool:
    return all(requirement.bound.allows(level) for level in levels_of(effect, failed=failed))


class _Effects:
    """The Effects of a policy's rules, each computed once."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._known: dict[tuple[int | None, bool], Effect] = {}

    def of(self, place: int | None, failed: bool) -> Effect:
        key = place, failed
        if key not in self._known:
            rule: PolicyRule | None = None if place is None else self._policy.rules[place]
            self._known[key] = effect_of(decided_by(self._policy, rule), failed=failed)
        return self._known[key]
