"""Whether a secret stands anywhere in recorded events, however it is written down. Pure."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from auditproof.audit import AuditEvent

SHORTEST = 12  # bytes: of a shorter secret, too few letters of its base64 are its own
_GO_ESCAPES = str.maketrans({"&": "\\u0026", "<": "\\u003c", ">": "\\u003e"})  # encoding/json, as the log is written


@dataclass(frozen=True, slots=True)
class Leak:
    """A secret in an event: where the event stands, and how the secret was written."""

    audit_id: str
    source: str
    offset: int
    disguise: str

    def __str__(self) -> str:
        return f"{self.source}, byte {self.offset}: Audit-ID {self.audit_id} holds it {self.disguise}"


def leaks(events: Iterable[AuditEvent], secret: str) -> Iterator[Leak]:
    """Every event that holds ``secret`` in some disguise, anywhere: in a key, a value, a text within a text.

    Raises ValueError where the secret is too short to be told from chance.
    """
    forms = disguises(secret)
    for event in events:
        line = json.dumps(event.raw, ensure_ascii=False)
        disguise = next((name for name, form in forms.items() if form in line), None)
        if disguise is not None:
            yield Leak(event.audit_id, event.source, event.offset, disguise)


def disguises(secret: str) -> dict[str, str]:
    """The ways in which a secret can stand in a line of an audit log, by name.

    Raises ValueError where it is shorter than SHORTEST bytes.
    """
    data = secret.encode()
    if len(data) < SHORTEST:
        raise ValueError(f"a secret to look for needs at least {SHORTEST} bytes, this one has {len(data)}")
    escaped = json.dumps(secret, ensure_ascii=False)[1:-1]
    forms = {
        "as it is": secret,
        "JSON-escaped": escaped,
        "JSON-escaped by Go": json.dumps(escaped.translate(_GO_ESCAPES), ensure_ascii=False)[1:-1],
        "JSON-escaped in ASCII": json.dumps(json.dumps(secret)[1:-1])[1:-1],
        "JSON-escaped twice": json.dumps(escaped, ensure_ascii=False)[1:-1],
        "URL-escaped": quote(secret, safe=""),
        "URL-escaped as in a form": quote_plus(secret),
        "in hexadecimal": data.hex(),
    }
    for alphabet, encode in (("base64", base64.b64encode), ("URL-safe base64", base64.urlsafe_b64encode)):
        forms |= {f"in {alphabet}, {n} bytes in": _own_letters(encode(b"\0" * n + data), n) for n in range(3)}
    return forms


def _own_letters(encoded: bytes, before: int) -> str:
    """The letters of a base64 text that depend on nothing around the secret, which begins at byte ``before``."""
    letters = encoded.decode().rstrip("=")
    cut = len(letters) - (0 if len(letters) % 4 == 0 else 1)
    return letters[{0: 0, 1: 2, 2: 3}[before] : cut]
