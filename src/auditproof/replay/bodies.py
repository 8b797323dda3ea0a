"""The parts of an event's line: how many bytes its bodies take, and the line that an API server would write. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

# The order of the fields in staging/src/k8s.io/apiserver/pkg/apis/audit/v1/types.go.
_ORDER = (
    "kind",
    "apiVersion",
    "level",
    "auditID",
    "stage",
    "requestURI",
    "verb",
    "user",
    "impersonatedUser",
    "authenticationMetadata",
    "sourceIPs",
    "userAgent",
    "objectRef",
    "responseStatus",
    "requestObject",
    "responseObject",
    "requestReceivedTimestamp",
    "stageTimestamp",
    "annotations",
)
_ESCAPED = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],:]', re.DOTALL)
_OPENS, _CLOSES = (b"{", b"["), (b"}", b"]")


@dataclass(frozen=True, slots=True)
class Sizes:
    """The bytes of an event's line with its line break, and those of its bodies with key and comma."""

    line: int
    request: int
    response: int


def line_of(raw: dict[str, Any]) -> bytes:
    """An event as an API server writes it: compact, in the order of the Go type, with Go's escapes."""
    known = {key: raw[key] for key in _ORDER if key in raw}
    text = json.dumps({**known, **raw}, ensure_ascii=False, separators=(",", ":"))
    for letter, escape in _ESCAPED.items():
        text = text.replace(letter, escape)
    return text.encode("utf-8", "replace")


def sizes_of(line: bytes) -> Sizes:
    """The sizes of the parts of an event's line, which is JSON."""
    found = {b'"requestObject"': 0, b'"responseObject"': 0}
    key, begin, depth, key_is_next = b"", 0, 0, True
    for token in _TOKEN.finditer(line):
        text = token[0]
        if text in _CLOSES:
            depth -= 1
        if (depth == 0 or (depth == 1 and text == b",")) and key in found:
            found[key] = token.start() - begin + 1
            key = b""
        if text in _OPENS:
            depth += 1
        if depth == 1 and text[:1] == b'"' and key_is_next:
            key, begin = text, token.start()
        key_is_next = depth == 1 and text in (b",", b"{")
    request, response = found.values()
    return Sizes(len(line.rstrip(b"\r\n")) + 1, request, response)
