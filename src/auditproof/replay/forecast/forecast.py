"""Forecasts what a policy would record of the requests that an API server has counted. Pure.

It is a forecast, not a replay: the counters name neither user, namespace nor object, so rules about those give bounds;
sizes are means of other events; and requests that reach no handler are not counted by series.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.audit.decide import decided_by
from auditproof.audit.event import Level
from auditproof.audit.stages import emitted_stages
from auditproof.replay.forecast.bounds import possible_rules, requests_of
from auditproof.replay.forecast.sizes import bytes_of

if TYPE_CHECKING:
    from auditproof.audit.policy.load import Policy, PolicyRule
    from auditproof.kube.attributes import Attributes
    from auditproof.replay.forecast.counters import Counters
    from auditproof.replay.forecast.sizes import Sizes

_DAY = 86400


@dataclass(frozen=True, slots=True)
class Bounds:
    """Events and bytes a day: at least and at most."""

    least_events: float = 0.0
    most_events: float = 0.0
    least_bytes: float = 0.0
    most_bytes: float = 0.0

    def __add__(self, other: Bounds) -> Bounds:
        return Bounds(
            self.least_events + other.least_events,
            self.most_events + other.most_events,
            self.least_bytes + other.least_bytes,
            self.most_bytes + other.most_bytes,
        )


@dataclass(frozen=True, slots=True)
class Forecast:
    """A forecast for one day: in all, by the index of the rule (None: no rule), by level, and by series.

    ``requests`` is the number of counted requests a day; ``uncounted`` those that the policy was evaluated for and
    that reached no handler, or have not ended; ``unmeasured`` the part of the requests whose size is that of others.
    """

    policy: Policy
    requests: float
    total: Bounds
    rules: dict[int | None, Bounds]
    levels: dict[Level, Bounds]
    series: dict[str, Bounds]
    uncounted: float
    unmeasured: float
    origin: str


def forecast(policy: Policy, counters: Counters, seconds: float, sizes: Sizes) -> Forecast:
    """What ``policy`` would record of ``counters`` that were counted in so many seconds."""
    per_day = _DAY / seconds
    rules: defaultdict[int | None, Bounds] = defaultdict(Bounds)
    levels: defaultdict[Level, Bounds] = defaultdict(Bounds)
    series: defaultdict[str, Bounds] = defaultdict(Bounds)
    requests = sum(counters.requests.values())
    unmeasured = 0
    for one, number in counters.requests.items():
        possible: dict[PolicyRule | None, list[tuple[float, float]]] = defaultdict(list)
        asked = requests_of(one)
        for request in asked:
            for rule in possible_rules(policy, request, one.scope):
                possible[rule].append(_recorded(policy, rule, request, one.code, sizes))
        unmeasured += number * (not all(sizes.of(request)[1] for request in asked))
        whole = _bounds([item for items in possible.values() for item in items], number * per_day)
        series[str(one)] += whole
        for rule, items in possible.items():
            certain = len(possible) == 1
            found = _bounds(items if certain else [*items, (0.0, 0.0)], number * per_day)
            rules[rule.index if rule else None] += found
        _by_level(levels, possible, policy, number * per_day)
    total = sum(series.values(), Bounds())
    return Forecast(
        policy,
        requests * per_day,
        total,
        dict(rules),
        dict(levels),
        dict(sorted(series.items(), key=lambda item: -item[1].most_bytes)),
        max(counters.evaluations - requests, 0) * per_day,
        unmeasured / requests if requests else 0.0,
        sizes.origin,
    )


def _by_level(
    levels: defaultdict[Level, Bounds],
    possible: dict[PolicyRule | None, list[tuple[float, float]]],
    policy: Policy,
    number: float,
) -> None:
    by_level: defaultdict[Level, list[tuple[float, float]]] = defaultdict(list)
    for rule, items in possible.items():
        by_level[decided_by(policy, rule).level] += items
    for level, items in by_level.items():
        if level is not Level.NONE:
            levels[level] += _bounds(items if len(by_level) == 1 else [*items, (0.0, 0.0)], number)


def _recorded(
    policy: Policy, rule: PolicyRule | None, request: Attributes, code: int, sizes: Sizes
) -> tuple[float, float]:
    """Events and bytes of one request if this rule decides."""
    decision = decided_by(policy, rule)
    if decision.level is Level.NONE:
        return 0.0, 0.0
    size, _ = sizes.of(request)
    stages = emitted_stages(request, code) - decision.omit_stages
    return float(len(stages)), sum(bytes_of(size, decision.level, stage) for stage in stages)


def _bounds(items: list[tuple[float, float]], number: float) -> Bounds:
    events, sizes = [one for one, _ in items], [one for _, one in items]
    return Bounds(min(events) * number, max(events) * number, min(sizes) * number, max(sizes) * number)
