"""judge(expectation, evidence): PROVEN, VIOLATED or UNPROVEN, with reasons. Pure.

There are three cases. An exchange or a log that is not *sound* shows nothing: no Audit-ID came back, the log differs
from the server's counters, or no API server writes such an event about this request, whatever its policy. An event in a
sound log can violate an expectation at any time. A *missing* event counts only if nothing casts doubt on the
completeness of the log: with a doubt, absence is neither a proof nor a violation, but UNPROVEN.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from auditproof.audit.event import Level, Stage
from auditproof.audit.stages import emitted_stages
from auditproof.proof.clock import SAME
from auditproof.proof.event_fields import unlike
from auditproof.proof.event_match import contradictions, out_of_time
from auditproof.proof.promised_bodies import broken_promises, impossible_bodies

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.audit.decide import Decision
    from auditproof.audit.event import AuditEvent
    from auditproof.cases.expectation import Expectation
    from auditproof.client.exchange import Exchange
    from auditproof.proof.clock import Clock

# Responses that can come from a filter that runs before the policy is consulted, or (504) before the request has ended:
# then the absence of an event shows nothing (k8s.io/apiserver pkg/server/config.go, DefaultBuildHandlerChain).
UNSETTLED = {429, 503, 504}
# Set by the priority and fairness filter, which runs after the policy was consulted, on every request that is not
# long-running and on watches (pkg/server/filters/priority-and-fairness.go).
FLOW_SCHEMA = "X-Kubernetes-Pf-Flowschema-Uid"
NOT_STORED = b"failed to store audit event"


class Outcome(StrEnum):
    """What was shown about an action, worst first.

    PROVEN: the log shows exactly what is expected. VIOLATED: it shows something else. UNPROVEN: nothing could be shown;
    an error, never a pass. NOT_SUPPORTED: it was skipped, or cannot be performed on this cluster (``judge`` never
    returns it).

    >>> from auditproof import Outcome
    >>> Outcome("PROVEN") is Outcome.PROVEN
    True
    """

    VIOLATED = "VIOLATED"
    UNPROVEN = "UNPROVEN"
    NOT_SUPPORTED = "NOT_SUPPORTED"
    PROVEN = "PROVEN"

    @property
    def rank(self) -> int:
        """The position in the order from worst (0) to best; use it to sort, or to find the worst of several."""
        return list(Outcome).index(self)

    @property
    def is_trouble(self) -> bool:
        """Whether this outcome keeps a run from passing."""
        return self in (Outcome.VIOLATED, Outcome.UNPROVEN)


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known about one action; a Verdict carries it.

    >>> from dataclasses import fields
    >>> from auditproof import Evidence
    >>> [field.name for field in fields(Evidence)][:3]
    ['exchange', 'events', 'decision']

    ``decision`` is the policy's decision. ``doubts`` are reasons why the absence of an event would prove nothing (fence
    not seen, lines that are not events, lost events, a dead server). ``fence`` describes the fence that closed the
    batch. ``unsound`` are reasons why even the events in the log are unreliable (the log holds more or fewer events
    than were counted), ``unclear`` is why it is unknown whether events were lost; usually there are none. ``over``:
    events or the server's own log contain the Audit-ID. ``clock`` is the offset of the server's clock. ``own_api``: the
    API server itself serves the resource, not an aggregated one. ``followed`` are the events of the request that a
    controller sent because of this one, None if the expectation is not about one.
    """

    exchange: Exchange
    events: tuple[AuditEvent, ...]
    decision: Decision
    doubts: tuple[str, ...] = ()
    fence: str = ""
    unsound: tuple[str, ...] = ()
    over: bool = False
    unclear: str | None = None
    clock: Clock = SAME
    own_api: bool = True
    followed: tuple[AuditEvent, ...] | None = None

    @property
    def watched(self) -> tuple[AuditEvent, ...]:
        """The events that the expectation's watcher reads."""
        return self.events if self.followed is None else self.followed

    @property
    def level(self) -> Level:
        """The highest level at which the action was recorded; NONE if it was not recorded."""
        return max((event.level for event in self.events), default=Level.NONE)

    @property
    def stages(self) -> frozenset[Stage]:
        """The stages at which the action was recorded."""
        return frozenset(event.stage for event in self.events)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was shown about one action.

    ``reasons`` are empty for PROVEN; otherwise the first one is the most important. ``level`` and ``stages`` are the
    expected ones, ``evidence`` is all that is known about the action.

    >>> from auditproof import Outcome, Verdict
    >>> [field for field in Verdict.__slots__]
    ['outcome', 'reasons', 'level', 'stages', 'evidence']
    """

    outcome: Outcome
    reasons: tuple[str, ...]
    level: Level
    stages: frozenset[Stage]
    evidence: Evidence


def judge(expectation: Expectation, evidence: Evidence) -> Verdict:
    """Compare the evidence of one action with the expectation, and with the policy's own Decision.

    The order of the checks matters: an unsound log outweighs everything, and an event that contradicts the expectation
    needs no fence, unlike a missing one.
    """
    level = evidence.decision.level if expectation.level is None else expectation.level
    stages = expected_stages(expectation, evidence, level)
    # All of them are computed in any case: whatever the outcome, its reasons say everything that is wrong.
    unsound = (*_unsound_exchange(evidence), *evidence.unsound, *_unsound_events(evidence))
    seen = tuple(_seen_wrong(expectation, evidence, level, stages))
    missing = tuple(_missing(expectation, evidence, level, stages))
    answer = tuple(_doubts(expectation, evidence))
    # Lost events matter unless the request has an event at every stage that it reaches: also a stage that is rightly
    # absent must be shown to be absent.
    reached = emitted_stages(evidence.exchange.attributes, evidence.exchange.status)
    absent = missing or not evidence.events or not evidence.watched or bool(reached - evidence.stages)
    doubts = (*answer, *evidence.doubts, *([evidence.unclear] if evidence.unclear and absent else []))
    if unsound:
        reasons = tuple(dict.fromkeys((*unsound, *doubts, *seen, *missing)))  # some are found in two ways
        return Verdict(Outcome.UNPROVEN, reasons, level, stages, evidence)
    if seen or (missing and not doubts):  # an unexpected response may be the cause, so it is among the reasons
        return Verdict(Outcome.VIOLATED, seen + missing + answer, level, stages, evidence)
    if doubts:
        return Verdict(Outcome.UNPROVEN, doubts + missing, level, stages, evidence)
    return Verdict(Outcome.PROVEN, (), level, stages, evidence)


def expected_stages(expectation: Expectation, evidence: Evidence, level: Level) -> frozenset[Stage]:
    """The stages at which an event is expected: those of the case, otherwise all that are emitted and not omitted."""
    if level is Level.NONE:
        return frozenset()
    return _kept_stages(evidence) if expectation.stages is None else expectation.stages


def is_refused(exchange: Exchange) -> bool:
    """Whether the server refused the request because it could not be recorded.

    Source: WithAudit in k8s.io/apiserver pkg/endpoints/filters/audit.go, in mode blocking-strict.
    """
    return exchange.status == 500 and NOT_STORED in exchange.body


def decided_stages(evidence: Evidence) -> frozenset[Stage]:
    """The stages at which the policy itself records the action, whatever the case says."""
    return frozenset() if evidence.decision.level is Level.NONE else _kept_stages(evidence)


def _kept_stages(evidence: Evidence) -> frozenset[Stage]:
    exchange = evidence.exchange
    return emitted_stages(exchange.attributes, exchange.status) - evidence.decision.omit_stages


def _seen_wrong(expectation: Expectation, evidence: Evidence, level: Level, stages: frozenset[Stage]) -> Iterator[str]:
    """Every contradiction between the expectation and the events that are in the log; needs no fence."""
    if evidence.events and not stages:
        nothing = "excluded" if level is Level.NONE else f"no event ({level}, but every stage is omitted)"
        yield f"recorded at {evidence.level}, expected {nothing}"
    elif evidence.events and evidence.level is not level:
        yield f"recorded at {evidence.level}, expected {level}"
    # What the case allows and the policy does not: the other differences are reported above and below.
    beyond = (evidence.stages & stages) - decided_stages(evidence)
    if evidence.events and evidence.level is not evidence.decision.level:
        yield f"recorded at {evidence.level}, {_decided(evidence)}: {WHO_IS_WRONG}"
    elif beyond:
        yield f"recorded at stage {_names(beyond)}, {_decided(evidence)} without it: {WHO_IS_WRONG}"
    for stage in sorted(evidence.stages):
        if stages and stage not in stages:
            yield f"recorded at stage {stage}, expected only {_names(stages)}"
    for event in evidence.events:
        yield from broken_promises(
            event, evidence.exchange, evidence.decision, own_api=evidence.own_api, unwanted=expectation.absent
        )
    if evidence.events and stages <= evidence.stages:  # otherwise the last event may be the missing one
        yield from unlike(expectation, evidence.events[-1])
    if expectation.watcher is not None:
        yield from expectation.watcher.unlike([event.raw for event in evidence.watched])


WHO_IS_WRONG = "either the server does not run this policy, or auditproof is wrong"


def _decided(evidence: Evidence) -> str:
    rule = evidence.decision.rule
    if rule is None:
        return "but no rule of the policy matches (level None)"
    return f"but the policy decides {evidence.decision.level} by rule {rule.index + 1} (line {rule.position.line})"


def _missing(expectation: Expectation, evidence: Evidence, level: Level, stages: frozenset[Stage]) -> Iterator[str]:
    """Every event that is missing in the log; it counts only if a fence shows that the log is complete."""
    absent, unstated = stages - evidence.stages, decided_stages(evidence) - evidence.stages - stages
    if expectation.watcher is not None:
        yield from expectation.watcher.missing([event.raw for event in evidence.watched])
    if not evidence.events:
        if stages:
            yield f"not recorded, expected {level}"
        elif expectation.level not in (None, Level.NONE) and evidence.decision.level is not expectation.level:
            yield f"not recorded, expected {expectation.level}: {_decided(evidence).removeprefix('but ')}"
        # Without this, fields that a case states would pass unchecked where the policy records nothing.
        for key in ("present", "event", "stages"):  # not ``absent``: it holds without any event
            if not stages and getattr(expectation, key):
                yield f"not recorded, so there is no event to compare with the case's {key}"
        yield from [f"not recorded, {_decided(evidence)}: {WHO_IS_WRONG}"] if decided_stages(evidence) else []
        return
    if absent:
        yield f"not recorded at stage {_names(absent)}, expected {_names(stages)}"
    if unstated:
        yield f"not recorded at stage {_names(unstated)}, {_decided(evidence)}: {WHO_IS_WRONG}"


def _unsound_exchange(evidence: Evidence) -> Iterator[str]:
    """Why the response shows nothing: there is none, or it is not from the API server that handled the request.

    A client that hung up saw no response, and one that asked for another protocol sees the kubelet's, which has no
    Audit-ID: then events, or a line of the server's own log, must contain it (``over``).
    """
    exchange = evidence.exchange
    echo = exchange.header("Audit-Id")
    if exchange.error or not (exchange.status or exchange.request.hangs_up):
        yield f"the request got no complete response: {exchange.error or 'no status'}"
    elif echo and not exchange.echoed:
        yield f"the response has Audit-ID {echo}, but {exchange.audit_id} was sent: something in between changed it"
    elif exchange.status and not echo and not exchange.request.upgrade:
        yield (
            f"got HTTP {exchange.status} without the Audit-ID that was sent: the response is not from the handlers of "
            "the API server, but from its HTTP server or something in between, and shows nothing"
        )
    elif exchange.status and not echo and not evidence.over:
        yield f"got HTTP {exchange.status}, but no log shows that the API server has handled this request"


def _unsound_events(evidence: Evidence) -> Iterator[str]:
    """Why the events with this Audit-ID may not be the ones that the server wrote."""
    keys = [(event.stage, str(event.raw.get("stageTimestamp"))) for event in evidence.events]
    for (stage, _), count in Counter(keys).items():
        if count > 1:
            yield f"the log holds the same event {count} times (stage {stage}): a server writes each once"
    # A panic can happen in any handler, so its stage is possible with every request.
    possible = emitted_stages(evidence.exchange.attributes, evidence.exchange.status) | {Stage.PANIC}
    for reached, count in sorted(Counter(event.stage for event in evidence.events).items()):
        if reached not in possible:
            yield f"recorded at stage {reached}, which no server reaches with this request"
        elif count > 1:
            yield f"recorded {count} times at stage {reached}: a server reaches it once"
    # One evaluation of the policy serves all stages (filters/audit.go, evaluatePolicyAndCreateAuditEvent).
    if len({event.level for event in evidence.events}) > 1:
        yield "recorded at two levels: a server decides each request once"
    for event in evidence.events:
        yield from contradictions(event, evidence.exchange)
        yield from impossible_bodies(event, evidence.exchange, own_api=evidence.own_api)
    yield from out_of_time(evidence.events, evidence.exchange, evidence.clock)


def _doubts(expectation: Expectation, evidence: Evidence) -> Iterator[str]:
    """Why, judging by the response, the absence of an event proves nothing."""
    exchange = evidence.exchange
    if not exchange.status:
        return
    if expectation.watcher is not None:
        yield from expectation.watcher.doubts([event.raw for event in evidence.watched])
    if expectation.status is not None and exchange.status != expectation.status:
        yield f"got HTTP {exchange.status}, expected {expectation.status}: the test did not do what it was meant to"
    # A case that expects such a status is about it: then it casts no doubt.
    if exchange.status in UNSETTLED and exchange.status != expectation.status:
        yield f"got HTTP {exchange.status}: it can be sent before the policy is consulted, or before the request ends"
    elif not evidence.events and _may_come_before_the_policy(exchange):
        yield f"got HTTP {exchange.status}, possibly from a filter that runs before the policy is consulted"


def _may_come_before_the_policy(exchange: Exchange) -> bool:
    """Whether a filter that runs before the audit may have responded: an invalid path (500), a CORS preflight (204).

    staging/src/k8s.io/apiserver/pkg/server/filters/cors.go ends an OPTIONS request with 204 and no other status.
    """
    reached = bool(exchange.header(FLOW_SCHEMA)) or exchange.request.upgrade
    preflight = exchange.request.method == "OPTIONS" and exchange.status == 204
    return not reached and (exchange.status == 500 or preflight)


def _names(stages: frozenset[Stage]) -> str:
    return ", ".join(stage for stage in Stage if stage in stages)
