"""The legacy format of the audit log (--audit-log-format=legacy): one line of text per event. Pure.

Source: EventString in staging/src/k8s.io/apiserver/pkg/audit/format.go. A line has neither the level nor the resource,
only the URI. So it proves no level, only that a request was recorded, with time, user and status code.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from auditproof.audit.event import Stage

if TYPE_CHECKING:
    from collections.abc import Mapping

_QUOTED = r'"(?:[^"\\]|\\.)*"'
_FIELDS = ("id", "stage", "ip", "method", "user", "groups", "as", "asgroups", "user-agent", "namespace", "uri")
_LINE = re.compile(
    r"(?P<time>\S+) AUDIT: "
    + " ".join(f"{name}=(?P<{name.replace('-', '_')}>{_QUOTED})" for name in _FIELDS)
    + r' response="(?P<response>[^"]*)"'
)
_NOBODY, _SELF, _LOOKUP, _UNKNOWN, _DEFERRED = "<none>", "<self>", "<lookup>", "<unknown>", "<deferred>"


@dataclass(frozen=True, slots=True)
class LegacyLine:
    """The fields of one line, with the server's placeholders (``<none>``, ``<deferred>``) for missing values."""

    audit_id: str
    stage: Stage
    fields: Mapping[str, str]


def parse_legacy(line: str) -> LegacyLine:
    """Parse one line of the legacy format.

    Raises ValueError if it is not one.
    """
    found = _LINE.fullmatch(line.rstrip("\n"))
    if found is None:
        raise ValueError("this line is not in the legacy format of the audit log")
    fields = {name: json.loads(found[name.replace("-", "_")]) for name in _FIELDS}
    return LegacyLine(fields["id"], Stage(fields["stage"]), {**fields, "response": found["response"]})


def legacy_line_of(event: Mapping[str, Any]) -> dict[str, str]:
    """The fields of the line that the server writes for an event in the legacy format."""
    user, other = event.get("user", {}), event.get("impersonatedUser")
    groups = _list(user["groups"]) if user.get("username") and user.get("groups") else _NOBODY
    asked = _list(other["groups"]) if other and other.get("groups") is not None else _LOOKUP
    status = event.get("responseStatus")
    return {
        "id": event["auditID"],
        "stage": event["stage"],
        "ip": (event.get("sourceIPs") or [_UNKNOWN])[0],
        "method": event.get("verb", ""),
        "user": user.get("username") or _NOBODY,
        "groups": groups,
        "as": other["username"] if other else _SELF,
        "asgroups": asked,
        "user-agent": event.get("userAgent", ""),
        "namespace": event.get("objectRef", {}).get("namespace") or _NOBODY,
        "uri": event.get("requestURI", ""),
        "response": str(status.get("code", 0)) if status is not None else _DEFERRED,
    }


def _list(names: list[str]) -> str:
    return ",".join(json.dumps(name, ensure_ascii=False) for name in names)
