"""check_detections(policy, rules, served): whether a policy feeds detection rules, over every class of requests. Pure.

A request matters to a rule if an event of it can match at some level and stage, all fields that the rule reads being
there. The policy feeds the rule for that request if the same happens with the events that are recorded. Requests that
no honest client sends, or that the server does not serve, do not matter.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from auditproof.analysis.space import Space
from auditproof.analysis.space.streams import STREAMS
from auditproof.audit.decide import decided_by
from auditproof.audit.event import Level, Stage
from auditproof.detections.condition import FALSE, And
from auditproof.detections.demand import WORST, Feed, Solver, compare, feed_of, values_of
from auditproof.detections.lost import Lost, Seen, lost_lines, plain_first
from auditproof.detections.members import Members
from auditproof.detections.mentioned import Mentioned
from auditproof.detections.moments import Moment, stages_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from auditproof.analysis.space import ClassDecision
    from auditproof.audit.policy.load import Policy, PolicyRule
    from auditproof.detections.condition import Condition
    from auditproof.detections.demand import Demand
    from auditproof.detections.detection import Detection
    from auditproof.detections.solving import Values
    from auditproof.kube.attributes import Attributes
    from auditproof.kube.discovery import Served


_STAGES = frozenset(Stage) - {Stage.PANIC}


@dataclass(frozen=True, slots=True)
class Fed:
    """What a policy does to one rule: its ``feed``, that of the ``base`` before a change, and the requests it loses.

    ``witness`` is a request that the rule sees, with ``values`` of its other fields; None if there is none. ``never``
    is the part of an IMPOSSIBLE rule's condition that no event meets.
    """

    detection: Detection
    feed: Feed
    base: Feed | None
    lost: tuple[Lost, ...]
    witness: Attributes | None = None
    values: Values | None = None
    never: Condition | None = None

    @property
    def why_never(self) -> str:
        """Of an IMPOSSIBLE rule, what no event has; empty for others."""
        if self.never is None:
            return ""
        return "its condition is false for every event" if self.never == FALSE else str(self.never)

    @property
    def worse(self) -> bool:
        """Whether the change takes requests from the rule."""
        return any(one.new for one in self.lost)


def check_detections(
    policy: Policy,
    detections: Sequence[Detection],
    served: Served,
    base: Policy | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[Fed, ...]:
    """Check a policy against rules, each over every class of requests that both tell apart.

    ``served`` is what the API server serves, ``base`` the policy before a change, if any. ``progress`` is called with a
    line of text before each rule.

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
    found = []
    for number, detection in enumerate(detections, 1):
        progress(f"{number} of {len(detections)} rules: {detection.title}")
        found.append(scope.check(detection))
    return tuple(found)


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
        self._outcomes: dict[int, list[ClassDecision]] = defaultdict(list)
        for outcome in self.space.outcomes(*lists):
            if outcome.identity.honest and outcome.cells[0].served:
                self._outcomes[outcome.cells[0].mask].append(outcome)
        self._recorded: dict[tuple[int, int | None], tuple[Level, frozenset[Stage]]] = {}

    def check(self, detection: Detection) -> Fed:
        """What the policy does to a rule: the worst of its steps."""
        steps = [self._step(detection, condition) for condition in detection.steps]
        worst = max(steps, key=lambda one: WORST.index(one.feed))
        before = [one.base for one in steps if one.base]
        lost = tuple(some for one in steps for some in one.lost)
        return replace(worst, base=max(before, key=WORST.index) if before else None, lost=lost)

    def _step(self, detection: Detection, condition: Condition) -> Fed:
        seen = list(self._seen(condition))
        if not seen:
            impossible = Feed.IMPOSSIBLE if len(self._policies) > 1 else None
            return Fed(detection, Feed.IMPOSSIBLE, impossible, (), never=self._never(condition))
        feeds = [feed_of({one.sees[place] for one in seen}) for place in range(len(self._policies))]
        best = min(seen, key=lambda one: (WORST.index(one.sees[0]), *plain_first(one)))
        shown = best if best.sees[0] is not Feed.BLIND else None
        return Fed(
            detection,
            feeds[0],
            feeds[1] if len(feeds) > 1 else None,
            tuple(lost_lines(seen, condition, self._policies[0], self.space.identities, self._mentioned)),
            shown.attributes if shown else None,
            values_of(condition, shown.demand, shown.attributes) if shown else None,
        )

    def _never(self, condition: Condition) -> Condition:
        """The smallest part of an impossible conjunction that is impossible alone, or all of it."""
        parts = condition.parts if isinstance(condition, And) else ()
        alone = next((part for part in parts if next(self._seen(part), None) is None), None)
        return condition if alone is None else self._never(alone)

    def _seen(self, condition: Condition) -> Iterator[Seen]:
        """Each part of each class that the rule is about."""
        members = Members(condition, self.space, self._mentioned)
        demands: dict[tuple[object, ...], Demand | None] = {}
        solver = Solver(condition)
        sees: dict[tuple[int, Level, frozenset[Stage]], Feed] = {}
        for mask, outcomes in self._outcomes.items():
            some = [one for cell in self.space.cells[mask] if cell.served for one in members.of_cell(cell)]
            if not some:
                continue
            asking = [
                (outcome, members.users(outcome.identity, outcome.region), self._recorded_by_all(outcome))
                for outcome in outcomes
            ]
            for member in some:
                for outcome, users, recorded in asking:
                    for user, truth in users:
                        key = member.signature, truth, user is None
                        if key not in demands:
                            demands[key] = solver.demand(replace(member.attributes, user=user), member.signature)
                        if (demand := demands[key]) is not None:
                            found = tuple(_sees(sees, demand, *one) for one in recorded)
                            yield Seen(outcome, member, user, demand, found, *recorded[0])

    def _recorded_by_all(self, outcome: ClassDecision) -> list[tuple[Level, frozenset[Stage]]]:
        """How each policy records the requests of an outcome."""
        return [self._recorded_by(place, rule) for place, rule in enumerate(outcome.deciding)]

    def _recorded_by(self, place: int, rule: int | None) -> tuple[Level, frozenset[Stage]]:
        """The level that a rule of a policy gives, and the stages that it does not omit."""
        if (place, rule) not in self._recorded:
            policy = self._policies[place]
            decision = decided_by(policy, policy.rule_at(rule))
            self._recorded[place, rule] = decision.level, _STAGES - decision.omit_stages
        return self._recorded[place, rule]


def _sees(
    known: dict[tuple[int, Level, frozenset[Stage]], Feed], demand: Demand, level: Level, stages: frozenset[Stage]
) -> Feed:
    """Whether a policy that records at this level and these stages records what is needed."""
    key = id(demand), level, stages
    if key not in known:
        emitted = stages_of(demand.attributes)
        moments = [] if level is Level.NONE else [Moment(level, stage) for stage in stages & emitted]
        known[key] = compare(demand, moments)
    return known[key]
