"""check_detections(policy, rules, served): whether a policy feeds detection rules, over every class of requests. Pure.

A request matters to a rule if an event of it can match at some level and stage, all fields that the rule reads being
there. The policy feeds the rule for that request if the same happens with the events that are recorded. Requests that
no honest client sends, or that the server does not serve, do not matter.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from auditproof.analysis.space import Space
from auditproof.analysis.space.streams import STREAMS
from auditproof.analysis.space.who import listed, who_text
from auditproof.audit.decide import decided_by
from auditproof.audit.event import Level, Stage
from auditproof.detections.condition import TRUE, both, either, tests_of
from auditproof.detections.members import Member, Members, Mentioned, names_of
from auditproof.detections.moments import RECORDED, Moment, at_moment, stages_of
from auditproof.detections.solving import denied, solve

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from auditproof.analysis.space import Outcome
    from auditproof.analysis.space.who import Who
    from auditproof.audit.policy.load import Policy, PolicyRule
    from auditproof.detections.condition import Condition
    from auditproof.detections.detection import Detection
    from auditproof.detections.solving import Values
    from auditproof.kube.attributes import Attributes
    from auditproof.kube.discovery import Served

SHOWN = 6  # resources of a line


class Feed(StrEnum):
    """Whether a policy feeds a rule; the values are the words of every output.

    FED: every request that the rule is about is recorded so that it can match. PARTLY: some are. BLIND: none is.
    IMPOSSIBLE: no event that an API server writes can match, whatever the policy.
    """

    FED = "FED"
    PARTLY = "PARTLY"
    BLIND = "BLIND"
    IMPOSSIBLE = "IMPOSSIBLE"


@dataclass(frozen=True, slots=True)
class Lost:
    """Requests that a rule does not see, and how they are recorded: the ``level`` and ``stages`` that ``rule`` gives.

    ``rule`` is None if no rule matches. ``needs`` are the moments of which one has to be recorded, ``witness`` is one
    of the requests with ``values`` of its other fields. ``new``: with the policy before the change, the rule sees them.
    ``partly``: it sees them, but not all that would match.
    """

    who: str
    what: str
    witness: Attributes
    values: Values
    rule: PolicyRule | None
    level: Level
    stages: frozenset[Stage]
    needs: frozenset[Moment]
    new: bool
    partly: bool

    @property
    def text(self) -> str:
        """Who and what, in a line."""
        return f"{self.what} by {self.who}"


@dataclass(frozen=True, slots=True)
class Fed:
    """What a policy does to one rule: its ``feed``, that of the ``base`` before a change, and the requests it loses.

    ``witness`` is a request that the rule sees, with ``values`` of its other fields; None if there is none.
    """

    detection: Detection
    feed: Feed
    base: Feed | None
    lost: tuple[Lost, ...]
    witness: Attributes | None = None
    values: Values | None = None

    @property
    def worse(self) -> bool:
        """Whether the change takes requests from the rule."""
        return any(one.new for one in self.lost)


def check_detections(
    policy: Policy, detections: Sequence[Detection], served: Served, base: Policy | None = None
) -> tuple[Fed, ...]:
    """Check a policy against rules, each over every class of requests that both tell apart.

    ``served`` is what the API server serves, ``base`` the policy before a change, if any.

    >>> from auditproof import load_policy, load_served
    >>> from auditproof.detections import Detection, Field, Operator, Test, check_detections
    >>> from auditproof.errors import Position
    >>> deleted = Test(Field.at("verb"), Operator.EQUALS, ("delete",))
    >>> rule = Detection("deletes", "Something is deleted", "own", (deleted,), Position("own.yaml", 1, 1))
    >>> [found] = check_detections(load_policy("fixtures/policies/nothing.yaml"), [rule], load_served("1.37"))
    >>> str(found.feed)
    'BLIND'
    """
    scope = _Scope(policy, served, base)
    return tuple(scope.check(detection) for detection in detections)


@dataclass(frozen=True, slots=True)
class _Demand:
    """What a rule needs of one request: the condition on its free fields at each moment at which it can match."""

    attributes: Attributes
    at: dict[Moment, Condition]
    values: Values

    def left(self, moments: Iterable[Moment]) -> Condition:
        """The condition under which one of these moments matches."""
        return either(*(self.at[moment] for moment in moments if moment in self.at))


@dataclass(frozen=True, slots=True)
class _Seen:
    """How the rule sees one part of a class, with the policy and with the base."""

    outcome: Outcome
    member: Member
    attributes: Attributes
    demand: _Demand
    sees: tuple[Feed, ...]


@dataclass(frozen=True, slots=True)
class _Alike:
    """What parts of classes have in common that stand in one line."""

    rule: int | None
    level: Level
    stages: frozenset[Stage]
    new: bool
    sees: Feed


class _Scope:
    """The space of the policies, walked once for each rule."""

    def __init__(self, policy: Policy, served: Served, base: Policy | None) -> None:
        self._policies = (policy, base) if base else (policy,)
        rules: list[PolicyRule] = []
        lists: list[tuple[int, int]] = []
        for one in self._policies:
            lists.append((len(rules), len(rules) + len(one.rules)))
            rules += one.rules
        self.space = Space.of([*rules, *STREAMS], served)
        self._mentioned = Mentioned.of(self.space)
        self._outcomes: dict[int, list[Outcome]] = defaultdict(list)
        for outcome in self.space.outcomes(*lists):
            if outcome.identity.honest and outcome.cells[0].served:
                self._outcomes[outcome.cells[0].mask].append(outcome)
        self._recorded: dict[tuple[int, int | None], tuple[Level, frozenset[Stage]]] = {}

    def check(self, detection: Detection) -> Fed:
        """What the policy does to a rule: the worst of its steps."""
        steps = [self._step(detection, condition) for condition in detection.steps]
        worst = max(steps, key=lambda one: _WORST.index(one.feed))
        before = [one.base for one in steps if one.base]
        lost = tuple(some for one in steps for some in one.lost)
        return replace(worst, base=max(before, key=_WORST.index) if before else None, lost=lost)

    def _step(self, detection: Detection, condition: Condition) -> Fed:
        seen = list(self._seen(condition))
        if not seen:
            impossible = Feed.IMPOSSIBLE if len(self._policies) > 1 else None
            return Fed(detection, Feed.IMPOSSIBLE, impossible, ())
        feeds = [_feed({one.sees[place] for one in seen}) for place in range(len(self._policies))]
        best = min(seen, key=lambda one: (_WORST.index(one.sees[0]), *_plain_first(one)))
        shown = best if best.sees[0] is not Feed.BLIND else None
        return Fed(
            detection,
            feeds[0],
            feeds[1] if len(feeds) > 1 else None,
            tuple(self._lost(seen)),
            shown.attributes if shown else None,
            shown.demand.values if shown else None,
        )

    def _seen(self, condition: Condition) -> Iterator[_Seen]:
        """Each part of each class that the rule is about."""
        members = Members(condition, self.space, self._mentioned)
        demands: dict[tuple[object, ...], _Demand | None] = {}
        solver = _Solver(condition)
        sees: dict[tuple[int, Level, frozenset[Stage]], Feed] = {}
        for mask, outcomes in self._outcomes.items():
            for member in [one for cell in self.space.cells[mask] if cell.served for one in members.of_cell(cell)]:
                for outcome in outcomes:
                    for user, truth in members.users(outcome.identity, outcome.region):
                        key = member.attributes, truth, user is None
                        if key not in demands:
                            demands[key] = solver.demand(replace(member.attributes, user=user))
                        demand = demands[key]
                        if demand is not None:
                            found = tuple(
                                self._sees(sees, demand, place, rule, stages_of(replace(member.attributes, user=user)))
                                for place, rule in enumerate(outcome.deciding)
                            )
                            yield _Seen(outcome, member, replace(member.attributes, user=user), demand, found)

    def _sees(
        self,
        known: dict[tuple[int, Level, frozenset[Stage]], Feed],
        demand: _Demand,
        place: int,
        rule: int | None,
        emitted: frozenset[Stage],
    ) -> Feed:
        """Whether a policy records what is needed."""
        level, stages = self.recorded(place, rule)
        key = id(demand), level, stages & emitted
        if key not in known:
            moments = [] if level is Level.NONE else [Moment(level, stage) for stage in stages & emitted]
            known[key] = _compare(demand, moments)
        return known[key]

    def recorded(self, place: int, rule: int | None) -> tuple[Level, frozenset[Stage]]:
        """The level that a rule of a policy gives, and the stages that it does not omit."""
        if (place, rule) not in self._recorded:
            policy = self._policies[place]
            decision = decided_by(policy, policy.rule_at(rule))
            self._recorded[place, rule] = decision.level, _STAGES - decision.omit_stages
        return self._recorded[place, rule]

    def _lost(self, seen: list[_Seen]) -> Iterator[Lost]:
        """The requests that the rule does not see, in lines, those that it saw before the change first."""
        groups: dict[_Alike, list[_Seen]] = defaultdict(list)
        for one in seen:
            if one.sees[0] is not Feed.FED:
                new = len(one.sees) > 1 and _WORST.index(one.sees[1]) < _WORST.index(one.sees[0])
                recorded = self.recorded(0, one.outcome.deciding[0])
                key = _Alike(one.outcome.deciding[0], *recorded, new, one.sees[0])
                groups[key].append(one)
        for alike, some in sorted(groups.items(), key=_new_first):
            for whos, parts in _by_who(some):
                first = min(parts, key=_plain_first)
                yield Lost(
                    who_text(self.space.identities, whos),
                    self._what(parts),
                    first.attributes,
                    first.demand.values,
                    self._policies[0].rule_at(alike.rule),
                    alike.level,
                    alike.stages & stages_of(first.attributes) if alike.level is not Level.NONE else frozenset(),
                    frozenset(first.demand.at),
                    alike.new,
                    alike.sees is Feed.PARTLY,
                )

    def _what(self, parts: Sequence[_Seen]) -> str:
        """Verbs, objects and namespaces of the requests, in a line."""
        paths = dict.fromkeys(one.attributes.path for one in parts if not one.attributes.resource_request)
        resources = [one for one in parts if one.attributes.resource_request]
        verbs = listed(list(dict.fromkeys(one.attributes.verb or "OPTIONS" for one in parts)), SHOWN)
        objects = names_of(target for one in resources for target in one.member.targets)
        names = dict.fromkeys(one.attributes.name for one in resources if one.attributes.name in self._mentioned.names)
        named = (
            f" {listed(list(names), SHOWN)}"
            if names and len(names) == len({one.attributes.name for one in resources})
            else ""
        )
        return f"{verbs} {listed([*objects, *paths], SHOWN)}{named}{self._where(resources)}"

    def _where(self, parts: Sequence[_Seen]) -> str:
        """The namespaces of requests, unless it is any."""
        given = dict.fromkeys(name for one in parts for name in one.member.namespaces)
        inside = [name for name in given if name]
        if not inside or "" in given:
            return ""
        if self._mentioned.other_namespace not in inside:
            return f" in {listed(inside, SHOWN)}"
        left = sorted(self._mentioned.namespaces - {*inside, ""})
        return f" outside {listed(left, SHOWN)}" if left else ""


_WORST = (Feed.FED, Feed.PARTLY, Feed.BLIND, Feed.IMPOSSIBLE)
_STAGES = frozenset(Stage) - {Stage.PANIC}


def _feed(sees: set[Feed]) -> Feed:
    """What the parts of the classes say together."""
    return sees.pop() if len(sees) == 1 else Feed.PARTLY


class _Solver:
    """What one condition needs of requests; equal questions are answered once."""

    def __init__(self, condition: Condition) -> None:
        self._condition = condition
        self._by_uri = any(test.field.top == "requestURI" for test in tests_of(condition))
        self._solved: dict[tuple[Condition, bool, Attributes | None], Values | None] = {}

    def demand(self, attributes: Attributes) -> _Demand | None:
        """What the rule needs of a request; None if no event of it can match."""
        at: dict[Moment, Condition] = {}
        best: Values | None = None
        for stage in stages_of(attributes):
            for level in RECORDED:
                left = at_moment(self._condition, attributes, Moment(level, stage))
                values = self._values(left, attributes)
                if values is not None:
                    at[Moment(level, stage)] = left
                    best = values if best is None or stage is Stage.RESPONSE_COMPLETE else best
        return _Demand(attributes, at, best) if best is not None else None

    def _values(self, left: Condition, attributes: Attributes) -> Values | None:
        key = left, attributes.user is None, attributes if self._by_uri else None
        if key not in self._solved:
            self._solved[key] = solve(left, attributes)
        return self._solved[key]


def _compare(demand: _Demand, recorded: Iterable[Moment]) -> Feed:
    """Whether every request that can match at some moment does so at one of the recorded ones."""
    usable = [moment for moment in recorded if moment in demand.at]
    if not usable:
        return Feed.BLIND
    seen = demand.left(usable)
    missed = [left for left in dict.fromkeys(demand.at.values()) if left != seen]
    if seen == TRUE or not missed:
        return Feed.FED
    return Feed.PARTLY if any(solve(both(left, denied(seen)), demand.attributes) for left in missed) else Feed.FED


def _by_who(some: list[_Seen]) -> Iterator[tuple[list[Who], list[_Seen]]]:
    """The parts by the users who send them; users who send the same are together."""
    parts: dict[Who, list[_Seen]] = defaultdict(list)
    for one in some:
        parts[one.outcome.identity, one.outcome.region].append(one)
    alike: dict[frozenset[Attributes], list[Who]] = defaultdict(list)
    for who, seen in parts.items():
        alike[frozenset(one.member.attributes for one in seen)].append(who)
    for whos in alike.values():
        yield whos, parts[whos[0]]


def _plain_first(one: _Seen) -> tuple[object, ...]:
    """Sort key: the requests that explain themselves first."""
    asked = one.attributes
    known = all(target.known for target in one.member.targets[:1])
    return asked.user is None, one.outcome.oddness, not asked.resource_request, bool(asked.subresource), not known


def _new_first(item: tuple[_Alike, list[_Seen]]) -> tuple[Any, ...]:
    alike, some = item
    ordinary = min(one.outcome.oddness for one in some)
    return not alike.new, alike.sees is Feed.PARTLY, ordinary, -1 if alike.rule is None else alike.rule
