"""A Requirement with its Bound, and the file that contains it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.audit.decide import decide, decided_by, matches
from auditproof.audit.effect import WITH_BODIES
from auditproof.audit.event import Level, Stage
from auditproof.audit.stages import FAILED, in_order

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from auditproof.audit.decide import Decision
    from auditproof.audit.policy.load import Policy, PolicyRule
    from auditproof.errors import Position
    from auditproof.kube.attributes import Attributes


@dataclass(frozen=True, slots=True)
class StageBound:
    """The permitted stages of a recorded request: all of ``least`` that it goes through, none but those of ``most``."""

    least: frozenset[Stage]
    most: frozenset[Stage]

    def nearest(self, recorded: frozenset[Stage], emitted: frozenset[Stage]) -> frozenset[Stage]:
        """The permitted stages closest to ``recorded``, of a request whose stages are ``emitted``.

        They equal ``recorded`` exactly if that is permitted.
        """
        return (recorded | (self.least & emitted)) & self.most

    def __str__(self) -> str:
        if self.least == self.most:
            return f"exactly {_listed(self.least)}"
        return f"at least {_listed(self.least)}" if self.least else f"at most {_listed(self.most)}"


def _listed(stages: frozenset[Stage]) -> str:
    return ", ".join(in_order(stages))


@dataclass(frozen=True, slots=True)
class Bound:
    """The permitted levels, and the permitted stages of what is recorded (None: any).

    ``managed_fields``: they must not be omitted from bodies; ``panic``: the stage Panic must not be omitted.
    """

    levels: frozenset[Level]
    stages: StageBound | None = None
    managed_fields: bool = False
    panic: bool = False

    @staticmethod
    def between(least: Level, most: Level) -> Bound:
        """The levels from ``least`` to ``most``, both included."""
        return Bound(frozenset(level for level in Level if least <= level <= most))

    @property
    def least(self) -> Level:
        """The lowest permitted level."""
        return min(self.levels)

    @property
    def most(self) -> Level:
        """The highest permitted level."""
        return max(self.levels)

    def allows(self, level: Level) -> bool:
        """Whether ``level`` (NONE: not recorded) is permitted."""
        return level in self.levels

    def nearest_level(self, level: Level) -> Level:
        """The permitted level closest to ``level``; of two, the lower one."""
        ranks = {one: place for place, one in enumerate(Level)}
        return min(self.levels, key=lambda one: (abs(ranks[one] - ranks[level]), ranks[one]))

    def allows_stages(self, recorded: frozenset[Stage], emitted: frozenset[Stage]) -> bool:
        """Whether a recorded request whose stages are ``emitted`` may have only the events ``recorded``."""
        return self.stages is None or self.stages.nearest(recorded, emitted) == recorded

    def lacking(self, decision: Decision) -> tuple[str, ...]:
        """What ``decision`` omits of recorded requests although it must not, apart from level and ordinary stages."""
        lacks = {
            "managedFields": self.managed_fields and decision.omit_managed_fields,
            "events at Panic": self.panic and Stage.PANIC in decision.omit_stages,
        }
        return tuple(what for what, omitted in lacks.items() if omitted)

    def __str__(self) -> str:
        stages = f", stages: {self.stages}" if self.stages else ""
        if self.least is self.most:
            levels_text = f"exactly {self.least}"
        elif self.levels != Bound.between(self.least, self.most).levels:
            levels_text = " or ".join(str(level) for level in Level if level in self.levels)
        elif self.most is Level.REQUEST_RESPONSE:
            levels_text = f"at least {self.least}"
        else:
            levels_text = f"at most {self.most}" if self.least is Level.NONE else f"from {self.least} to {self.most}"
        return levels_text + stages + (", with managedFields" if self.managed_fields else "")


ANY = Bound(frozenset(Level))


@dataclass(frozen=True, slots=True)
class Reference:
    """A policy that says how much must be recorded of each request: at least as much as it records itself."""

    policy: Policy

    def bound_of(self, decision: Decision, emitted: frozenset[Stage]) -> Bound:
        """The bound for requests whose stages are ``emitted``, and of which the policy decides ``decision``."""
        left = emitted - decision.omit_stages
        if decision.level is Level.NONE or not left:
            return ANY
        return Bound(
            Bound.between(decision.level, Level.REQUEST_RESPONSE).levels,
            StageBound(left, frozenset(Stage)),
            managed_fields=decision.level in WITH_BODIES and not decision.omit_managed_fields,
            panic=emitted != FAILED and Stage.PANIC not in decision.omit_stages,
        )

    def __str__(self) -> str:
        return f"at least what {self.policy.path} records"


@dataclass(frozen=True, slots=True)
class Clause:
    """Requests that match one of ``selected`` and none of ``excepted``; of these rules only the conditions count.

    ``failed``: these are failed logins (401), which no other clause selects.
    """

    selected: tuple[PolicyRule, ...]
    excepted: tuple[PolicyRule, ...]
    failed: bool = False

    @property
    def rules(self) -> tuple[PolicyRule, ...]:
        """Its rules as a list of a space: exceptions come first, so that they decide."""
        return (*self.excepted, *self.selected)

    def selects_at(self, place: int | None, *, failed: bool) -> bool:
        """Whether it selects requests for which the rule at ``place`` of ``rules`` decides (None: no rule matches)."""
        return place is not None and place >= len(self.excepted) and self.failed is failed

    def selects(self, attributes: Attributes) -> bool:
        """Whether the clause selects the request."""
        if self.failed is not (attributes.user is None):
            return False
        matched = any(matches(rule, attributes) for rule in self.selected)
        return matched and not any(matches(rule, attributes) for rule in self.excepted)


@dataclass(frozen=True, slots=True)
class Requirement:
    """Every request that one of ``clauses`` selects is recorded within ``bound``.

    ``because`` is why it matters, ``source`` who requires it.
    """

    id: str
    title: str
    clauses: tuple[Clause, ...]
    bound: Bound | Reference
    because: str
    source: str
    position: Position

    @property
    def rule_lists(self) -> tuple[tuple[PolicyRule, ...], ...]:
        """Its lists of rules in a space: one per clause, then those of the policy that it refers to, if any."""
        reference = (self.bound.policy.rules,) if isinstance(self.bound, Reference) else ()
        return (*(clause.rules for clause in self.clauses), *reference)

    def selecting(self, first: int) -> int:
        """A bitmask of the rules that select requests, in a space in which ``rule_lists`` begin at the rule ``first``.

        The requirement applies to no request that meets the conditions of none of them.
        """
        mask = 0
        for clause in self.clauses:
            mask |= ((1 << len(clause.selected)) - 1) << first + len(clause.excepted)
            first += len(clause.rules)
        return mask

    def bound_at(self, places: Sequence[int | None], emitted: frozenset[Stage]) -> Bound | None:
        """The bound for requests whose stages are ``emitted``; None if the requirement does not apply to them.

        ``places`` are the rules that decide in each of ``rule_lists`` (None: no rule matches).
        """
        clauses = zip(self.clauses, places, strict=False)  # the reference's rule is the last
        if not any(clause.selects_at(place, failed=emitted == FAILED) for clause, place in clauses):
            return None
        return self.bound_under(places[-1], emitted)

    def bound_under(self, rule: int | None, emitted: frozenset[Stage]) -> Bound:
        """The bound for requests that it applies to, and of which ``rule`` of the reference decides, if it has one."""
        if isinstance(self.bound, Bound):
            return self.bound
        return self.bound.bound_of(decided_by(self.bound.policy, self.bound.policy.rule_at(rule)), emitted)

    def bounds(self, emitted: frozenset[Stage]) -> frozenset[Bound]:
        """All bounds that it has for requests whose stages are ``emitted``."""
        if isinstance(self.bound, Bound):
            return frozenset({self.bound})
        return frozenset(self.bound_under(rule, emitted) for rule in (None, *range(len(self.bound.policy.rules))))

    def selects(self, attributes: Attributes) -> bool:
        """Whether the requirement applies to the request."""
        return any(clause.selects(attributes) for clause in self.clauses)

    def bound_for(self, attributes: Attributes, emitted: frozenset[Stage]) -> Bound:
        """The bound for a request that it selects, and whose stages are ``emitted``."""
        if isinstance(self.bound, Bound):
            return self.bound
        return self.bound.bound_of(decide(self.bound.policy, attributes), emitted)


@dataclass(frozen=True, slots=True)
class RequirementsFile:
    """A file of requirements; ``name`` is what messages and reports call it."""

    path: Path
    name: str
    title: str
    requirements: tuple[Requirement, ...]
