"""Removes secrets from an event before it goes into a report. Pure.

Keys stay, values are removed: the size and the beginning of the SHA-256 of a value remain, so that two runs can be
compared without revealing it. In doubt a value is removed: reports are passed on, audit logs are not. Scanners for
secrets do not know which field of which object holds one.
"""

from __future__ import annotations

import hashlib
import json
import re
from sys import intern
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MAX_DEPTH = 64  # deeper than any Kubernetes object, and far below Python's recursion limit
SHOWN_LETTERS = 8  # of the beginning or end of a secret; a line with that many is hidden
MIN_HEADER = 5  # letters of a token's first part that follow "eyJ"; the shortest real one has 17

# By field name, anywhere in a body: contents of Secrets and ConfigMaps (also inside lists, patches and
# applied annotations), issued and reviewed tokens, webhook credentials, certificate requests and issued certificates
# (k8s.io/api core/v1, authentication/v1, admissionregistration/v1, certificates/v1).
_WHOLE = frozenset({"data", "stringData", "binaryData", "token", "caBundle", "certificate", "request"})
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
# Names of secrets in custom resources and container environments; only the letters of a name are compared.
_SECRET_NAMES = (
    "password", "passwd", "passphrase", "token", "secret", "credential", "credentials",
    "privatekey", "secretkey", "accesskey", "apikey", "clientkey", "clientkeydata", "kubeconfig", "authorization",
)  # fmt: skip

# Every pattern is linear: a dotted word is entered only at its beginning, and an unterminated key extends to the end.
_DOTTED = re.compile(r"(?<![\w.-])[\w.-]++", re.ASCII)
_BEARER = re.compile(r"(?i)(\b(?:bearer|authorization:\s*basic)\s+)[^\s\"]+")
_QUERY = re.compile(r"(?i)([?&][\w.-]*(?:token|password|secret|api_?key)=)[^&\s\"]+")
_COMMAND = re.compile(r"([?&])command=[^&\s\"']*")
_NEW_URI = re.compile(r"[?\s\"']")
_USERINFO = re.compile(r"(?i)(\b(?:https?|wss?|ldaps?|grpcs?)://(?:[^/\s:@\"]{0,256}:)?)[^@/\s\"]++@")
_PEM = re.compile(r"-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,32}PRIVATE KEY-----|\Z)", re.DOTALL)
_ENCODED = re.compile(r"(?:LS0tLS1CRUdJTi|ZXlKaGJHY2)[A-Za-z0-9+/=_-]*")  # base64 of "-----BEGIN " and of a JWT
# Every one of these patterns needs one of these characters; most texts contain none, and need no further search.
_SUSPECT = re.compile(r"eyJ|[?&]|://|-----BEGIN|LS0tLS1|ZXlKaG|(?i:bearer|basic)")


def redact(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of an audit event (audit.k8s.io/v1, as JSON) without secrets."""
    return {
        key: _body(value, 0) if key in ("requestObject", "responseObject") else _plain(value, 0)
        for key, value in event.items()
    }


def redact_text(text: str) -> str:
    """Return ``text`` without anything that looks like a secret: tokens, keys, credentials in URLs."""
    if not _SUSPECT.search(text):
        return text
    # Whole keys first: the patterns below would leave parts of them.
    text = _PEM.sub("<redacted private key>", text)
    text = _BEARER.sub(r"\1<redacted>", text)
    text = _QUERY.sub(r"\1<redacted>", _without_arguments(text))
    text = _USERINFO.sub(r"\1<redacted>@", text)
    text = _ENCODED.sub("<redacted base64>", text)
    return _DOTTED.sub(_unless_token, text)


def _without_arguments(text: str) -> str:
    """Return the URI without the arguments of a command executed in a container; the first ``command`` is the program.

    (k8s.io/kubernetes pkg/registry/core/pod/strategy.go streamParams: one parameter per argument.)
    """
    parts, end, begun = [], 0, False
    for found in _COMMAND.finditer(text):
        between = text[end : found.start()]
        begun = begun and found[1] == "&" and not _NEW_URI.search(between)
        parts += [between, f"{found[1]}command=<redacted>" if begun else found[0]]
        end, begun = found.end(), True
    return "".join([*parts, text[end:]])


def redact_command(words: Sequence[str]) -> list[str]:
    """Return a command line without secrets, including values that an option or a variable names as secret."""
    # The value of an option may be the word after it, as in --token VALUE.
    names = ["", *(word if word.startswith("-") and "=" not in word else "" for word in words)]
    return ["<redacted>" if _is_secret_name(name) else _word(word) for name, word in zip(names, words, strict=False)]


def _word(word: str) -> str:
    """One word; in ``--env=DB_PASSWORD=...`` everything after the name of the secret is removed."""
    parts = word.split("=")
    for end in range(1, len(parts)):
        if _is_secret_name(parts[end - 1]):
            return "=".join([*parts[:end], "<redacted>"])
    return redact_text(word)


def removed_texts(event: Mapping[str, Any]) -> frozenset[str]:
    """The texts of at least SHOWN_LETTERS that ``redact`` removes from an event because of their field."""
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
    """Every text in a value, at most MAX_DEPTH levels deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list) and depth <= MAX_DEPTH:
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item, depth + 1)


def redact_failure(text: str, removed: frozenset[str]) -> str:
    """Return the output of a failed test without secrets: a line that contains one of ``removed`` is hidden.

    A failed assertion may show any part of an event and abbreviates long values; so the first or last SHOWN_LETTERS of
    a value are enough to hide the line.
    """
    # A value as is, and as Python and JSON write it.
    forms = {
        form
        for value in removed
        for form in {value, repr(value)[1:-1], json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    }
    marks = {mark for form in forms for mark in (form[:SHOWN_LETTERS], form[-SHOWN_LETTERS:])}
    lines = redact_text(text).split("\n")
    hidden = "<redacted: this line contains a secret>"
    return "\n".join(hidden if any(mark in line for mark in marks) else line for line in lines)


def _unless_token(found: re.Match[str]) -> str:
    """A dotted word, cut off where a JSON web token begins: base64url of ``{"``, followed by two more parts."""
    parts = found[0].split(".")
    for place in range(len(parts) - 2):
        before, mark, after = parts[place].partition("eyJ")
        if mark and len(after) >= MIN_HEADER:
            return ".".join([*parts[:place], f"{before}<redacted token>"])
    return found[0]


def _body(value: Any, depth: int) -> Any:
    """A request or response object, a JSON patch, or a part of either."""
    if depth > MAX_DEPTH and isinstance(value, dict | list):
        return f"<redacted: nested deeper than {MAX_DEPTH} levels>"
    if isinstance(value, dict):
        name, text = value.get("name"), value.get("value")
        if isinstance(name, str) and isinstance(text, str) and text and _is_secret_name(name):
            variable = {"value": _gone(text)}
        else:
            variable = {}
        return {key: _field(key, item, depth + 1) for key, item in value.items()} | variable
    if isinstance(value, list):
        return [_operation(item, depth + 1) for item in value]
    return redact_text(value) if isinstance(value, str) else value


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
    """A part of an event that the API server itself wrote: only texts that look like secrets are removed."""
    if depth > MAX_DEPTH and isinstance(value, dict | list):
        return f"<redacted: nested deeper than {MAX_DEPTH} levels>"
    # Thousands of events are kept until a run ends: they share their keys, and values such as "Metadata".
    if isinstance(value, dict):
        return {intern(key): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, depth + 1) for item in value]
    return intern(redact_text(value)) if isinstance(value, str) else value


def _gone(value: Any) -> str:
    try:
        text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    except RecursionError:
        return "<redacted>"
    # A text of JSON may hold half of a surrogate pair.
    data = text.encode(errors="surrogatepass")
    return f"<redacted: {len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()[:8]}>"
