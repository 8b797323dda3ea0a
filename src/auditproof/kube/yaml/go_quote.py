"""Quotes text as Go does, for messages identical to the server's."""

from __future__ import annotations

import json
import re
from typing import Any

_ESCAPES = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    "\\": "\\\\",
    '"': '\\"',
}
_NOT_IN_HTML = re.compile("[<>&\u2028\u2029]")


def go_json(value: Any) -> str:
    """Return strings and lists of strings as encoding/json writes them."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # By default, encoding/json escapes what a browser could take for HTML.
    return _NOT_IN_HTML.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def go_quoted(text: str) -> str:
    """Return a string as %q prints it."""
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    number = ord(character)
    if number < 0x80:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
