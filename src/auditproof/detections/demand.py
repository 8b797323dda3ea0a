"""What a rule needs of one request, and whether what a policy records of it suffices. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from auditproof.audit.event import Stage
from auditproof.detections.condition import TRUE, both, either, tests_of
from auditproof.detections.moments import RECORDED, Moment, at_moment, stages_of
from auditproof.detections.solving import URI, Values, denied, solve

if TYPE_CHECKING:
    from collections.abc import Iterable

    from auditproof.detections.condition import Condition
    from auditproof.kube.attributes import Attributes


class Feed(StrEnum):
    """Whether a policy feeds a rule; the values are the words of every output.

    FED: every request that the rule is about is recorded so that it can match. PARTLY: some are. BLIND: none is.
    IMPOSSIBLE: no event that an API server writes can match, whatever the policy.
    """

    FED = "FED"
    PARTLY = "PARTLY"
    BLIND = "BLIND"
    IMPOSSIBLE = "IMPOSSIBLE"


WORST = (Feed.FED, Feed.PARTLY, Feed.BLIND, Feed.IMPOSSIBLE)


@dataclass(frozen=True, slots=True)
class Demand:
    """What a rule needs of one request: the condition on its free fields at each moment at which it can match."""

    attributes: Attributes
    at: dict[Moment, Condition]
    values: Values

    def left(self, moments: Iterable[Moment]) -> Condition:
        """The condition under which one of these moments matches."""
        return either(*(self.at[moment] for moment in moments if moment in self.at))


def feed_of(sees: set[Feed]) -> Feed:
    """What the parts of the classes say together."""
    return sees.pop() if len(sees) == 1 else Feed.PARTLY


class Solver:
    """What one condition needs of requests; equal questions are answered once."""

    def __init__(self, condition: Condition) -> None:
        self._condition = condition
        self._by_uri = any(test.field.top == "requestURI" for test in tests_of(condition))
        self._solved: dict[tuple[Condition, bool, object], Values | None] = {}

    def demand(self, attributes: Attributes, signature: object = None) -> Demand | None:
        """What the rule needs of a request; None if no event of it can match.

        Requests with the same ``signature`` (None: it has none) need the same, with other values for a URI.
        """
        at: dict[Moment, Condition] = {}
        best: Values | None = None
        for stage in stages_of(attributes):
            for level in RECORDED:
                left = at_moment(self._condition, attributes, Moment(level, stage))
                values = self._values(left, attributes, signature)
                if values is not None:
                    at[Moment(level, stage)] = left
                    best = values if best is None or stage is Stage.RESPONSE_COMPLETE else best
        return Demand(attributes, at, best) if best is not None else None

    def _values(self, left: Condition, attributes: Attributes, signature: object) -> Values | None:
        key = left, attributes.user is None, (signature or attributes) if self._by_uri else None
        if key not in self._solved:
            self._solved[key] = solve(left, attributes)
        return self._solved[key]


def values_of(condition: Condition, demand: Demand, attributes: Attributes) -> Values:
    """The values of a demand for another request with the same signature: only a URI is not the same."""
    if URI not in demand.values.of:
        return demand.values
    found = Solver(condition).demand(attributes)
    return found.values if found else Values()


def compare(demand: Demand, recorded: Iterable[Moment]) -> Feed:
    """Whether every request that can match at some moment does so at one of the recorded ones."""
    usable = [moment for moment in recorded if moment in demand.at]
    if not usable:
        return Feed.BLIND
    seen = demand.left(usable)
    missed = [left for left in dict.fromkeys(demand.at.values()) if left != seen]
    if seen == TRUE or not missed:
        return Feed.FED
    return Feed.PARTLY if any(solve(both(left, denied(seen)), demand.attributes) for left in missed) else Feed.FED
