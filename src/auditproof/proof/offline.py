"""Recorded events of somebody else's API server held against a policy. Pure.

An event says who asked for what, and at which level and stage that was recorded; so the policy's Decision about this
very request can be held against it. What left no event cannot be judged: an excluded request, a lost one, a rule that
nobody met.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from auditproof.audit.decide import decide
from auditproof.audit.event import Level, Stage
from auditproof.audit.stages import emitted_stages
from auditproof.kube.attributes import (
    METHODS_OF_EVERY_VERB,
    Attributes,
    NotAudited,
    UserInfo,
    attributes_of,
    is_long_running,
)
from auditproof.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from auditproof.audit.decide import Decision
    from auditproof.audit.event import AuditEvent
    from auditproof.audit.policy.load import Policy

TRUNCATED = "audit.k8s.io/truncated"  # k8s.io/apiserver plugin/pkg/audit/truncate/truncate.go
AT_THE_BEGINNING = timedelta(seconds=1)
SETTLED = timedelta(seconds=120)  # twice the --request-timeout that an API server has without being told


def asked_by(raw: Mapping[str, Any]) -> Attributes:
    """What the policy saw of the request that an event is about.

    The name in objectRef may come from the body, which the policy does not see; so the request line is read again, and
    objectRef is believed only where that gives another verb (a proxy's method is not in the event).
    """
    user = raw.get("user") or {}
    info = UserInfo(user.get("username", ""), tuple(user.get("groups", ()))) if user else None
    verb, uri, reference = str(raw.get("verb", "")), str(raw.get("requestURI", "")), raw.get("objectRef")
    method = METHODS_OF_EVERY_VERB.get(verb, "GET") if reference is not None else verb.upper()
    try:
        found = attributes_of(method, uri, info)
    except NotAudited:
        found = Attributes(info, "")
    if found.verb == verb and found.resource_request == (reference is not None):
        return found
    if reference is None:
        return Attributes(info, verb, path=uri.partition("?")[0], resource_request=False)
    keys = ("namespace", "apiGroup", "apiVersion", "resource", "subresource", "name")
    namespace, group, version, resource, subresource, name = (str(reference.get(key, "")) for key in keys)
    return Attributes(info, verb, namespace, group, version, resource, subresource, name)


@dataclass(slots=True)
class Kind:
    """Requests that a rule decides and that ask for the same thing: how many there were, and what was wrong with any.

    ``example`` is the event that shows most: the first that is wrong, else the first of all.
    """

    name: str
    decision: Decision
    attributes: Attributes
    example: AuditEvent
    requests: int = 0
    complete: int = 0
    users: set[str] = field(default_factory=set)
    wrong: Counter[str] = field(default_factory=Counter)
    incomplete: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Open:
    """A request of which some stage has not been read yet."""

    kind: Kind
    attributes: Attributes
    event: AuditEvent
    seen: set[Stage]


class Judgement:
    """Takes events in any order and holds each against the policy; then says what they come to."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._decisions: dict[Attributes, Decision] = {}
        self._open: dict[str, _Open] = {}
        self._done: set[str] = set()
        self.kinds: dict[tuple[Any, ...], Kind] = {}
        self.truncated = 0
        self.first: datetime | None = None
        self.last: datetime | None = None

    def add(self, event: AuditEvent) -> tuple[Attributes, Decision]:
        """Judge one event; answers what the policy saw, and decides."""
        attributes = asked_by(event.raw)
        decision = self._decide(attributes)
        kind = self._kind(event, attributes, decision)
        for problem in _problems(event, decision):
            if not kind.wrong:
                kind.example = event
            kind.wrong[problem] += 1
        self.truncated += TRUNCATED in event.raw.get("annotations", {})
        self._note_time(_time(event.raw.get("stageTimestamp")))
        self._follow(event, attributes, kind)
        return attributes, decision

    def close(self) -> None:
        """Say of what is not complete whether it must be: it may have begun before the log, or go on after it."""
        for audit_id, request in self._open.items():
            missing = self._missing(request.event, request.attributes, request.seen)
            if missing and not self._at_an_edge(request, missing):
                names = ", ".join(stage for stage in Stage if stage in missing)
                request.kind.incomplete.append(f"Audit-ID {audit_id} is not recorded at stage {names}")

    def _decide(self, attributes: Attributes) -> Decision:
        if attributes not in self._decisions:
            self._decisions[attributes] = decide(self._policy, attributes)
        return self._decisions[attributes]

    def _kind(self, event: AuditEvent, attributes: Attributes, decision: Decision) -> Kind:
        rule = decision.rule.index if decision.rule else None
        what = _what(attributes)
        key = (rule, attributes.verb, what)
        if key not in self.kinds:
            number = "no-rule" if rule is None else f"rule-{rule + 1:02}"
            name = printable(f"{number}-{attributes.verb or 'options'}-{what}")
            self.kinds[key] = Kind(name, decision, attributes, event)
        return self.kinds[key]

    def _follow(self, event: AuditEvent, attributes: Attributes, kind: Kind) -> None:
        """Put the stages of a request together."""
        request = self._open.get(event.audit_id)
        if request is None:
            kind.requests += event.audit_id not in self._done
            kind.users.add(event.username)
            request = self._open[event.audit_id] = _Open(kind, attributes, event, set())
        request.seen.add(event.stage)
        if event.code is not None:
            request.event = event
        if not self._missing(request.event, attributes, request.seen):
            kind.complete += 1
            self._done.add(event.audit_id)
            del self._open[event.audit_id]

    def _missing(self, event: AuditEvent, attributes: Attributes, seen: set[Stage]) -> set[Stage]:
        due = emitted_stages(attributes, event.code or 0) - self._decide(attributes).omit_stages
        return set() if Stage.PANIC in seen else set(due) - seen

    def _at_an_edge(self, request: _Open, missing: set[Stage]) -> bool:
        begin = _time(request.event.raw.get("requestReceivedTimestamp"))
        if begin is None or self.first is None or self.last is None:
            return True
        if Stage.REQUEST_RECEIVED in missing and begin <= self.first + AT_THE_BEGINNING:
            return True
        goes_on = is_long_running(request.attributes) or begin >= self.last - SETTLED
        return Stage.REQUEST_RECEIVED not in missing and goes_on

    def _note_time(self, time: datetime | None) -> None:
        if time is not None:
            self.first, self.last = min(self.first or time, time), max(self.last or time, time)

    def rules_not_seen(self) -> list[int]:
        """The rules that record something, and by which no event was recorded."""
        seen = {kind.decision.rule.index for kind in self.kinds.values() if kind.decision.rule}
        recording = (rule for rule in self._policy.rules if rule.level is not Level.NONE)
        return [rule.index for rule in recording if rule.index not in seen]


def _what(attributes: Attributes) -> str:
    if not attributes.resource_request:
        return "/" + attributes.path.strip("/").partition("/")[0]
    full = f"{attributes.resource}.{attributes.api_group}" if attributes.api_group else attributes.resource
    return f"{full}/{attributes.subresource}" if attributes.subresource else full


def _problems(event: AuditEvent, decision: Decision) -> Iterator[str]:
    """What in one event is not as the policy decides."""
    rule = decision.rule
    by = f"rule {rule.index + 1} (line {rule.position.line})" if rule else "no rule, which excludes it"
    if event.level is not decision.level:
        yield f"recorded at {event.level}, but the policy decides {decision.level} by {by}"
    elif event.stage in decision.omit_stages:
        yield f"recorded at stage {event.stage}, which the policy omits by {by}"
    for body, needed in (("requestObject", Level.REQUEST), ("responseObject", Level.REQUEST_RESPONSE)):
        if body in event.raw and event.level < needed:
            yield f"the event at level {event.level} holds a {body}"


def _time(text: object) -> datetime | None:
    """A metav1.MicroTime; None where it is none."""
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC)
    except ValueError:
        return None
