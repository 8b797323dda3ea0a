"""What a log reader changes in one event."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

Event = dict[str, Any]
_LEVELS = ["Metadata", "Request", "RequestResponse"]
_STAGES = ["RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"]


def _once(values: dict[str, Any], event: Event, draw: Callable[[], Any]) -> Any:
    """The same value for all events of a request."""
    return values.setdefault(str(event.get("auditID")), draw())


def _level(event: Event, random: Random, values: dict[str, Any]) -> None:
    others = [level for level in _LEVELS if level != event["level"]]
    event["level"] = _once(values, event, lambda: random.choice(others))
    if event["level"] == "Metadata":
        event.pop("requestObject", None)
    if event["level"] != "RequestResponse":
        event.pop("responseObject", None)


def _user(event: Event, random: Random, values: dict[str, Any]) -> None:
    event.setdefault("user", {})["username"] = _once(values, event, lambda: random.choice(["mallory", "alice", ""]))


def _groups(event: Event, random: Random, values: dict[str, Any]) -> None:
    event.setdefault("user", {})["groups"] = random.choice([["system:masters"], []])


def _uid(event: Event, random: Random, values: dict[str, Any]) -> None:
    event.setdefault("user", {})["uid"] = "another"


def _extra(event: Event, random: Random, values: dict[str, Any]) -> None:
    event.setdefault("user", {})["extra"] = {"colour": ["blue"]}


def _verb(event: Event, random: Random, values: dict[str, Any]) -> None:
    event["verb"] = "list" if event["verb"] != "list" else "get"


def _stage(event: Event, random: Random, values: dict[str, Any]) -> None:
    event["stage"] = random.choice([stage for stage in _STAGES if stage != event["stage"]])


def _audit_id(event: Event, random: Random, values: dict[str, Any]) -> None:
    event["auditID"] = _once(values, event, lambda: f"{random.getrandbits(64):x}")


def _uri(event: Event, random: Random, values: dict[str, Any]) -> None:
    event["requestURI"] += "x"


def _code(event: Event, random: Random, values: dict[str, Any]) -> None:
    event.setdefault("responseStatus", {})["code"] = random.choice([200, 403, 500])


def _object(event: Event, random: Random, values: dict[str, Any]) -> None:
    reference = event.setdefault("objectRef", {})
    reference[random.choice(["resource", "namespace", "name", "apiGroup", "apiVersion", "subresource"])] = "others"


def _address(event: Event, random: Random, values: dict[str, Any]) -> None:
    event["sourceIPs"] = ["10.1.2.3"]


def _agent(event: Event, random: Random, values: dict[str, Any]) -> None:
    event["userAgent"] = "kubectl/v1.37.0"


def _received(event: Event, random: Random, values: dict[str, Any]) -> None:
    _shift(event, "requestReceivedTimestamp", random)


def _reached(event: Event, random: Random, values: dict[str, Any]) -> None:
    _shift(event, "stageTimestamp", random)


def _shift(event: Event, key: str, random: Random) -> None:
    shifted = datetime.fromisoformat(event[key]) + timedelta(hours=random.choice([-1, 1]))
    event[key] = shifted.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _body(event: Event, random: Random, values: dict[str, Any]) -> None:
    key = random.choice(["requestObject", "responseObject"])
    if event.pop(key, None) is None:
        event[key] = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "colours"}}


def _kind(event: Event, random: Random, values: dict[str, Any]) -> None:
    event[random.choice(["kind", "apiVersion"])] = random.choice(["EventList", "audit.k8s.io/v2", ""])


def _impersonated(event: Event, random: Random, values: dict[str, Any]) -> None:
    event["impersonatedUser"] = {"username": "carol"}


EDITS: dict[str, Callable[[Event, Random, dict[str, Any]], None]] = {
    "level": _level,
    "user": _user,
    "groups": _groups,
    "uid": _uid,
    "extra": _extra,
    "verb": _verb,
    "stage": _stage,
    "auditID": _audit_id,
    "requestURI": _uri,
    "code": _code,
    "objectRef": _object,
    "sourceIPs": _address,
    "userAgent": _agent,
    "received": _received,
    "reached": _reached,
    "body": _body,
    "kind": _kind,
    "impersonated": _impersonated,
}
