"""judge(expectation, evidence): PROVEN, VIOLATED or UNPROVEN, with reasons. Pure.

What was seen in the log can violate an expectation at any time. What was *not* seen counts only where nothing casts
doubt on the log's being complete: with a doubt, absence is neither a proof nor a violation, but UNPROVEN.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from auditproof.audit import Level, Stage
from auditproof.fields import unlike
from auditproof.stages import emitted_stages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from auditproof.action import Request
    from auditproof.attributes import Attributes
    from auditproof.audit import AuditEvent
    from auditproof.decide import Decision
    from auditproof.expect import Expectation
    from auditproof.identity import Identity

# Answers that can come from the filters above the one that consults the policy, or (504) before the request has ended:
# the absence of an event says nothing then (k8s.io/apiserver pkg/server/config.go, DefaultBuildHandlerChain).
UNSETTLED = {429, 503, 504}
NOT_STORED = b"failed to store audit event"


class Outcome(StrEnum):
    """The three values of a verdict."""

    PROVEN = "PROVEN"
    VIOLATED = "VIOLATED"
    UNPROVEN = "UNPROVEN"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request with its response.

    ``error`` is the transport's own message where no complete response came, and ``status`` is 0 without any.
    """

    audit_id: str
    identity: Identity
    request: Request
    attributes: Attributes
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    started: datetime
    finished: datetime
    error: str = ""

    def header(self, name: str) -> str:
        """The first value of a response header, or an empty text."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known about one action.

    ``decision`` is the policy's, ``doubts`` say why the absence of an event would prove nothing (fence not seen, lines
    that are no events, lost events, a dead server); ``fence`` says in words what closed the scan.
    """

    exchange: Exchange
    events: tuple[AuditEvent, ...]
    decision: Decision
    doubts: tuple[str, ...] = ()
    fence: str = ""

    @property
    def level(self) -> Level:
        """The highest level at which the action was recorded; NONE where it was not."""
        return max((event.level for event in self.events), default=Level.NONE)

    @property
    def stages(self) -> frozenset[Stage]:
        """The stages at which the action was recorded."""
        return frozenset(event.stage for event in self.events)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was shown about one action; ``reasons`` are empty for PROVEN, else the first one says it all."""

    outcome: Outcome
    reasons: tuple[str, ...]
    level: Level
    stages: frozenset[Stage]
    evidence: Evidence


def judge(expectation: Expectation, evidence: Evidence) -> Verdict:
    """Hold the evidence of one action against what is expected of it, and against the policy's own Decision."""
    level = evidence.decision.level if expectation.level is None else expectation.level
    stages = expected_stages(expectation, evidence, level)
    seen = tuple(_seen_wrong(expectation, evidence, level, stages))
    missing = tuple(_missing(expectation, evidence, level, stages))
    answer = tuple(_doubts(expectation, evidence))
    doubts = (*answer, *evidence.doubts)
    if seen or (missing and not doubts):  # an answer that was not meant may be why
        return Verdict(Outcome.VIOLATED, seen + missing + answer, level, stages, evidence)
    if doubts:
        return Verdict(Outcome.UNPROVEN, doubts + missing, level, stages, evidence)
    return Verdict(Outcome.PROVEN, (), level, stages, evidence)


def expected_stages(expectation: Expectation, evidence: Evidence, level: Level) -> frozenset[Stage]:
    """The stages at which an event must stand: stated by the case, else all that are emitted and not omitted."""
    if level is Level.NONE:
        return frozenset()
    return _kept_stages(evidence) if expectation.stages is None else expectation.stages


def is_refused(exchange: Exchange) -> bool:
    """Whether the server refused the request because it could not be recorded.

    Source: WithAudit in k8s.io/apiserver pkg/endpoints/filters/audit.go, in mode blocking-strict.
    """
    return exchange.status == 500 and NOT_STORED in exchange.body


def decided_stages(evidence: Evidence) -> frozenset[Stage]:
    """The stages at which the policy itself, whatever the case says, has the action recorded."""
    return frozenset() if evidence.decision.level is Level.NONE else _kept_stages(evidence)


def _kept_stages(evidence: Evidence) -> frozenset[Stage]:
    exchange = evidence.exchange
    return emitted_stages(exchange.attributes, exchange.status) - evidence.decision.omit_stages


def _seen_wrong(expectation: Expectation, evidence: Evidence, level: Level, stages: frozenset[Stage]) -> Iterator[str]:
    """Everything that an event in the log shows to be wrong: no fence is needed for what is there."""
    yield from _out_of_bounds(expectation, evidence) if evidence.events else ()
    if evidence.events and not stages:
        yield f"recorded at {evidence.level}, expected {_excluded(level)}"
    elif evidence.events and evidence.level is not level:
        yield f"recorded at {evidence.level}, expected {level}"
    yield from _against_decision(evidence, stages)
    yield from _wrong_stages(evidence, stages)
    for event in evidence.events:
        yield from _bodies_beyond_level(event)
        yield from _identity_and_attributes(event, evidence.exchange)
    if evidence.events and stages <= evidence.stages:  # else the last event may be the one that is not there
        yield from unlike(expectation, evidence.events[-1])


def _out_of_bounds(expectation: Expectation, evidence: Evidence) -> Iterator[str]:
    """What a requirement does not allow."""
    found = f"recorded at {evidence.level}" if evidence.events else "not recorded"
    if expectation.least is not None and evidence.level < expectation.least:
        yield f"{found}, required is at least {expectation.least}"
    if expectation.most is not None and evidence.level > expectation.most:
        yield f"{found}, required is at most {expectation.most}"


def _excluded(level: Level) -> str:
    return "excluded" if level is Level.NONE else f"no event ({level}, but every stage is omitted)"


def _against_decision(evidence: Evidence, stages: frozenset[Stage]) -> Iterator[str]:
    """What the case allows and the policy does not; what neither does is told already."""
    decided = evidence.decision.level
    beyond = (evidence.stages & stages) - decided_stages(evidence)
    if evidence.events and evidence.level is not decided:
        yield f"recorded at {evidence.level}, {_decided(evidence)}: {_WHO_IS_WRONG}"
    elif beyond:
        yield f"recorded at stage {_names(beyond)}, {_decided(evidence)} without it: {_WHO_IS_WRONG}"


_WHO_IS_WRONG = "either the server does not run this policy, or auditproof is wrong"


def _decided(evidence: Evidence) -> str:
    rule = evidence.decision.rule
    if rule is None:
        return "but no rule of the policy matches (level None)"
    return f"but the policy decides {evidence.decision.level} by rule {rule.index + 1} (line {rule.position.line})"


def _wrong_stages(evidence: Evidence, stages: frozenset[Stage]) -> Iterator[str]:
    counts = Counter(event.stage for event in evidence.events)
    for stage, count in sorted(counts.items()):
        if stages and stage not in stages:
            yield f"recorded at stage {stage}, expected only {_names(stages)}"
        if count > 1:
            yield f"recorded {count} times at stage {stage}, expected once"


def _bodies_beyond_level(event: AuditEvent) -> Iterator[str]:
    """An event must not hold more than its level allows (audit.k8s.io/v1: requestObject, responseObject)."""
    for field, needed in (("requestObject", Level.REQUEST), ("responseObject", Level.REQUEST_RESPONSE)):
        if field in event.raw and event.level < needed:
            yield f"the event at level {event.level} holds a {field}"


def _identity_and_attributes(event: AuditEvent, exchange: Exchange) -> Iterator[str]:
    """The event must be about the request that was sent, by the user that sent it."""
    attributes = exchange.attributes
    recorded = {"user": event.username, "verb": event.raw.get("verb", ""), **event.raw.get("objectRef", {})}
    sent = {
        "user": attributes.user.name if attributes.user else "",
        "verb": attributes.verb,
        "resource": attributes.resource,
        "subresource": attributes.subresource,
        "apiGroup": attributes.api_group,
        "namespace": attributes.namespace,
        "name": attributes.name,
    }
    for key, value in sent.items():
        found = recorded.get(key, "")
        if found != value and (value or key not in _FILLED_IN):
            yield f"the event names {key} {found!r}, auditproof computed {value!r} from the request"


# Where the path has none, the server takes them from the body (k8s.io/apiserver pkg/audit/request.go LogRequestObject).
_FILLED_IN = {"namespace", "name"}


def _missing(expectation: Expectation, evidence: Evidence, level: Level, stages: frozenset[Stage]) -> Iterator[str]:
    """Everything that should stand in the log and does not: worth something only behind a fence."""
    absent, unstated = stages - evidence.stages, decided_stages(evidence) - evidence.stages - stages
    if not evidence.events:
        yield from _out_of_bounds(expectation, evidence)
        yield from [f"not recorded, expected {level}"] if stages else []
        yield from [f"not recorded, {_decided(evidence)}: {_WHO_IS_WRONG}"] if decided_stages(evidence) else []
        return
    if absent:
        yield f"not recorded at stage {_names(absent)}, expected {_names(stages)}"
    if unstated:
        yield f"not recorded at stage {_names(unstated)}, {_decided(evidence)}: {_WHO_IS_WRONG}"


def _doubts(expectation: Expectation, evidence: Evidence) -> Iterator[str]:
    """What in the exchange itself keeps it from proving anything."""
    exchange = evidence.exchange
    if exchange.error or not (exchange.status or exchange.request.hangs_up):
        yield f"the request got no complete answer: {exchange.error or 'no status'}"
        return
    if expectation.status is not None and exchange.status != expectation.status:
        yield f"answered {exchange.status}, the case says {expectation.status}: this is not the action that was meant"
    if exchange.status in UNSETTLED and exchange.status != expectation.status:
        yield f"answered {exchange.status}: that can come before the policy is consulted, or before the request ends"
    echo = exchange.header("Audit-Id")
    if echo and echo != exchange.audit_id:
        yield f"the server answered with Audit-ID {echo}, sent was {exchange.audit_id}: something between changed it"


def _names(stages: frozenset[Stage]) -> str:
    return ", ".join(stage for stage in Stage if stage in stages)
