"""Compares a policy with a requirement: over all classes of requests, with witnesses to demonstrate it on a server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.analysis.space import Space, merge
from auditproof.analysis.space.cells import ODD, SERVED
from auditproof.analysis.space.client_request import NotPerformable, most_performable, performable
from auditproof.audit.decide import decided_by
from auditproof.audit.effect import FAILED_STAGES, effect_of
from auditproof.audit.event import Level, Stage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from auditproof.analysis.requirements.requirement import Requirement
    from auditproof.analysis.space import Outcome, Row
    from auditproof.analysis.space.client_request import Performable, Witnessed
    from auditproof.audit.effect import Effect
    from auditproof.audit.policy.load import Policy, PolicyRule
    from auditproof.kube.discovery import Served

_STAGES_OF_ALL = frozenset({Stage.REQUEST_RECEIVED, Stage.RESPONSE_COMPLETE})
Broken = tuple[Level, int | None]  # the recorded level, and the deciding rule


@dataclass(frozen=True, slots=True)
class Violation:
    """Requests that are not recorded as required, but at ``level`` (NONE: not recorded), as ``rule`` decides."""

    row: Row[Broken]
    level: Level
    rule: PolicyRule | None
    witness: Witnessed


@dataclass(frozen=True, slots=True)
class Checked:
    """A requirement, the number of classes that it applies to, and all violations.

    ``beyond`` are odd requests for which it does not hold either; they are no violations.
    """

    requirement: Requirement
    classes: int
    violations: tuple[Violation, ...]
    beyond: tuple[Violation, ...] = ()


def check_requirement(policy: Policy, requirement: Requirement, served: Served) -> Checked:
    """Check a policy against one requirement, over every class of requests that ``policy`` and it distinguish.

    ``served`` is what the API server serves. Only requests that an honest client may send, and that the server serves,
    can violate a requirement. Odd ones, such as for a namespace called ``*``, are in ``Checked.beyond``, unless the
    requirement selects nothing else.

    >>> from auditproof import check_requirement, load_policy, load_requirements, load_served
    >>> policy, served = load_policy("fixtures/policies/nothing.yaml"), load_served("1.37")
    >>> first = load_requirements("cis").requirements[0]
    >>> [str(violation.level) for violation in check_requirement(policy, first, served).violations]
    ['None']
    """
    scope = _Scope(policy, requirement, served)
    outcomes = list(scope.outcomes())
    about = min((meant for _, meant in outcomes if meant is not None), default=SERVED)
    classes = sum(1 for _, meant in outcomes if meant == about)
    beyond = () if about == ODD else scope.violations(outcomes, ODD)
    return Checked(requirement, classes, scope.violations(outcomes, about), beyond)


def required_steps(policy: Policy, requirement: Requirement, served: Served) -> Iterator[tuple[Performable, bool]]:
    """A request of each class that the requirement applies to, and whether the policy records it as required."""
    scope = _Scope(policy, requirement, served)
    for outcome, meant in scope.outcomes():
        if meant == SERVED:
            cell = next(cell for cell in outcome.cells if cell.served)
            try:
                yield performable(cell.attributes(scope.space.user(outcome))), scope.broken(outcome) is None
            except NotPerformable:
                continue


def levels_of(effect: Effect, *, failed: bool) -> tuple[Level, ...]:
    """The levels at which requests of an Effect are recorded: two if only some of them reach a remaining stage."""
    always = bool(effect.stages & (FAILED_STAGES if failed else _STAGES_OF_ALL))
    return (effect.level,) if always else (Level.NONE, effect.level)


class _Scope:
    """The space in which a policy is compared with one requirement."""

    def __init__(self, policy: Policy, requirement: Requirement, served: Served) -> None:
        self._policy = policy
        self._requirement = requirement
        # Two lists of rules in addition to the policy's: exceptions come first in each, so that they decide.
        self._first, self._second = (
            (*requirement.excepted, *requirement.selected),
            (*requirement.excepted, *requirement.failed),
        )
        self.space = Space.of([*policy.rules, *self._first, *self._second], served)
        self._levels: dict[tuple[int | None, bool], tuple[Level, ...]] = {}

    def outcomes(self) -> Iterator[tuple[Outcome, int | None]]:
        """The whole space; with SERVED or ODD for classes that the requirement applies to, None for others."""
        first = len(self._policy.rules)
        second = first + len(self._first)
        end = second + len(self._second)
        for outcome in self.space.outcomes((0, first), (first, second), (second, end)):
            meant = outcome.deciding[2 if outcome.identity.failed else 1]
            meets = meant is not None and meant >= len(self._requirement.excepted)
            standing, asking, _ = outcome.oddness
            odd = asking == 1 or (asking == 0 and standing == ODD)
            yield outcome, None if not meets else SERVED if (standing, asking) == (SERVED, 0) else ODD if odd else None

    def violations(self, outcomes: Iterable[tuple[Outcome, int | None]], standing: int) -> tuple[Violation, ...]:
        """The violations among the outcomes of this ``standing``, worst first."""
        keyed = [(outcome, self.broken(outcome) if meant == standing else None) for outcome, meant in outcomes]
        rows = merge(self.space, keyed) if any(key for _, key in keyed) else ()
        shown = (row for row in rows if (row.standing, row.asking) == (SERVED, 0) or (standing == ODD and row.odd))
        return tuple(self.violation(row) for row in sorted(shown, key=_worst_first))

    def broken(self, outcome: Outcome) -> Broken | None:
        """The violations of an outcome that the requirement applies to."""
        rule = outcome.deciding[0]
        levels = self._levels_of(rule, failed=outcome.identity.failed)
        wrong = next((level for level in levels if not self._requirement.bound.allows(level)), None)
        return None if wrong is None else (wrong, rule)

    def _levels_of(self, rule: int | None, *, failed: bool) -> tuple[Level, ...]:
        """The levels at which the rule's requests are recorded: two if only some requests reach a remaining stage."""
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
