"""Compares a policy with a requirement: over all classes of requests, with witnesses to demonstrate it on a server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.analysis.requirements.requirement import Reference
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
    from auditproof.analysis.space import ClassDecision, Row
    from auditproof.analysis.space.client_request import Performable, Witnessed
    from auditproof.audit.decide import Decision
    from auditproof.audit.event import Stage
    from auditproof.audit.policy.load import Policy, PolicyRule
    from auditproof.kube.discovery import Served

Stages = frozenset["Stage"]


@dataclass(frozen=True, slots=True)
class Broken:
    """How requests are recorded that are not recorded within ``bound``, and the index of the rule that decides.

    ``stages`` are those of their events, ``needed`` the permitted ones closest to these; both are None if the level is
    not permitted either. ``lacks`` is what else is omitted. ``known``: the base breaks the requirement for these
    requests as well.
    """

    level: Level
    stages: Stages | None
    needed: Stages | None
    lacks: tuple[str, ...]
    rule: int | None
    bound: Bound
    known: bool


@dataclass(frozen=True, slots=True)
class Violation:
    """Requests that are not recorded as required, the ``rule`` that decides (None: none matches), and one of them."""

    row: Row[Broken]
    rule: PolicyRule | None
    witness: Witnessed

    @property
    def level(self) -> Level:
        """The level at which they are recorded; NONE: they are not."""
        return self.row.key.level

    @property
    def stages(self) -> Stages | None:
        """The stages at which they are recorded, if the level is as required; else None."""
        return self.row.key.stages

    @property
    def bound(self) -> Bound:
        """How they have to be recorded."""
        return self.row.key.bound

    @property
    def known(self) -> bool:
        """Whether the base does not record them as required either."""
        return self.row.key.known


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
    scope = _Scope(policy, requirement, served, selected=True)
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
    if level is Level.NONE:
        return bound.allows(level)
    return bound.allows(level) and bound.allows_stages(left, emitted) and not bound.lacking(decision)


class _Scope:
    """The space in which a policy is compared with one requirement; ``selected``: only with what that selects."""

    def __init__(
        self,
        policy: Policy,
        requirement: Requirement,
        served: Served,
        base: Policy | None = None,
        *,
        selected: bool = False,
    ) -> None:
        self._policy, self._base, self._requirement = policy, base, requirement
        rules: list[PolicyRule] = []
        self._lists: list[tuple[int, int]] = []
        for some in (policy.rules, *requirement.rule_lists, *([base.rules] if base else [])):
            self._lists.append((len(rules), len(rules) + len(some)))
            rules += some
        self._own = slice(1, 1 + len(requirement.rule_lists))  # of the lists
        self._streams = 0
        # Streams are distinguished if something may be recorded only at the stage that others lack.
        policies = (self._policy, *([self._base] if self._base else []))
        omitted = (rule.omit_stages | policy.omit_stages for policy in policies for rule in policy.rules)
        bound = self._requirement.bound
        told_apart = isinstance(bound, Reference) or bound.stages is not None
        if told_apart or any(stages >= SHORT for stages in omitted):
            self._streams = streams_from(len(rules))
            rules += STREAMS
        meeting = requirement.selecting(len(policy.rules)) if selected else -1
        self.space = Space.of(rules, served, meeting=meeting)
        self._broken: dict[tuple[int | None, Bound, Stages, bool], Broken | None] = {}

    def outcomes(self) -> Iterator[tuple[ClassDecision, int | None]]:
        """The whole space; with SERVED or ODD for classes that the requirement applies to, None for others."""
        for outcome in self.space.outcomes(*self._lists):
            standing, asking, _ = outcome.oddness
            odd = asking == 1 or (asking == 0 and standing == ODD)
            meant = SERVED if (standing, asking) == (SERVED, 0) else ODD if odd else None
            bound = self._requirement.bound_at(outcome.deciding[self._own], self._emitted(outcome))
            yield outcome, meant if bound is not None else None

    def bound(self, outcome: ClassDecision) -> Bound:
        """The bound of an outcome that the requirement applies to."""
        return self._requirement.bound_under(outcome.deciding[self._own][-1], self._emitted(outcome))

    def base_breaks(self, outcome: ClassDecision) -> bool:
        """Whether the base breaks the requirement for an outcome that it applies to."""
        if self._base is None:
            return False
        decision = decided_by(self._base, self._base.rule_at(outcome.deciding[-1]))
        return not allows(self.bound(outcome), decision, self._emitted(outcome))

    def violations(self, outcomes: Iterable[tuple[ClassDecision, int | None]], standing: int) -> tuple[Violation, ...]:
        """The violations among the outcomes of this ``standing``, worst first."""
        keyed = [(outcome, self.broken(outcome) if meant == standing else None) for outcome, meant in outcomes]
        rows = merge(self.space, keyed) if any(key for _, key in keyed) else ()
        shown = (row for row in rows if (row.standing, row.asking) == (SERVED, 0) or (standing == ODD and row.odd))
        return tuple(self.violation(row) for row in sorted(shown, key=_worst_first))

    def broken(self, outcome: ClassDecision) -> Broken | None:
        """The violations of an outcome that the requirement applies to."""
        key = outcome.deciding[0], self.bound(outcome), self._emitted(outcome), self.base_breaks(outcome)
        if key not in self._broken:
            rule, bound, emitted, known = key
            decision = decided_by(self._policy, self._policy.rule_at(rule))
            level, left = recorded(decision, emitted)
            stages = left if bound.allows(level) else None
            needed = bound.stages.nearest(left, emitted) if bound.stages and stages is not None else stages
            lacks = bound.lacking(decision) if level is not Level.NONE else ()
            broken = Broken(level, stages, needed, lacks, rule, bound, known)
            self._broken[key] = None if allows(bound, decision, emitted) else broken
        return self._broken[key]

    def _emitted(self, outcome: ClassDecision) -> Stages:
        """The stages of the requests, before any is omitted."""
        return emitted_by(outcome, self._streams)

    def violation(self, row: Row[Broken]) -> Violation:
        return Violation(row, self._policy.rule_at(row.key.rule), most_performable(row.requests(self.space)))


def _worst_first(row: Row[Broken]) -> tuple[object, ...]:
    key = row.key
    place = -1 if key.rule is None else key.rule
    recorded_as = list(Level).index(key.level), sorted(key.stages or ()), key.lacks
    return key.known, *recorded_as, place, str(key.bound), -len(row.classes), row.who, row.product.what
