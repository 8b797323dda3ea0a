"""A requirement held against a policy: over all classes of requests, and which witnesses show it on a server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.audit import Level, Stage
from auditproof.decide import decided_by
from auditproof.diff.effect import FAILED_STAGES, effect_of
from auditproof.space import Space, merge
from auditproof.witness import NotPerformable, most_performable, performable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.diff import Effect
    from auditproof.policy import Policy, PolicyRule
    from auditproof.requirements.requirement import Requirement
    from auditproof.served import Served
    from auditproof.space import Outcome, Row
    from auditproof.witness import Performable, Witnessed

_STAGES_OF_ALL = frozenset({Stage.REQUEST_RECEIVED, Stage.RESPONSE_COMPLETE})
Broken = tuple[Level, int | None]  # the level at which it is recorded, and the rule that decides so


@dataclass(frozen=True, slots=True)
class Violation:
    """Requests that are not recorded as required: they are recorded at ``level`` (NONE: not), as ``rule`` decides."""

    row: Row[Broken]
    level: Level
    rule: PolicyRule | None
    witness: Witnessed


@dataclass(frozen=True, slots=True)
class Checked:
    """A requirement with the number of classes that it is about, and everything that violates it."""

    requirement: Requirement
    classes: int
    violations: tuple[Violation, ...]


def check(policy: Policy, requirement: Requirement, served: Served) -> Checked:
    """Hold ``policy`` against ``requirement`` on a server that serves ``served``.

    All requests count that an honest client may send and the server has something to answer with.
    """
    scope = _Scope(policy, requirement, served)
    outcomes = list(scope.outcomes())
    keyed = ((outcome, scope.broken(outcome) if asked else None) for outcome, asked in outcomes)
    rows = [row for row in merge(scope.space, keyed) if row.served and row.honest]
    violations = tuple(scope.violation(row) for row in sorted(rows, key=_worst_first))
    return Checked(requirement, sum(1 for _, asked in outcomes if asked), violations)


def required_steps(policy: Policy, requirement: Requirement, served: Served) -> Iterator[tuple[Performable, bool]]:
    """A request of each class that the requirement is about, and whether it is recorded as required by the policy."""
    scope = _Scope(policy, requirement, served)
    for outcome, asked in scope.outcomes():
        if asked:
            cell = next(cell for cell in outcome.cells if cell.served)
            try:
                yield performable(cell.attributes(scope.space.user(outcome))), scope.broken(outcome) is None
            except NotPerformable:
                continue


def levels_of(effect: Effect, *, failed: bool) -> tuple[Level, ...]:
    """The levels at which requests of an Effect are recorded: two, where only some of them come to a stage left."""
    always = bool(effect.stages & (FAILED_STAGES if failed else _STAGES_OF_ALL))
    return (effect.level,) if always else (Level.NONE, effect.level)


class _Scope:
    """The space in which a policy is held against one requirement."""

    def __init__(self, policy: Policy, requirement: Requirement, served: Served) -> None:
        self._policy = policy
        self._requirement = requirement
        # Two lists of rules beside the policy's own: what is excepted comes first in each, so that it is decided there.
        self._first, self._second = (
            (*requirement.excepted, *requirement.selected),
            (*requirement.excepted, *requirement.failed),
        )
        self.space = Space.of([*policy.rules, *self._first, *self._second], served)
        self._levels: dict[tuple[int | None, bool], tuple[Level, ...]] = {}

    def outcomes(self) -> Iterator[tuple[Outcome, bool]]:
        """The whole space; whether the requirement is about an outcome."""
        first = len(self._policy.rules)
        second = first + len(self._first)
        end = second + len(self._second)
        for outcome in self.space.outcomes((0, first), (first, second), (second, end)):
            meant = outcome.deciding[2 if outcome.identity.failed else 1]
            meets = meant is not None and meant >= len(self._requirement.excepted)
            served = any(cell.served for cell in outcome.cells)
            yield outcome, meets and served and outcome.identity.honest

    def broken(self, outcome: Outcome) -> Broken | None:
        """What is wrong with an outcome that the requirement is about."""
        rule = outcome.deciding[0]
        levels = self._levels_of(rule, failed=outcome.identity.failed)
        wrong = next((level for level in levels if not self._requirement.bound.allows(level)), None)
        return None if wrong is None else (wrong, rule)

    def _levels_of(self, rule: int | None, *, failed: bool) -> tuple[Level, ...]:
        """The levels at which what the rule decides is recorded: two, where only some requests come to a stage left."""
        key = rule, failed
        if key not in self._levels:
            decision = decided_by(self._policy, None if rule is None else self._policy.rules[rule])
            self._levels[key] = levels_of(effect_of(decision, failed=failed), failed=failed)
        return self._levels[key]

    def violation(self, row: Row[Broken]) -> Violation:
        level, rule = row.key
        witness = most_performable(row.requests(self.space))
        return Violation(row, level, None if rule is None else self._policy.rules[rule], witness)


def _worst_first(row: Row[Broken]) -> tuple[object, ...]:
    level, rule = row.key
    return list(Level).index(level), -1 if rule is None else rule, -len(row.classes), row.who, row.product.what
