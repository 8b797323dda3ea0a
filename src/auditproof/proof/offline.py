"""Compares the events that another system recorded with a policy. Pure.

An event names user, request, level and stage, so it can be compared with the policy's decision about this request.
Nothing can be judged without an event: excluded requests, lost ones, rules that decided no request. Each event is
judged by itself, even if the rest of its request is outside the log.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

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
    from collections.abc import Collection, Hashable, Iterator, Mapping

    from auditproof.audit.decide import Decision
    from auditproof.audit.event import AuditEvent
    from auditproof.audit.policy.load import Policy

TRUNCATED = "audit.k8s.io/truncated"  # k8s.io/apiserver plugin/pkg/audit/truncate/truncate.go
AT_THE_BEGINNING = timedelta(seconds=1)
SETTLED = timedelta(seconds=120)  # twice the default --request-timeout of an API server
REMEMBERED = 500_000  # repetitions are found among at least so many latest events; about 100 MB
DECISIONS = 100_000  # cached, because most requests are repeated
_ORDER = list(Stage)
Kind: TypeAlias = "tuple[int | None, str, str]"  # the rule that decides, the verb, and what the request is about
NAMED = 5  # incomplete requests of a kind that are named


def asked_by(raw: Mapping[str, Any]) -> Attributes:
    """The attributes of an event's request, as the policy saw them.

    The name in objectRef may come from the body, which the policy does not see. So the request line is parsed again,
    and objectRef is used only if that gives another verb (the event does not contain the method of a proxied request).
    """
    user = raw.get("user") or {}
    info = UserInfo(user.get("username", ""), tuple(user.get("groups", ()))) if user else None
    verb, uri, reference = str(raw.get("verb", "")), str(raw.get("requestURI", "")), raw.get("objectRef")
    # The verb for a path is the method in lower case; a verb for a resource has one usual method.
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
class RequestGroup:
    """Requests with the same rule, verb and resource: how many there were, and the problems of their events.

    ``example`` is the first event with a problem, otherwise the first of all.
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
    more_incomplete: int = 0


@dataclass(slots=True)
class _Open:
    """A request with a stage that has not been read yet."""

    kind: RequestGroup
    attributes: Attributes
    audit_id: str
    begin: datetime | None
    code: int
    seen: set[Stage]


class _Recent:
    """The hashes of the latest items: at least REMEMBERED of them, and at most twice as many."""

    def __init__(self) -> None:
        self._new: set[int] = set()
        self._old: set[int] = set()

    def __contains__(self, what: Hashable) -> bool:
        number = hash(what)
        return number in self._new or number in self._old

    def add(self, what: Hashable) -> None:
        self._new.add(hash(what))
        if len(self._new) >= REMEMBERED:
            self._old, self._new = self._new, set()


class OfflineJudge:
    """Takes events in any order and compares each with the policy; ``close`` then judges incomplete requests.

    ``repeated`` counts repeated events (each is judged once), ``began_before`` and ``go_on`` count requests that began
    before the log or continue after it, ``undated`` incomplete requests without a timestamp.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._decisions: dict[Attributes, Decision] = {}
        self._open: dict[tuple[Any, ...], _Open] = {}
        self._complete = _Recent()
        self._seen = _Recent()
        self.kinds: dict[Kind, RequestGroup] = {}
        self.truncated = 0
        self.repeated = 0
        self.began_before = 0
        self.go_on = 0
        self.undated = 0
        self.first: datetime | None = None
        self.last: datetime | None = None

    def add(self, event: AuditEvent) -> tuple[Attributes, Decision] | None:
        """Judge one event; returns its attributes and the policy's decision, or None for a repeated event."""
        # The Audit-ID alone does not identify a request: a client may reuse another request's.
        raw = event.raw
        request = (
            event.audit_id,
            raw.get("requestReceivedTimestamp"),
            raw.get("verb"),
            raw.get("requestURI"),
            event.username,
        )
        if self._is_repeated(event, request):
            return None
        attributes, decision, kind = self._kind_of(event)
        for problem in problems_of(event, decision):
            if not kind.wrong:
                kind.example = event
            kind.wrong[problem] += 1
        self.truncated += TRUNCATED in event.raw.get("annotations", {})
        self.span(event.raw.get("stageTimestamp", ""))
        self._follow(event, request, attributes, kind)
        return attributes, decision

    def show(self, event: AuditEvent) -> tuple[Attributes, Decision]:
        """Take note of an event that is counted by ``count``: it is the first of its kind, if none was before it."""
        attributes, decision, _ = self._kind_of(event)
        return attributes, decision

    def count(self, key: Kind, users: Collection[str], requests: int) -> None:
        """Add whole requests that are recorded as decided; one of this kind was shown before. Raises KeyError."""
        kind = self.kinds[key]
        kind.requests += requests
        kind.complete += requests
        kind.users.update(users)

    def span(self, *times: str) -> None:
        """Extend the time of the log to events that were counted."""
        for time in filter(None, map(_time, times)):
            self.first, self.last = min(self.first or time, time), max(self.last or time, time)

    def _kind_of(self, event: AuditEvent) -> tuple[Attributes, Decision, RequestGroup]:
        attributes = asked_by(event.raw)
        decision = self._decide(attributes)
        rule = decision.rule.index if decision.rule else None
        if not attributes.resource_request:
            what = "/" + attributes.path.strip("/").partition("/")[0]
        else:
            full = f"{attributes.resource}.{attributes.api_group}" if attributes.api_group else attributes.resource
            what = f"{full}/{attributes.subresource}" if attributes.subresource else full
        key = (rule, attributes.verb, what)
        if key not in self.kinds:
            number = "no-rule" if rule is None else f"rule-{rule + 1:02}"
            name = printable(f"{number}-{attributes.verb or 'options'}-{what}")
            self.kinds[key] = RequestGroup(name, decision, attributes, event)
        return attributes, decision, self.kinds[key]

    def close(self) -> None:
        """Report incomplete requests, except those that may have begun before the log or continue after it."""
        for request in self._open.values():
            missing = self._missing(request)
            if missing and not self._at_an_edge(request, missing):
                names = ", ".join(stage for stage in Stage if stage in missing)
                if len(request.kind.incomplete) < NAMED:
                    text = f"Audit-ID {request.audit_id} is not recorded at stage {names}"
                    request.kind.incomplete.append(text)
                else:
                    request.kind.more_incomplete += 1

    def _is_repeated(self, event: AuditEvent, request: tuple[Any, ...]) -> bool:
        raw = event.raw
        bodies = [raw.get(body) is not None for body in ("requestObject", "responseObject")]
        what = (request, event.stage, raw.get("stageTimestamp"), event.level, *bodies)
        if what in self._seen:
            self.repeated += 1
            return True
        self._seen.add(what)
        return False

    def _decide(self, attributes: Attributes) -> Decision:
        if attributes not in self._decisions:
            # A log with ever new attributes must not fill the memory; the cache is only for speed.
            if len(self._decisions) >= DECISIONS:
                self._decisions.clear()
            self._decisions[attributes] = decide(self._policy, attributes)
        return self._decisions[attributes]

    def _follow(self, event: AuditEvent, request: tuple[Any, ...], attributes: Attributes, kind: RequestGroup) -> None:
        """Collect the stages of a request."""
        # All of its stages were read: another line of it begins no new request.
        if request in self._complete:
            return
        found = self._open.get(request)
        if found is None:
            kind.requests += 1
            kind.users.add(event.username)
            begin = _time(event.raw.get("requestReceivedTimestamp"))
            found = self._open[request] = _Open(kind, attributes, event.audit_id, begin, 0, set())
        found.seen.add(event.stage)
        # RequestReceived has no code, and the stages that are due depend on it (401).
        found.code = event.code or found.code
        if not self._missing(found):
            kind.complete += 1
            self._complete.add(request)
            del self._open[request]

    def _missing(self, request: _Open) -> set[Stage]:
        due = emitted_stages(request.attributes, request.code) - self._decide(request.attributes).omit_stages
        # After a panic no other stage is reached (filters/audit.go).
        return set() if Stage.PANIC in request.seen else set(due) - request.seen

    def _at_an_edge(self, request: _Open, missing: set[Stage]) -> bool:
        """Whether the missing stages may be outside the log: before its first event, or after its last one."""
        if request.begin is None or self.first is None or self.last is None:
            self.undated += 1
            return True
        before = request.begin <= self.first + AT_THE_BEGINNING
        just_begun = request.begin >= self.last - SETTLED
        # A watch may last for hours; any other request is over after its time-out.
        goes_on = just_begun or is_long_running(request.attributes)
        latest = max(map(_ORDER.index, request.seen))
        early = {stage for stage in missing if _ORDER.index(stage) < latest}
        late = missing - early
        if (early and not before) or (late and not (just_begun if Stage.RESPONSE_STARTED in late else goes_on)):
            return False
        self.began_before += bool(early)
        self.go_on += bool(late)
        return True

    def rules_not_seen(self) -> list[int]:
        """The indices of the rules that record something, but have no event in the log."""
        seen = {kind.decision.rule.index for kind in self.kinds.values() if kind.decision.rule}
        recording = (rule for rule in self._policy.rules if rule.level is not Level.NONE)
        return [rule.index for rule in recording if rule.index not in seen]


def problems_of(event: AuditEvent, decision: Decision) -> Iterator[str]:
    """The differences between one event and the policy's decision."""
    rule = decision.rule
    by = f"rule {rule.index + 1} (line {rule.position.line})" if rule else "no rule, which excludes it"
    if event.level is not decision.level:
        yield f"recorded at {event.level}, but the policy decides {decision.level} by {by}"
    elif event.stage in decision.omit_stages:
        yield f"recorded at stage {event.stage}, which the policy omits by {by}"
    for body, needed in (("requestObject", Level.REQUEST), ("responseObject", Level.REQUEST_RESPONSE)):
        if event.raw.get(body) is not None and event.level < needed:
            yield f"the event at level {event.level} holds a {body}"


def _time(text: object) -> datetime | None:
    """Parse a metav1.MicroTime; None if it is not one."""
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC)
    except ValueError:
        return None
