"""Lines of an audit log as templates: all of an event that is the same each time is encoded once.

Fields are in the order in which the API server writes them, and encoded as Go does.
Sources: staging/src/k8s.io/apiserver/pkg/apis/audit/v1/types.go, pkg/audit/request.go, encoding/json (HTMLEscape).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from auditproof.audit.event import Level, Stage
from auditproof.replay.generator.call import SLOT

if TYPE_CHECKING:
    from auditproof.replay.generator.call import Call

_ESCAPED = (("&", "\\u0026"), ("<", "\\u003c"), (">", "\\u003e"), ("\u2028", "\\u2028"), ("\u2029", "\\u2029"))
_REFERENCE = (
    ("resource", "resource"),
    ("namespace", "namespace"),
    ("name", "name"),
    ("apiGroup", "api_group"),
    ("apiVersion", "api_version"),
    ("subresource", "subresource"),
)


def template(call: Call, level: Level, stage: Stage, *, managed: bool) -> str:
    """The line of ``call`` at ``stage``, to be filled by ``%`` with its slots, ``id``, ``received`` and ``staged``.

    ``managed`` says whether bodies keep their managedFields.
    """
    event: dict[str, Any] = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": str(level),
        "auditID": "@id@",
        "stage": str(stage),
        "requestURI": call.uri,
        "verb": call.attributes.verb,
        "user": call.client.user,
        "impersonatedUser": call.impersonated if stage is not Stage.REQUEST_RECEIVED else None,
        "sourceIPs": [call.client.ip],
        "userAgent": call.client.agent,
        "objectRef": _reference(call, stage),
    }
    if stage is not Stage.REQUEST_RECEIVED:
        event["responseStatus"] = {"metadata": {}, **call.status, "code": call.code}
        event |= _bodies(call, level, stage, managed=managed)
    event |= {"requestReceivedTimestamp": "@received@", "stageTimestamp": "@staged@"}
    if stage is not Stage.REQUEST_RECEIVED:
        event["annotations"] = _annotations(call)
    kept = {key: value for key, value in event.items() if value or key == "user"}
    return _as_template(_encoded(kept)) + "\n"


def _reference(call: Call, stage: Stage) -> dict[str, str]:
    """Name and namespace are from the URL; after a create, the name is that of its body (LogRequestObject)."""
    asked = call.attributes
    if not asked.resource_request:
        return {}
    found = {key: str(getattr(asked, field)) for key, field in _REFERENCE}
    if stage is not Stage.REQUEST_RECEIVED and call.named and not found["name"]:
        found["name"] = call.named
    if stage is not Stage.REQUEST_RECEIVED and asked.verb == "update" and call.request is not None:
        uid = call.request().get("metadata", {}).get("uid", "")
        found = {"uid": uid, "resourceVersion": "@rv@", **found} if uid else found
    order = ("resource", "namespace", "name", "uid", "apiGroup", "apiVersion", "resourceVersion", "subresource")
    return {key: found[key] for key in order if found.get(key)}


def _bodies(call: Call, level: Level, stage: Stage, *, managed: bool) -> dict[str, Any]:
    found = {}
    if level >= Level.REQUEST and call.request is not None and call.code not in (401, 403):
        body = call.request()
        # A patch is recorded as it was sent.
        found["requestObject"] = body if managed or call.method == "PATCH" else without_managed_fields(body)
    streams = stage is Stage.RESPONSE_STARTED and call.code != 401
    if level is Level.REQUEST_RESPONSE and not streams:
        if call.status.get("status") == "Failure":
            head = {"kind": "Status", "apiVersion": "v1", "metadata": {}}
            found["responseObject"] = {**head, **call.status, "code": call.code}
        elif call.response is not None:
            body = call.response()
            found["responseObject"] = body if managed else without_managed_fields(body)
    return found


def without_managed_fields(body: Any) -> Any:
    """The body as omitManagedFields leaves it: an object, or a list of objects."""
    if isinstance(body, list):
        return [without_managed_fields(item) for item in body]
    if not isinstance(body, dict):
        return body
    kept = dict(body)
    if isinstance(kept.get("metadata"), dict):
        kept["metadata"] = {key: value for key, value in kept["metadata"].items() if key != "managedFields"}
    if "items" in kept:
        kept["items"] = without_managed_fields(kept["items"])
    return kept


def _annotations(call: Call) -> dict[str, str]:
    decision = call.decision
    if not decision:
        return {}
    asked = {"authorization.k8s.io/decision": decision, "authorization.k8s.io/reason": ""}
    if decision == "allow":
        asked["authorization.k8s.io/reason"] = call.client.reason
    return dict(sorted({**asked, **call.annotations}.items()))


def _encoded(event: dict[str, Any]) -> str:
    text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    for mark, escaped in _ESCAPED:
        text = text.replace(mark, escaped)
    return text


def _as_template(text: str) -> str:
    return SLOT.sub(r"%(\1)s", text.replace("%", "%%"))
