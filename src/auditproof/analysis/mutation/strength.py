"""Which mutants change what is recorded, and which of these a requirement or a case would catch.

All mutants are compared in one pass over one space: of the policy's rules, the changed ones and the requirements' own.
A mutant changes the decision about a class of requests in few ways: its changed rule decides instead of a later one, or
no longer decides and the next rule that matches does. Sets of mutants are bitmasks, like the rules that match a class,
so that a class is compared with all mutants at once.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from auditproof.analysis.mutation.mutants import one_step_mutants
from auditproof.analysis.requirements.check import allows
from auditproof.analysis.requirements.requirement import Reference
from auditproof.analysis.space import Space
from auditproof.analysis.space.bitmask import bits
from auditproof.analysis.space.streams import STREAMS, streams_from
from auditproof.audit.decide import decide, decided_by
from auditproof.audit.effect import effect_of
from auditproof.audit.event import Level
from auditproof.audit.stages import FAILED, LONG, SHORT, emitted_stages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from auditproof.analysis.mutation.mutants import Mutant
    from auditproof.analysis.requirements import Bound, Requirement
    from auditproof.analysis.space import Region
    from auditproof.audit.decide import Decision
    from auditproof.audit.effect import Effect
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
    and not for the mutant. ``progress`` is called with a line of text from time to time.
    """
    mutants = tuple(one_step_mutants(policy))
    trial = _Trial(policy, mutants, requirements, served, progress)
    holding = [case for case in stated if case.holds(policy)]
    return Strength(tuple(trial.tried(holding)))


@dataclass(slots=True)
class _Changes:
    """The mutants of one rule, by what they change; each is a bit.

    ``same`` keeps the rule's conditions, ``other`` has other conditions, ``moved`` is behind the next rule.
    """

    same: int = 0
    other: int = 0
    dropped: int = 0
    moved: int = 0


@dataclass(slots=True)
class _Found:
    """What is known so far: the mutants that change something, and the requirement that catches a mutant."""

    changed: int = 0
    caught: int = 0
    by: dict[int, str] = field(default_factory=dict)

    def catch(self, mutants: int, requirement: Requirement) -> None:
        """The requirement catches these mutants; the first one that does counts."""
        new = mutants & ~self.caught
        self.caught |= new
        self.by.update(dict.fromkeys(bits(new), requirement.id))


_STAGES = (SHORT, LONG, FAILED)  # the stages of a kind of request, before any is omitted
_SHORT, _LONG, _FAILED = range(3)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a requirement asks of each kind of requests; if it refers to a policy, of those that one rule decides."""

    requirement: Requirement
    bounds: tuple[Bound, ...]

    @staticmethod
    def of(requirement: Requirement) -> list[_Asked]:
        """All that it asks: for each rule of its reference and then for no rule, or in any case."""
        rules: list[int | None] = [None]
        if isinstance(requirement.bound, Reference):
            rules = [*range(len(requirement.bound.policy.rules)), None]
        return [_Asked(requirement, tuple(requirement.bound_under(rule, kind) for kind in _STAGES)) for rule in rules]


class _Trial:
    """All mutants of a policy."""

    def __init__(
        self,
        policy: Policy,
        mutants: Sequence[Mutant],
        requirements: Sequence[Requirement],
        served: Served,
        progress: Callable[[str], None],
    ) -> None:
        self._policy, self._mutants, self._requirements, self._progress = policy, mutants, requirements, progress
        self._count = len(policy.rules)
        self._changes = [_Changes() for _ in policy.rules]
        self._bit: dict[int, int] = {}  # of each mutant, by its place in ``mutants``
        self._decisions: dict[int, Decision] = {}  # of a changed rule, by the bit of its mutant
        self._of_policy: list[tuple[int, Policy]] = []  # mutants of the policy's own fields
        self._found = _Found()
        others = self._number()
        progress(f"{len(mutants)} mutants of {self._count} rules")
        asked = [rule for one in requirements for rules in one.rule_lists for rule in rules]
        self._first_asked = self._count + len(others)
        streams = self._first_asked + len(asked)
        self._streams = streams_from(streams)
        self._asked = (1 << streams) - (1 << self._first_asked)
        self._space = Space.of([*policy.rules, *others, *asked, *STREAMS], served)
        self._wanted = self._space.identities.wanted
        self._all_asked = [asked for one in requirements for asked in _Asked.of(one)]
        self._tables = _Tables(self._decisions, self._all_asked)
        self._others_before = self._sums(changes.other for changes in self._changes)
        found: dict[int, int] = defaultdict(int)
        for number in range(self._count, self._first_asked):
            if self._wanted[number]:
                found[self._wanted[number]] |= 1 << number
        self._by_groups = found
        self._dead: dict[int, int] = {}
        self._scopes: dict[tuple[int, Region, bool], tuple[tuple[int, Region], ...]] = {}
        self._active: dict[tuple[int, int | None, int], int] = {}
        self._alike: set[tuple[int | None, int, int]] = set()
        self._own: dict[int | None, Decision] = {}
        self._effects: dict[tuple[int | None, int], Effect] = {}

    def _number(self) -> list[PolicyRule]:
        """Give each mutant its bit: the one of its rule in the space, if that has other conditions; returns these."""
        others: list[PolicyRule] = []
        places = []
        for place, mutant in enumerate(self._mutants):
            rule = self._changed(mutant)
            if rule is not None and mutant.rule is not None and _conditions(rule) != _conditions(mutant.rule):
                self._bit[place] = 1 << (self._count + len(others))
                self._changes[mutant.rule.index].other |= self._bit[place]
                others.append(rule)
            else:
                places.append(place)
        behind = self._count + len(others)
        behind += sum(len(rules) for one in self._requirements for rules in one.rule_lists)
        for number, place in enumerate(places, behind + len(STREAMS)):
            self._bit[place] = 1 << number
            self._sort(self._mutants[place], self._bit[place])
        for place, mutant in enumerate(self._mutants):
            if (rule := self._changed(mutant)) is not None:
                self._decisions[self._bit[place]] = decided_by(mutant.policy, rule)
        return others

    def _changed(self, mutant: Mutant) -> PolicyRule | None:
        return mutant.policy.rules[mutant.order.index(None)] if None in mutant.order else None

    def _sort(self, mutant: Mutant, bit: int) -> None:
        if mutant.rule is None:
            self._of_policy.append((bit, mutant.policy))
            return
        changes = self._changes[mutant.rule.index]
        if None in mutant.order:
            changes.same |= bit
        elif len(mutant.order) < self._count:
            changes.dropped |= bit
        else:
            changes.moved |= bit

    def _sums(self, masks: Iterable[int]) -> list[int]:
        """For each index the union of all masks before it; the last one is of all."""
        sums = [0]
        for mask in masks:
            sums.append(sums[-1] | mask)
        return sums

    def tried(self, stated: Sequence[Stated]) -> Iterator[Tried]:
        """Each mutant that changes what is recorded."""
        # Compare every class of requests that honest clients send and the server serves.
        known: set[tuple[int, Region]] = set()
        served = [mask for mask, cells in self._space.cells.items() if any(cell.served for cell in cells)]
        honest = [identity for identity in self._space.identities.classes if identity.honest]
        for number, identity in enumerate(honest, 1):
            self._progress(f"{len(self._mutants)} mutants: {number} of {len(honest)} kinds of users")
            for mask in served:
                key = mask & identity.mask, identity.region
                if key not in known:
                    known.add(key)
                    self._class(*key, failed=identity.failed)
        for place, mutant in enumerate(self._mutants):
            bit = self._bit[place]
            if self._found.changed & bit:
                by_case = (case.name for case in stated if not case.holds(mutant.policy))
                yield Tried(mutant, self._found.by.get(bit) or next(by_case, ""))

    def _class(self, mask: int, region: Region, *, failed: bool) -> None:
        kind = _FAILED if failed else _LONG if mask & self._streams else _SHORT
        for scope, inner in self._scopes_of(mask, region, failed):
            for rule, innermost in self._space.first_matches(mask, inner, (0, self._count)):
                # What is asked in ``scope`` and the policy does, so that a mutant can fail to do it.
                key = scope, rule, kind
                if key not in self._active:
                    decision = self._decision(rule)
                    self._active[key] = sum(
                        bit
                        for bit in bits(scope)
                        if allows(self._all_asked[bit.bit_length() - 1].bounds[kind], decision, _STAGES[kind])
                    )
                self._decided(mask, innermost, kind, rule, self._active[key])

    def _scopes_of(self, mask: int, region: Region, failed: bool) -> tuple[tuple[int, Region], ...]:
        """What is asked of requests, as a bitmask of ``_all_asked``, with the group sets for which it is."""
        key = mask & self._asked, region, failed
        if key not in self._scopes:
            found, first, number = [(0, region)], self._first_asked, 0
            for one in self._requirements:
                chosen = [(scope, part, False) for scope, part in found]
                for clause in one.clauses:
                    end = first + len(clause.rules)
                    if clause.failed is failed:
                        chosen = [
                            (scope, part, selected or clause.selects_at(rule, failed=failed))
                            for scope, inner, selected in chosen
                            for rule, part in self._space.first_matches(mask, inner, (first, end))
                        ]
                    first = end
                end = first + sum(map(len, one.rule_lists[len(one.clauses) :]))  # the rules of its reference
                found = [(scope, part) for scope, part, selected in chosen if not selected]
                found += [
                    (scope | 1 << number + (end - first if rule is None else rule), part)
                    for scope, inner, selected in chosen
                    if selected
                    for rule, part in self._space.first_matches(mask, inner, (first, end))
                ]
                number += end - first + 1
                first = end
            self._scopes[key] = tuple(found)
        return self._scopes[key]

    def _decision(self, rule: int | None) -> Decision:
        if rule not in self._own:
            self._own[rule] = decided_by(self._policy, self._policy.rule_at(rule))
        return self._own[rule]

    def _effect(self, rule: int | None, kind: int) -> Effect:
        if (rule, kind) not in self._effects:
            self._effects[rule, kind] = effect_of(self._decision(rule), failed=kind == _FAILED)
        return self._effects[rule, kind]

    def _among(self, active: int) -> Iterator[tuple[int, _Asked]]:
        for bit in bits(active):
            yield bit.bit_length() - 1, self._all_asked[bit.bit_length() - 1]

    def _decided(self, mask: int, region: Region, kind: int, rule: int | None, active: int) -> None:
        """Requests that ``rule`` decides."""
        earlier = self._others_before[self._count if rule is None else rule]
        if region.avoid not in self._dead:
            dead = (mutants for groups, mutants in self._by_groups.items() if not groups & ~region.avoid)
            self._dead[region.avoid] = self._sums(dead)[-1]
        taking = mask & earlier & ~self._dead[region.avoid]
        if (rule, kind, active) not in self._alike:
            self._alike.add((rule, kind, active))
            taking |= 0 if rule is None else self._changes[rule].same
            for bit, policy in self._of_policy:
                self._becomes(bit, rule, decided_by(policy, self._decision(rule).rule), kind, active)
        if taking & self._open(active):
            self._found.changed |= taking & ~self._tables.alike(self._effect(rule, kind), kind)
            for number, one in self._among(active):
                if hit := taking & self._tables.violating(number, kind) & ~self._found.caught:
                    self._found.catch(hit, one.requirement)
        if rule is not None:
            self._undecided(mask, region, kind, rule, active)

    def _undecided(self, mask: int, region: Region, kind: int, rule: int, active: int) -> None:
        """The mutants by which ``rule`` no longer decides the requests, so that a later rule does."""
        changes = self._changes[rule]
        self._next(changes.dropped | (changes.other & ~mask), mask, region, kind, rule, active)
        for bit in bits(changes.other & mask & self._open(active)):
            groups = self._wanted[bit.bit_length() - 1]
            if groups and groups != self._wanted[rule] and (left := region.without(groups)).possible():
                self._next(bit, mask, left, kind, rule, active)
        if changes.moved and mask >> (rule + 1) & 1:
            groups = self._wanted[rule + 1]
            if not groups or groups & ~region.avoid:
                self._becomes(changes.moved, rule, self._decision(rule + 1), kind, active)

    def _open(self, active: int) -> int:
        """The mutants about which something is left to find out."""
        return ~(self._found.changed & self._found.caught if active else self._found.changed)

    def _next(self, mutants: int, mask: int, region: Region, kind: int, rule: int, active: int) -> None:
        """The next rules that match decide the requests in all these mutants."""
        left = mutants & self._open(active)
        if left:
            for later, _ in self._space.first_matches(mask, region, (rule + 1, self._count)):
                decision = self._decision(None if later is None else later + rule + 1)
                self._becomes(left, rule, decision, kind, active)

    def _becomes(self, mutants: int, rule: int | None, decision: Decision, kind: int, active: int) -> None:
        """In all these mutants, ``decision`` replaces the one by ``rule``."""
        if effect_of(decision, failed=kind == _FAILED) != self._effect(rule, kind):
            self._found.changed |= mutants
            for _, one in self._among(active):
                if not allows(one.bounds[kind], decision, _STAGES[kind]):
                    self._found.catch(mutants, one.requirement)


class _Tables:
    """For all changed rules at once: which of them have an effect, and which violate a requirement."""

    def __init__(self, decisions: dict[int, Decision], asked: Sequence[_Asked]) -> None:
        self._decisions = decisions
        self._asked = asked
        self._alike: dict[tuple[Effect, int], int] = {}
        self._violating: dict[tuple[int, int], int] = {}

    def alike(self, effect: Effect, kind: int) -> int:
        """The mutants whose changed rule has this effect."""
        key = effect, kind
        if key not in self._alike:
            self._alike[key] = sum(
                bit
                for bit, decision in self._decisions.items()
                if effect_of(decision, failed=kind == _FAILED) == effect
            )
        return self._alike[key]

    def violating(self, asked: int, kind: int) -> int:
        """The mutants whose changed rule does not do what is asked, given by its place."""
        key = asked, kind
        if key not in self._violating:
            bound = self._asked[asked].bounds[kind]
            self._violating[key] = sum(
                bit for bit, decision in self._decisions.items() if not allows(bound, decision, _STAGES[kind])
            )
        return self._violating[key]


def _conditions(rule: PolicyRule) -> tuple[object, ...]:
    return rule.users, rule.user_groups, rule.verbs, rule.resources, rule.namespaces, rule.non_resource_urls
