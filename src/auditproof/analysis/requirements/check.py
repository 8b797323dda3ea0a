"""Compares a policy with a requirement: over all classes of requests, with witnesses to demonstrate it on a server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.analysis.space import Space, merge
from auditproof.analysis.space.cells import ODD, SERVED
from auditproof.analysis.space.client_request import NotPerformable, most_performable, performable
from auditproof.analysis.space.streams import STREAMS, emitted_by, streams_from
from auditproof.audit.decide import decided_by
from auditproof.audit.event import Level
from auditproof.audit.stages import SHORT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from auditproof.analysis.requirements.requirement import Bound, Requirement
    from auditproof.analysis.space import Outcome, Row
    from auditproof.analysis.space.client_request import Performable, Witnessed
    from auditproof.audit.decide import Decision
    from auditproof.audit.event import Stage
    from auditproof.audit.policy.load import Policy, PolicyRule
    from auditproof.kube.discovery import Served

Stages = frozenset["Stage"]
# The recorded level, the recorded stages, the deciding rule, and whether the base breaks the requirement as well.
Broken = tuple[Level, Stages | None, int | None, bool]


@dataclass(frozen=True, slots=True)
class Violation:
    """Requests that are not recorded as required, but at ``level`` (NONE: not recorded), as ``rule`` decides.

    ``stages`` are those at which they are recorded, if the level is as required and the stages are not; else None.
    ``known``: the base does not record them as required either.
    """

    row: Row[Broken]
    level: Level
    stages: Stages | None
    rule: PolicyRule | None
    witness: Witnessed
    known: bool = False


@dataclass(frozen=True, slots=True)
class Checked:
    """A requirement, the number of classes that it applies to, and all violations.

    ``beyond`` are odd requests for which it does not hold either; they are no violations. ``base_met`` says whether the
    policy before the change meets it; None without one.
    """

    requirement: Requirement
    classes: int
    violations: tuple[Violation, ...]
    beyond: tuple[Violation, ...] = ()
    base_met: bool | None = None


def check_requirement(policy: Policy, requirement: Requirement, served: Served, base: Policy | None = None) -> Checked:
    """Check a policy against one requirement, over every class of requests that ``policy`` and it distinguish.

    ``served`` is what the API server serves; ``base``, if any, the policy before a change: its violations are known.
    Only requests that an honest client may send, and that the server serves, can violate a requirement. Odd ones, such
    as for a namespace called ``*``, are in ``Checked.beyond``, unless the requirement selects nothing else.

    >>> from auditproof import check_requirement, load_policy, load_requirements, load_served
    >>> policy, served = load_policy("fixtures/policies/nothing.yaml"), load_served("1.37")
    >>> first = load_requirements("cis").requirements[0]
    >>> [str(violation.level) for violation in check_requirement(policy, first, served).violations]
    ['None']
    """
    scope = _Scope(policy, requirement, served, base)
    outcomes = list(scope.outcomes())
    about = min((meant for _, meant in outcomes if meant is not None), default=SERVED)
    classes = [outcome for outcome, meant in outcomes if meant == about]
    beyond = () if about == ODD else scope.violations(outcomes, ODD)
    base_met = None if base is None else not any(map(scope.base_breaks, classes))
    return Checked(requirement, len(classes), scope.violations(outcomes, about), beyond, base_met)


@dataclass(frozen=True, slots=True)
class Step:
    """A request to which a requirement applies, and whether the policy records it as required."""

    performable: Performable
    holds: bool


def required_steps(policy: Policy, requirement: Requirement, served: Served) -> Iterator[Step]:
    """A request of each class that the requirement applies to."""
    scope = _Scope(policy, requirement, served)
    for outcome, meant in scope.outcomes():
        if meant == SERVED:
            cell = next(cell for cell in outcome.cells if cell.served)
            try:
                sent = performable(cell.attributes(scope.space.user(outcome)))
            except NotPerformable:
                continue
            yield Step(sent, scope.broken(outcome) is None)


def recorded(decision: Decision, emitted: Stages) -> tuple[Level, Stages]:
    """The level and the stages at which a request is recorded whose stages are ``emitted``."""
    left = emitted - decision.omit_stages
    return (Level.NONE, frozenset()) if decision.level is Level.NONE or not left else (decision.level, left)


def allows(bound: Bound, decision: Decision, emitted: Stages) -> bool:
    """Whether ``bound`` permits what ``decision`` does to a request whose stages are ``emitted``."""
    level, left = recorded(decision, emitted)
    return bound.allows(level) and (level is Level.NONE or bound.allows_stages(left, emitted))


class _Scope:
    """The space in which a policy is compared with one requirement."""

    def __init__(self, policy: Policy, requirement: Requirement, served: Served, base: Policy | None = None) -> None:
        self._policy = policy
        self._base = base
        self._bound = requirement.bound
        self._clauses = requirement.clauses
        rules: list[PolicyRule] = []
        self._lists: list[tuple[int, int]] = []
        for some in (policy.rules, *(clause.rules for clause in requirement.clauses), *([base.rules] if base else [])):
            self._lists.append((len(rules), len(rules) + len(some)))
            rules += some
        self._streams = 0
        if self._stages_matter():
            self._streams = streams_from(len(rules))
            rules += STREAMS
        self.space = Space.of(rules, served)
        self._broken: dict[tuple[int | None, Stages, bool], Broken | None] = {}

    def _stages_matter(self) -> bool:
        """Whether streams have to be told apart: something may be recorded only at the stage that others lack."""
        policies = (self._policy, *([self._base] if self._base else []))
        omitted = (rule.omit_stages | policy.omit_stages for policy in policies for rule in policy.rules)
        return self._bound.stages is not None or any(stages >= SHORT for stages in omitted)

    def outcomes(self) -> Iterator[tuple[Outcome, int | None]]:
        """The whole space; with SERVED or ODD for classes that the requirement applies to, None for others."""
        for outcome in self.space.outcomes(*self._lists):
            standing, asking, _ = outcome.oddness
            odd = asking == 1 or (asking == 0 and standing == ODD)
            meant = SERVED if (standing, asking) == (SERVED, 0) else ODD if odd else None
            yield outcome, meant if self._selects(outcome) else None

    def _selects(self, outcome: Outcome) -> bool:
        return any(
            clause.selects_at(place, failed=outcome.identity.failed)
            for clause, place in zip(self._clauses, outcome.deciding[1:], strict=False)  # the base's rule is the last
        )

    def base_breaks(self, outcome: Outcome) -> bool:
        """Whether the base breaks the requirement for an outcome that it applies to."""
        if self._base is None:
            return False
        decision = decided_by(self._base, self._base.rule_at(outcome.deciding[-1]))
        return not allows(self._bound, decision, self._emitted(outcome))

    def violations(self, outcomes: Iterable[tuple[Outcome, int | None]], standing: int) -> tuple[Violation, ...]:
        """The violations among the outcomes of this ``standing``, worst first."""
        keyed = [(outcome, self.broken(outcome) if meant == standing else None) for outcome, meant in outcomes]
        rows = merge(self.space, keyed) if any(key for _, key in keyed) else ()
        shown = (row for row in rows if (row.standing, row.asking) == (SERVED, 0) or (standing == ODD and row.odd))
        return tuple(self.violation(row) for row in sorted(shown, key=_worst_first))

    def broken(self, outcome: Outcome) -> Broken | None:
        """The violations of an outcome that the requirement applies to."""
        key = outcome.deciding[0], self._emitted(outcome), self.base_breaks(outcome)
        if key not in self._broken:
            rule, emitted, known = key
            decision = self._decision(rule)
            level, left = recorded(decision, emitted)
            stages = left if self._bound.allows(level) else None
            self._broken[key] = None if allows(self._bound, decision, emitted) else (level, stages, rule, known)
        return self._broken[key]

    def _emitted(self, outcome: Outcome) -> Stages:
        """The stages of the requests, before any is omitted."""
        return emitted_by(outcome, self._streams)

    def _decision(self, rule: int | None) -> Decision:
        return decided_by(self._policy, self._policy.rule_at(rule))

    def violation(self, row: Row[Broken]) -> Violation:
        level, stages, rule, known = row.key
        witness = most_performable(row.requests(self.space))
        return Violation(row, level, stages, self._policy.rule_at(rule), witness, known)


def _worst_first(row: Row[Broken]) -> tuple[object, ...]:
    level, stages, rule, known = row.key
    place = -1 if rule is None else rule
    return known, list(Level).index(level), sorted(stages or ()), place, -len(row.classes), row.who, row.product.what
