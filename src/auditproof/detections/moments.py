"""What a condition says about one request at one moment: a level and a stage of its event. Pure.

Fields that the audit policy sees (verb, object, user) have the value of the request. Others are free; or absent
whatever the level, as a watch has no requestObject; or unreadable: the request has them, but not in this event, because
its level is too low, its stage too early, or the login failed before its body was read. A rule that depends on an
unreadable field cannot tell, so neither the test nor its negation counts as true.

Sources: staging/src/k8s.io/apiserver/pkg/audit/request.go, pkg/apis/audit/v1/types.go, pkg/endpoints/filters/audit.go
and authn_audit.go.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from auditproof.audit.event import Level, Stage
from auditproof.audit.stages import FAILED, LONG, SHORT
from auditproof.detections.condition import FALSE, TRUE, And, Not, Operator, Test, both, either, matches
from auditproof.detections.fields import ANYWHERE, EACH
from auditproof.kube.action import STREAMS, WRITES
from auditproof.kube.attributes import is_long_running

if TYPE_CHECKING:
    from auditproof.detections.condition import Condition
    from auditproof.kube.attributes import Attributes

RECORDED = (Level.METADATA, Level.REQUEST, Level.REQUEST_RESPONSE)
DECODED = frozenset({"create", "update"})  # their bodies fill empty fields of objectRef
_OBJECT = frozenset({"resource", "namespace", "name", "apiGroup", "apiVersion", "subresource"})
_FILLED = frozenset({"name", "uid", "resourceVersion"})  # a namespace is in the URL, or the object has none
_STATUS = frozenset({"metadata", "status", "message", "reason", "details", "code"})
_ALWAYS = frozenset({"auditID", "requestReceivedTimestamp", "stageTimestamp", "sourceIPs", "userAgent", "requestURI"})
_OPTIONAL = frozenset({"sourceIPs", "userAgent"})
_LATER = frozenset({"impersonatedUser", "authenticationMetadata"})  # filters behind the one of RequestReceived add them
_BY_AUTHENTICATION = "authentication.k8s.io/"  # its annotations are there from the first event on
DISCOVERY = ("/api", "/apis")
_FIXED = frozenset({"kind", "apiVersion", "level", "stage", "verb"})


class Readability(Enum):
    """What is known of a test of a field in an event of a request."""

    TRUE = auto()
    FALSE = auto()
    FREE = auto()  # it depends on the rest of the request and its response
    UNREADABLE = auto()  # the event does not have the field; a later one, or one of a higher level, may


@dataclass(frozen=True, slots=True)
class Moment:
    """The level and the stage of an event."""

    level: Level
    stage: Stage


def stages_of(attributes: Attributes) -> frozenset[Stage]:
    """The stages of a request before any is omitted."""
    if attributes.user is None:
        return FAILED
    return LONG if is_long_running(attributes) else SHORT


def seen_by_policy(attributes: Attributes) -> dict[str, Any]:
    """The part of every event of the request that the audit policy can see, as decoded JSON.

    A name or namespace that the URL does not have is absent.
    """
    event: dict[str, Any] = {"kind": "Event", "apiVersion": "audit.k8s.io/v1", "verb": attributes.verb, "user": {}}
    if attributes.user is not None:
        event["user"] = {"username": attributes.user.name, "groups": list(attributes.user.groups)}
    if attributes.resource_request:
        reference = {
            "resource": attributes.resource,
            "namespace": attributes.namespace,
            "name": attributes.name,
            "apiGroup": attributes.api_group,
            "apiVersion": attributes.api_version,
            "subresource": attributes.subresource,
        }
        event["objectRef"] = {key: value for key, value in reference.items() if value}
    return event


def at_moment(condition: Condition, attributes: Attributes, moment: Moment) -> Condition:
    """The condition that the free fields of the request have to meet, so that an event at the moment matches for sure.

    FALSE: no such event matches, or the rule cannot tell. TRUE: every one does.

    >>> from auditproof import Attributes, Level, Stage, UserInfo
    >>> from auditproof.detections import Field, Moment, Operator, Test, at_moment
    >>> body = Test(Field.at("requestObject.spec.hostPID"), Operator.EQUALS, ("true",))
    >>> request = Attributes(UserInfo("alice"), "create", "shop", resource="pods")
    >>> at_moment(body, request, Moment(Level.METADATA, Stage.RESPONSE_COMPLETE))
    Or(parts=())
    >>> at_moment(body, request, Moment(Level.REQUEST, Stage.RESPONSE_COMPLETE)) == body
    True
    """
    event = seen_by_policy(attributes) | {"level": str(moment.level), "stage": str(moment.stage)}
    return _reduced(condition, attributes, moment, event, wanted=True)


def _reduced(
    condition: Condition, attributes: Attributes, moment: Moment, event: dict[str, Any], *, wanted: bool
) -> Condition:
    """The condition, or its negation, in negation normal form and with what is known replaced."""
    if isinstance(condition, Not):
        return _reduced(condition.part, attributes, moment, event, wanted=not wanted)
    if isinstance(condition, Test):
        reading = reading_of(condition, attributes, moment, event)
        if reading is Readability.FREE:
            return condition if wanted else Not(condition)
        return TRUE if reading is (Readability.TRUE if wanted else Readability.FALSE) else FALSE
    conjunction = isinstance(condition, And) is wanted
    parts = []
    for part in condition.parts:
        reduced = _reduced(part, attributes, moment, event, wanted=wanted)
        if reduced == (FALSE if conjunction else TRUE):
            return reduced
        parts.append(reduced)
    return both(*parts) if conjunction else either(*parts)


def reading_of(test: Test, attributes: Attributes, moment: Moment, event: dict[str, Any]) -> Readability:
    """What is known of a test at a moment; ``event`` are the fields known of it."""
    top, rest = test.field.top, test.field.path[1:]
    if top in (ANYWHERE, EACH):
        return Readability.FREE
    if top in _ALWAYS:
        there = test.operator is Operator.EXISTS and not test.field.derived and top not in _OPTIONAL
        return Readability.TRUE if there else Readability.FREE
    if top in _FIXED or not rest:
        return _whole(test, attributes, moment, event)
    return _inside(test, attributes, moment, event, rest[0])


def _whole(test: Test, attributes: Attributes, moment: Moment, event: dict[str, Any]) -> Readability:
    """What is known of a test of a key at the top of the event."""
    top = test.field.top
    if top in ("requestObject", "responseObject", "annotations", "responseStatus") or top in _LATER:
        there = _presence(top, attributes, moment)
        exists = test.operator is Operator.EXISTS and top == "responseStatus"
        return Readability.TRUE if exists and there is Readability.FREE else there
    return Readability.TRUE if matches(test, event) else Readability.FALSE


def _inside(test: Test, attributes: Attributes, moment: Moment, event: dict[str, Any], key: str) -> Readability:
    """What is known of a test of a key inside one at the top of the event."""
    top = test.field.top
    received = moment.stage is Stage.REQUEST_RECEIVED
    if top == "objectRef":
        decoded = attributes.verb in DECODED and attributes.resource_request and key not in event.get("objectRef", {})
        if decoded and key in _FILLED and attributes.subresource not in STREAMS:
            unread = received or attributes.user is None
            return Readability.UNREADABLE if unread else Readability.FREE
        return Readability.TRUE if key in _OBJECT and matches(test, event) else Readability.FALSE
    if top == "user":
        if key in ("uid", "extra"):
            return Readability.FALSE if attributes.user is None else Readability.FREE
        return Readability.TRUE if matches(test, event) else Readability.FALSE
    if top == "responseStatus" and key not in _STATUS:
        return Readability.FALSE
    if top == "annotations" and key.startswith(_BY_AUTHENTICATION) and attributes.user is not None:
        return Readability.FREE
    return _presence(top, attributes, moment)


def _presence(top: str, attributes: Attributes, moment: Moment) -> Readability:
    """Whether an event has a key at its top of which the policy knows nothing: FREE, FALSE or UNREADABLE."""
    failed = attributes.user is None
    received = moment.stage is Stage.REQUEST_RECEIVED
    if top == "responseStatus":
        return Readability.UNREADABLE if received else Readability.FREE
    if top == "annotations" or top in _LATER:
        return Readability.FALSE if failed else Readability.UNREADABLE if received else Readability.FREE
    if top == "requestObject":
        if not _has_request_object(attributes):
            return Readability.FALSE
        unread = failed or received or moment.level < Level.REQUEST
        return Readability.UNREADABLE if unread else Readability.FREE
    if top == "responseObject":
        if not failed and not _has_response_object(attributes):
            return Readability.FALSE
        if moment.stage is Stage.RESPONSE_STARTED and not failed:
            return Readability.UNREADABLE
        return Readability.UNREADABLE if received or moment.level < Level.REQUEST_RESPONSE else Readability.FREE
    return Readability.FALSE


def _has_request_object(attributes: Attributes) -> bool:
    return attributes.resource_request and attributes.verb in WRITES and attributes.subresource not in STREAMS


def _has_response_object(attributes: Attributes) -> bool:
    return attributes.resource_request or attributes.path.startswith(DISCOVERY)  # any refusal has a Status


def is_field(path: tuple[str, ...]) -> bool:
    """Whether any event of audit.k8s.io/v1 can have this path, as far as its own keys go."""
    inner = {"objectRef": _OBJECT | _FILLED, "responseStatus": _STATUS, "user": {"username", "groups", "uid", "extra"}}
    bodies = {"requestObject", "responseObject", "annotations"}
    if path[0] in (ANYWHERE, EACH) or path[0] in _ALWAYS | _FIXED | _LATER | bodies:
        return True
    return path[0] in inner and (len(path) == 1 or path[1] in inner[path[0]] or path[1] in (ANYWHERE, EACH))
