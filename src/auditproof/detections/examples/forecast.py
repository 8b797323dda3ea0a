"""The events that a request is going to cause, as far as they follow from the request. Pure.

A rule's example is built only if the rule matches one of these events, its near miss only if the rule matches none.
What is really recorded is compared with the rule separately, so a wrong forecast never makes a proof.

Sources: staging/src/k8s.io/apiserver/pkg/audit/request.go, pkg/endpoints/handlers/create.go and
pkg/endpoints/filters/authorization.go.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from auditproof.audit.event import Level, Stage
from auditproof.audit.stages import in_order
from auditproof.detections.condition import matches
from auditproof.detections.examples.candidates import own_account
from auditproof.detections.moments import Moment, at_moment, seen_by_policy, stages_of
from auditproof.kube.action import STREAMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from auditproof.detections.condition import Condition
    from auditproof.kube.attributes import Attributes
    from auditproof.kube.identity import Impersonation

POD_CLAIM = "authentication.kubernetes.io/pod"  # the token of an own service account is bound to a Pod of its name
_LEVELS = (Level.REQUEST_RESPONSE, Level.REQUEST, Level.METADATA)
_REASONS = {401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "AlreadyExists"}
_WRITTEN = ("create", "update", "patch")
_UPGRADED = STREAMS - {"proxy"}


class Answer(StrEnum):
    """How the API server responds to an example, and so what has to be there before."""

    ACCEPTED = "accepted"  # its user has the rights, and what it is about exists
    NOT_FOUND = "not found"
    CONFLICT = "a conflict"  # the object to create exists
    FORBIDDEN = "forbidden"  # its user has no rights
    REFUSED = "login refused"


@dataclass(frozen=True, slots=True)
class Draft:
    """A request with the response that it gets; ``uri`` with its query, ``body`` as decoded JSON."""

    attributes: Attributes
    answer: Answer
    uri: str
    body: dict[str, Any] | None = None
    user_agent: str = ""
    impersonates: Impersonation | None = None

    @property
    def code(self) -> int:
        """The code of the response, as the event has it."""
        match self.answer:
            case Answer.REFUSED:
                return 401
            case Answer.FORBIDDEN:
                return 403
            case Answer.NOT_FOUND:
                return 404
            case Answer.CONFLICT:
                return 409
        if self.attributes.subresource in _UPGRADED:
            return 101
        return 201 if self.attributes.verb == "create" else 200

    @property
    def decoded(self) -> bool:
        """Whether the API server gets as far as reading the body."""
        return self.body is not None and self.answer not in (Answer.FORBIDDEN, Answer.REFUSED)


@dataclass(frozen=True, slots=True)
class Forecast:
    """The events of a draft at level RequestResponse, in the order of their stages."""

    draft: Draft
    events: dict[Stage, dict[str, Any]] = field(default_factory=dict)

    @staticmethod
    def of(draft: Draft) -> Forecast:
        """The forecast of a draft.

        >>> from auditproof import Attributes, Stage, UserInfo
        >>> from auditproof.detections.examples.forecast import Answer, Draft, Forecast
        >>> asked = Attributes(UserInfo("alice"), "delete", "shop", "apps", "v1", "deployments", name="web")
        >>> draft = Draft(asked, Answer.ACCEPTED, "/apis/apps/v1/namespaces/shop/deployments/web")
        >>> Forecast.of(draft).events[Stage.RESPONSE_COMPLETE]["responseStatus"]["code"]
        200
        """
        return Forecast(draft, {stage: _event(draft, stage) for stage in in_order(stages_of(draft.attributes))})

    def fires(self, condition: Condition, recorded: Iterable[Moment] | None = None, without: str = "") -> bool:
        """Whether the condition certainly matches an event at one of the recorded moments, by default all.

        ``without`` is a key that the events do not have after all.
        """
        every = (Moment(level, stage) for level in _LEVELS for stage in self.events)
        moments = every if recorded is None else recorded
        for moment in moments:
            event = self.at(moment)
            event.pop(without, None)
            if surely_matches(condition, self.draft.attributes, event):
                return True
        return False

    def at(self, moment: Moment) -> dict[str, Any]:
        """The event at a moment."""
        event = copy.deepcopy(self.events[moment.stage])
        event["level"] = str(moment.level)
        if moment.level < Level.REQUEST_RESPONSE:
            event.pop("responseObject", None)
        if moment.level < Level.REQUEST:
            event.pop("requestObject", None)
        return event


def surely_matches(condition: Condition, attributes: Attributes, event: dict[str, Any]) -> bool:
    """Whether a condition matches an event of a request, and not only because the event lacks a field.

    A rule with ``not requestObject.spec.tls exists`` matches every event of level Metadata: it cannot tell.
    """
    moment = Moment(Level(event["level"]), Stage(event["stage"]))
    return matches(condition, event) and matches(at_moment(condition, attributes, moment), event)


def _event(draft: Draft, stage: Stage) -> dict[str, Any]:
    attributes = draft.attributes
    event = seen_by_policy(attributes) | {
        "level": "RequestResponse",
        "auditID": "00000000-0000-0000-0000-000000000000",
        "stage": str(stage),
        "requestURI": draft.uri,
        "sourceIPs": ["127.0.0.1"],
        "userAgent": draft.user_agent or "auditproof/example (auditproof-0)",
        "requestReceivedTimestamp": "2026-01-01T00:00:00.000000Z",
        "stageTimestamp": "2026-01-01T00:00:00.000000Z",
    }
    if account := own_account(attributes.user):
        event["user"]["extra"] = {f"{POD_CLAIM}-name": [account], f"{POD_CLAIM}-uid": ["0"]}
    if stage is Stage.REQUEST_RECEIVED:
        return event
    if draft.impersonates is not None:
        groups = list(draft.impersonates.groups) or ["system:authenticated"]
        event["impersonatedUser"] = {"username": draft.impersonates.user, "groups": groups}
    event["responseStatus"] = dict(_status(draft))
    if draft.answer is not Answer.REFUSED:
        decision = "forbid" if draft.answer is Answer.FORBIDDEN else "allow"
        reason = "" if decision == "forbid" else "RBAC: allowed"
        event["annotations"] = {"authorization.k8s.io/decision": decision, "authorization.k8s.io/reason": reason}
    if stage is Stage.RESPONSE_COMPLETE or draft.answer is Answer.REFUSED:
        if draft.code >= 400:
            event["responseObject"] = {"kind": "Status", "apiVersion": "v1", **event["responseStatus"]}
        elif draft.body is not None and attributes.verb in _WRITTEN:
            event["responseObject"] = draft.body
    if draft.decoded and attributes.verb in _WRITTEN and attributes.subresource not in STREAMS:
        event["requestObject"] = draft.body
        _fill(event, draft)
    return event


def _status(draft: Draft) -> Iterator[tuple[str, Any]]:
    yield "metadata", {}
    if draft.code >= 400:
        yield from (("status", "Failure"), ("reason", _REASONS[draft.code]), ("message", "an example"))
    yield "code", draft.code


def _fill(event: dict[str, Any], draft: Draft) -> None:
    """What LogRequestObject adds to objectRef out of the body of a create or an update."""
    if draft.attributes.verb == "patch" or "objectRef" not in event:
        return
    metadata = (draft.body or {}).get("metadata", {})
    for key in ("name", "namespace"):
        if metadata.get(key):
            event["objectRef"].setdefault(key, metadata[key])
