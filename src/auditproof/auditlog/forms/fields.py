"""Which keys of an event a pipeline has left out, renamed or overwritten.

An API server writes REQUIRED in every event, empty or not: those fields have no ``omitempty``, or are never empty
(staging/src/k8s.io/apiserver/pkg/apis/audit/v1/types.go). ``user`` is an empty object after a failed authentication.
"""

from __future__ import annotations

import re
from typing import Any

from auditproof.kube.attributes import METHODS, NotAudited, attributes_of

REQUIRED = ("auditID", "level", "stage", "verb", "requestURI", "user")
LEVELS = ("Metadata", "Request", "RequestResponse")
KEPT_LEVELS = ("k8s_audit_level", "openshift_audit_level")  # where OpenShift's collectors keep the level
_OTHERS = ("objectRef", "responseStatus", "requestReceivedTimestamp", "stageTimestamp", "sourceIPs", "userAgent")
_KNOWN = (*REQUIRED, *_OTHERS)
_ENOUGH = 4
_LETTERS = re.compile(r"[^a-z]")


def is_event(value: dict[str, Any]) -> bool:
    """Whether an object is an audit event, perhaps with keys left out."""
    if value.get("kind") == "Event" and str(value.get("apiVersion", "")).startswith("audit.k8s.io/"):
        return True
    # The items of an EventList have no kind, and pipelines drop it.
    return value.get("kind", "Event") == "Event" and sum(key in value for key in _KNOWN) >= _ENOUGH


def restore_level(raw: dict[str, Any]) -> bool:
    """Put back a level that a pipeline has overwritten with its own and kept under another key; whether it did."""
    kept = next((raw[key] for key in KEPT_LEVELS if raw.get(key) in LEVELS), None)
    if kept is None or raw.get("level") in LEVELS:
        return False
    raw["level"] = kept
    return True


def what_is_missing(raw: dict[str, Any]) -> str:
    """In one sentence, which keys are not there that an API server always writes; empty where all are.

    null counts as not there. The keys are looked at before the types of their values.
    """
    missing = [key for key in REQUIRED if raw.get(key) is None]
    # Only if the others are there: it is computed from them.
    if not missing and _has_lost_object_reference(raw):
        missing = ["objectRef"]
    if missing:
        several = len(missing) > 1
        named = f"{', '.join(missing[:-1])} and {missing[-1]}" if several else missing[0]
        text = f"the key{'s' if several else ''} {named} {'are' if several else 'is'} missing"
        return f"{text}, which an API server always writes{_renamed(raw, missing)}"
    if raw["level"] == "None":
        return "its level is None, at which nothing is ever written"
    if raw.get("objectRef") is None and isinstance(raw["requestURI"], str) and raw["requestURI"][:1] not in ("/", "*"):
        return f"its requestURI is no path ({raw['requestURI'][:40]!r}): a pipeline has replaced it"
    return ""


def _has_lost_object_reference(raw: dict[str, Any]) -> bool:
    """Whether the request line is that of a resource, and the event has no objectRef, which is then always written."""
    uri, verb = raw["requestURI"], raw["verb"]
    if raw.get("objectRef") is not None or not isinstance(uri, str) or not isinstance(verb, str):
        return False
    try:
        return attributes_of(METHODS.get(verb, "GET"), uri, None).resource_request
    except NotAudited:
        return False


def _renamed(raw: dict[str, Any], missing: list[str]) -> str:
    """The keys that are there instead: the same letters, written otherwise."""
    written = {_LETTERS.sub("", key.lower()): key for key in raw if isinstance(key, str)}
    found = {key: written[key.lower()] for key in missing if written.get(key.lower(), key) != key}
    flat = sorted({key.partition(".")[0] for key in raw if "." in key} & set(missing))
    if found:
        pairs = ", ".join(f"{old} is now {new}" for old, new in found.items())
        return f": a pipeline has renamed it ({pairs})"
    if flat:
        return f": a pipeline has flattened it ({flat[0]}.…)"
    return ": a pipeline has dropped it" if len(missing) == 1 else ": a pipeline has dropped them"
