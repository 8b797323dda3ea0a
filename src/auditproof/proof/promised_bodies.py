"""The bodies that a level promises: which request and response objects an event must have, and must not have. Pure.

Sources: LogRequestObject, LogRequestPatch and LogResponseObject in staging/src/k8s.io/apiserver/pkg/audit/request.go,
and their callers in pkg/endpoints/handlers. A body is recorded once it is decoded. So an accepted request has one; for
a refused request this cannot be known from outside. The API server does not read the bodies of requests that another
server handles (an aggregated API, a kubelet).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditproof.audit.event import Level, Stage
from auditproof.kube.action import STREAMS, WRITES
from auditproof.kube.attributes import is_long_running

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from auditproof.audit.decide import Decision
    from auditproof.audit.event import AuditEvent
    from auditproof.client.exchange import Exchange

READS = frozenset({"get", "list"})
TRUNCATED = "audit.k8s.io/truncated"  # plugin/pkg/audit/truncate/truncate.go
_LEVELS = {"requestObject": Level.REQUEST, "responseObject": Level.REQUEST_RESPONSE}


def impossible_bodies(event: AuditEvent, exchange: Exchange, *, own_api: bool) -> Iterator[str]:
    """Extra or missing bodies, as no API server writes them about this request, whatever its policy.

    ``own_api``: the API server itself serves the resource, not an aggregated one.
    """
    for field, needed in _LEVELS.items():
        if field not in event.raw:
            continue
        if event.level < needed:
            yield f"the event at level {event.level} holds a {field}"
        elif event.stage is Stage.REQUEST_RECEIVED:
            yield f"the event at stage {event.stage} holds a {field}: no body was read yet"
        # Only with these verbs does the server decode the body; a connect or proxy passes it on.
        elif field == "requestObject" and not (
            exchange.attributes.resource_request and exchange.attributes.verb in WRITES
        ):
            yield "the event holds a requestObject, but the request had no body that could be one"
    if not is_truncated(event):
        for field in _lacking(event, exchange, own_api=own_api):
            yield f"the event at level {event.level} has no {field}, which that level promises"


def broken_promises(
    event: AuditEvent, exchange: Exchange, decision: Decision, *, own_api: bool, unwanted: Collection[str] = ()
) -> Iterator[str]:
    """Deviations in the bodies that another policy or other flags can cause: managedFields, and truncation.

    ``unwanted`` are fields that the case expects to be absent; these may be truncated.
    """
    for field in _LEVELS:
        if field in event.raw and _keeps_managed_fields(event.raw[field], field, exchange, decision):
            yield f"the {field} holds managedFields, which the policy omits"
    if is_truncated(event):
        for field in _lacking(event, exchange, own_api=own_api):
            if field not in unwanted:
                yield (
                    f"the event at level {event.level} has no {field}, which that level promises: the server has "
                    f"truncated it ({TRUNCATED})"
                )


def is_truncated(event: AuditEvent) -> bool:
    """Whether the server has marked the event as truncated: it removed the bodies because they were too large."""
    return TRUNCATED in (event.raw.get("annotations") or {})


def _lacking(event: AuditEvent, exchange: Exchange, *, own_api: bool) -> Iterator[str]:
    """The bodies that are missing in the last event of an accepted request."""
    # A refused request may have ended before its body was decoded.
    if not own_api or not 200 <= exchange.status < 300 or event.stage is not Stage.RESPONSE_COMPLETE:
        return
    attributes = exchange.attributes
    if not attributes.resource_request or is_long_running(attributes) or attributes.subresource in STREAMS:
        return
    # A delete may be sent without options: then there is no requestObject.
    writes = attributes.verb in WRITES and bool(exchange.request.body)
    due = {"requestObject": writes, "responseObject": attributes.verb in WRITES | READS}
    for field, needed in _LEVELS.items():
        if due[field] and event.level >= needed and field not in event.raw:
            yield field


def _keeps_managed_fields(body: Any, field: str, exchange: Exchange, decision: Decision) -> bool:
    """Whether the body has managedFields although the policy omits them; a patch is recorded as it was sent."""
    if not decision.omit_managed_fields or (field == "requestObject" and exchange.attributes.verb == "patch"):
        return False
    items = body.get("items") if isinstance(body, dict) else None
    return any(map(_has_managed_fields, items if isinstance(items, list) else [body]))


def _has_managed_fields(value: Mapping[str, Any] | Any) -> bool:
    metadata = value.get("metadata") if isinstance(value, dict) else None
    return isinstance(metadata, dict) and "managedFields" in metadata
