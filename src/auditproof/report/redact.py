"""What must not stand in a report is taken out of an event before it is written. Pure.

Keys stay and values go: of a removed value its size and the beginning of its SHA-256 remain, so that two runs can be
compared and nothing can be read.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

# By the field's name, wherever it stands: bodies of Secrets (also inside lists, patches and applied annotations),
# issued and reviewed tokens, keys, webhook credentials (k8s.io/api core/v1, authentication/v1, certificates/v1).
_WHOLE = frozenset({"data", "stringData", "binaryData", "token", "password", "caBundle", "certificate", "request"})
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_JWT = re.compile(r"eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*")
_BEARER = re.compile(r"(?i)(bearer\s+)[^\s\"]+")
_QUERY = re.compile(r"(?i)([?&](?:access_)?(?:token|password|secret|key)=)[^&\s]+")
_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL)


def redact(event: Mapping[str, Any]) -> dict[str, Any]:
    """The event without secrets."""
    return {
        key: _body(value) if key in ("requestObject", "responseObject") else _any(value) for key, value in event.items()
    }


def _body(value: Any) -> Any:
    """A request's or response's object, or a JSON patch."""
    if isinstance(value, dict):
        return {key: _field(key, item) for key, item in value.items()}
    if isinstance(value, list):
        return [_operation(item) for item in value]
    return _any(value)


def _operation(item: Any) -> Any:
    """One operation of a JSON patch, or an item of any other list."""
    if isinstance(item, dict) and "op" in item and "value" in item:
        return {**item, "value": _gone(item["value"])}
    return _body(item)


def _field(key: str, value: Any) -> Any:
    if key in _WHOLE and value not in (None, "", {}, []):
        return {name: _gone(item) for name, item in value.items()} if isinstance(value, dict) else _gone(value)
    if key == _LAST_APPLIED:
        return _gone(value)
    return _body(value)


def _any(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _any(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_any(item) for item in value]
    return _string(value) if isinstance(value, str) else value


def _string(text: str) -> str:
    text = _PEM.sub("<redacted private key>", text)
    text = _BEARER.sub(r"\1<redacted>", text)
    text = _QUERY.sub(r"\1<redacted>", text)
    return _JWT.sub("<redacted token>", text)


def _gone(value: Any) -> str:
    data = (value if isinstance(value, str) else json.dumps(value, sort_keys=True)).encode()
    return f"<redacted: {len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()[:8]}>"
