"""Searches events for a secret in any encoding. Pure."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from auditproof.audit.event import AuditEvent

SHORTEST = 12  # bytes; too few base64 letters of a shorter secret are unambiguous
_GO = str.maketrans({char: f"\\u{ord(char):04x}" for char in "&<>\u2028\u2029"})  # as encoding/json writes the log


@dataclass(frozen=True, slots=True)
class Leak:
    """An event that contains the secret, and the encoding in which it does."""

    event: AuditEvent
    disguise: str

    def __str__(self) -> str:
        event = self.event
        who = event.raw.get("user", {}).get("username", "nobody")
        reference = event.raw.get("objectRef", {})
        what = "/".join(filter(None, (reference.get("resource", "a path"), reference.get("subresource"))))
        where = f"{event.source.rpartition('/')[2]}, byte {event.offset}: Audit-ID {event.audit_id}"
        said = f"{who}, {event.raw.get('verb', '')} {what}, {event.stage} at {event.level}"
        return f"{where} ({said}) contains the secret {self.disguise}"


def leaks(events: Iterable[AuditEvent], secret: str) -> Iterator[Leak]:
    """Return every event that contains ``secret`` in any encoding: in a key, a value, or a text within a text.

    Both the raw bytes of a line and its decoded strings are searched, so that no form of JSON hides the secret.
    Raises ValueError if the secret is too short to exclude coincidence.
    """
    forms = [(name, form) for name, written in disguises(secret).items() for form in written]
    for event in events:
        texts = (json.dumps(event.raw, ensure_ascii=False), event.line.decode(errors="replace"))
        disguise = next((name for name, form in forms if form in texts[0] or form in texts[1]), None)
        if disguise is not None:
            yield Leak(event, disguise)


def disguises(secret: str) -> dict[str, tuple[str, ...]]:
    """The encodings of a secret in a line of an audit log, by name: as Go writes them, and as Python does.

    Raises ValueError if it is shorter than SHORTEST bytes.
    """
    data = secret.encode()
    if len(data) < SHORTEST:
        raise ValueError(f"a secret to search for needs at least {SHORTEST} bytes, this one has {len(data)}")
    once = _escaped(secret)
    within = {
        "as it is": secret,
        "JSON-escaped": once,
        "JSON-escaped by Go": once.translate(_GO),
        "JSON-escaped in ASCII": json.dumps(secret)[1:-1],
        "JSON-escaped twice": _escaped(once),
        "URL-escaped": quote(secret, safe=""),
        "URL-escaped as in a form": quote_plus(secret),
        "in hexadecimal": data.hex(),
        "in hexadecimal capitals": data.hex().upper(),
    }
    for alphabet, encode in (("base64", base64.b64encode), ("URL-safe base64", base64.urlsafe_b64encode)):
        within |= {f"in {alphabet}, {n} bytes in": _own_letters(encode(b"\0" * n + data), n) for n in range(3)}
    # All texts of an event are in JSON: in the line, each form is escaped once more.
    return {
        name: tuple(dict.fromkeys((text, _escaped(text), _escaped(text).translate(_GO))))
        for name, text in within.items()
    }


def _escaped(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _own_letters(encoded: bytes, before: int) -> str:
    """The base64 letters that depend only on the secret, which begins at byte ``before``."""
    # The first letters depend on the bytes before, and the last one on those after, unless a group of three ends there.
    letters = encoded.decode().rstrip("=")
    cut = len(letters) - (0 if len(letters) % 4 == 0 else 1)
    return letters[{0: 0, 1: 2, 2: 3}[before] : cut]
