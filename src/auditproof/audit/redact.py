"""What must not stand in a report is taken out of an event before it is written. Pure.

Keys stay and values go: of a removed value its size and the beginning of its SHA-256 remain, so that two runs can be
compared and nothing can be read. When in doubt it goes: a report is passed on, an audit log is not.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MAX_DEPTH = 64  # deeper than any object of Kubernetes, and far from Python's own limit
SHOWN_LETTERS = 8  # of the beginning or the end of a secret value: with so many of them a line is not shown
MIN_HEADER = 5  # letters of a token's first part that follow "eyJ"; the shortest real one has 17

# By the field's name, wherever it stands in a body: contents of Secrets and ConfigMaps (also inside lists, patches and
# applied annotations), issued and reviewed tokens, webhook credentials, certificate requests and what came of them
# (k8s.io/api core/v1, authentication/v1, admissionregistration/v1, certificates/v1).
_WHOLE = frozenset({"data", "stringData", "binaryData", "token", "caBundle", "certificate", "request"})
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
# What custom resources and containers' environments call their secrets; compared with the letters of the name alone.
_SECRET_NAMES = (
    "password", "passwd", "passphrase", "token", "secret", "credential", "credentials",
    "privatekey", "secretkey", "accesskey", "apikey", "clientkey", "clientkeydata", "kubeconfig", "authorization",
)  # fmt: skip

# Every pattern is linear: a dotted word is entered at its beginning only, and a key without an end goes to the end.
_DOTTED = re.compile(r"(?<![\w.-])[\w.-]++", re.ASCII)
_BEARER = re.compile(r"(?i)(\b(?:bearer|authorization:\s*basic)\s+)[^\s\"]+")
_QUERY = re.compile(r"(?i)([?&][\w.-]*(?:token|password|secret|api_?key)=)[^&\s\"]+")
_COMMAND = re.compile(r"([?&])command=[^&\s\"']*")
_NEW_URI = re.compile(r"[?\s\"']")
_USERINFO = re.compile(r"(?i)(\b(?:https?|wss?|ldaps?|grpcs?)://(?:[^/\s:@\"]{0,256}:)?)[^@/\s\"]++@")
_PEM = re.compile(r"-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,32}PRIVATE KEY-----|\Z)", re.DOTALL)
_ENCODED = re.compile(r"(?:LS0tLS1CRUdJTi|ZXlKaGJHY2)[A-Za-z0-9+/=_-]*")  # base64 of "-----BEGIN " and of a JWT
# What every one of these patterns needs: most texts have none of it, and are done with at one look.
_SUSPECT = re.compile(r"eyJ|[?&]|://|-----BEGIN|LS0tLS1|ZXlKaG|(?i:bearer|basic)")


def redact(event: Mapping[str, Any]) -> dict[str, Any]:
    """An audit event (audit.k8s.io/v1, as JSON) without secrets; what goes in is not changed."""
    return {
        key: _body(value, 0) if key in ("requestObject", "responseObject") else _plain(value, 0)
        for key, value in event.items()
    }


def redact_text(text: str) -> str:
    """A text without what is a secret by its looks: tokens, keys, credentials in URLs."""
    if not _SUSPECT.search(text):
        return text
    text = _PEM.sub("<redacted private key>", text)
    text = _BEARER.sub(r"\1<redacted>", text)
    text = _QUERY.sub(r"\1<redacted>", _without_arguments(text))
    text = _USERINFO.sub(r"\1<redacted>@", text)
    text = _ENCODED.sub("<redacted base64>", text)
    return _DOTTED.sub(_unless_token, text)


def _without_arguments(text: str) -> str:
    """Without the arguments of what is executed in a container: the first ``command`` of a URI is the program.

    (k8s.io/kubernetes pkg/registry/core/pod/strategy.go streamParams: one parameter an argument.)
    """
    parts, end, begun = [], 0, False
    for found in _COMMAND.finditer(text):
        between = text[end : found.start()]
        begun = begun and found[1] == "&" and not _NEW_URI.search(between)
        parts += [between, f"{found[1]}command=<redacted>" if begun else found[0]]
        end, begun = found.end(), True
    return "".join([*parts, text[end:]])


def redact_command(words: Sequence[str]) -> list[str]:
    """The words of a command line without secrets, also without what an option or a variable calls one."""
    names = ["", *(word if word.startswith("-") and "=" not in word else "" for word in words)]
    return ["<redacted>" if _is_secret_name(name) else _word(word) for name, word in zip(names, words, strict=False)]


def _word(word: str) -> str:
    """One word; of ``--env=DB_PASSWORD=...`` everything after the name of the secret is gone."""
    parts = word.split("=")
    for end in range(1, len(parts)):
        if _is_secret_name(parts[end - 1]):
            return "=".join([*parts[:end], "<redacted>"])
    return redact_text(word)


def removed_texts(event: Mapping[str, Any]) -> frozenset[str]:
    """The texts that ``redact`` takes out of an event for where they stand, of SHOWN_LETTERS or more."""
    return frozenset(text for text in _removed(event, redact(event)) if len(text) >= SHOWN_LETTERS)


def _removed(value: Any, shown: Any) -> Iterator[str]:
    if isinstance(value, dict) and isinstance(shown, dict):
        for key, item in value.items():
            yield from _removed(item, shown[key])
    elif isinstance(value, list) and isinstance(shown, list):
        for item, other in zip(value, shown, strict=True):
            yield from _removed(item, other)
    elif isinstance(shown, str) and value != shown and shown.startswith("<redacted"):
        yield from _texts(value, 0)


def _texts(value: Any, depth: int) -> Iterator[str]:
    """Every text in a value; no deeper than what can be redacted one by one."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list) and depth <= MAX_DEPTH:
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item, depth + 1)


def redact_failure(text: str, removed: frozenset[str]) -> str:
    """What a test says when it fails, without secrets: of a line that holds one of ``removed`` nothing stays.

    A failed assertion may show any part of an event, and cuts long values short; so the first or the last few letters
    of a value are enough.
    """
    marks = {mark for value in removed for form in _written(value) for mark in _ends(form)}
    lines = redact_text(text).split("\n")
    hidden = "<redacted: this line shows what must not stand in a report>"
    return "\n".join(hidden if any(mark in line for mark in marks) else line for line in lines)


def _written(value: str) -> set[str]:
    """A value as Python and JSON write it, and as it is."""
    return {value, repr(value)[1:-1], json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}


def _ends(form: str) -> tuple[str, str]:
    return form[:SHOWN_LETTERS], form[-SHOWN_LETTERS:]


def _unless_token(found: re.Match[str]) -> str:
    """A dotted word, cut off where a JSON web token begins in it: with base64url of ``{"``, and two more parts."""
    parts = found[0].split(".")
    for place in range(len(parts) - 2):
        before, mark, after = parts[place].partition("eyJ")
        if mark and len(after) >= MIN_HEADER:
            return ".".join([*parts[:place], f"{before}<redacted token>"])
    return found[0]


def _body(value: Any, depth: int) -> Any:
    """A request's or response's object, or a JSON patch, or a part of either."""
    if depth > MAX_DEPTH and isinstance(value, dict | list):
        return f"<redacted: nested deeper than {MAX_DEPTH} levels>"
    if isinstance(value, dict):
        return {key: _field(key, item, depth + 1) for key, item in value.items()} | _variable(value)
    if isinstance(value, list):
        return [_operation(item, depth + 1) for item in value]
    return redact_text(value) if isinstance(value, str) else value


def _variable(value: dict[str, Any]) -> dict[str, str]:
    """The value that its neighbour ``name`` calls a secret, e.g. in an EnvVar of a container or in an HTTPHeader."""
    name, text = value.get("name"), value.get("value")
    if isinstance(name, str) and isinstance(text, str) and text and _is_secret_name(name):
        return {"value": _gone(text)}
    return {}


def _operation(item: Any, depth: int) -> Any:
    """One operation of a JSON patch, or an item of any other list."""
    if isinstance(item, dict) and "op" in item and "value" in item:
        return {**item, "value": _gone(item["value"])}
    return _body(item, depth)


def _field(key: str, value: Any, depth: int) -> Any:
    if key in _WHOLE and value not in (None, "", {}, []):
        return {name: _gone(item) for name, item in value.items()} if isinstance(value, dict) else _gone(value)
    if key == _LAST_APPLIED or (value and isinstance(value, str) and _is_secret_name(key)):
        return _gone(value)
    return _body(value, depth)


def _is_secret_name(name: str) -> bool:
    return "".join(filter(str.isalpha, name)).lower().endswith(_SECRET_NAMES)


def _plain(value: Any, depth: int) -> Any:
    """A part of an event that the API server wrote itself: only texts are looked at."""
    if depth > MAX_DEPTH and isinstance(value, dict | list):
        return f"<redacted: nested deeper than {MAX_DEPTH} levels>"
    if isinstance(value, dict):
        return {key: _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, depth + 1) for item in value]
    return redact_text(value) if isinstance(value, str) else value


def _gone(value: Any) -> str:
    try:
        text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    except RecursionError:
        return "<redacted>"
    data = text.encode(errors="surrogatepass")
    return f"<redacted: {len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()[:8]}>"
