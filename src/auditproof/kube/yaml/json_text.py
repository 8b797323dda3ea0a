"""Parses JSON as Go's encoding/json does, into a tree of values with positions.

Kubernetes reads a text that begins with ``{`` as JSON, not as YAML. Repeated keys are kept in order, because Go decodes
all of them into the same value; invalid UTF-8 or UTF-16 becomes U+FFFD; error messages are Go's. Python's json has no
positions.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any

from auditproof.errors import NotYaml, Position, Problem
from auditproof.kube.yaml.go_quote import go_quoted
from auditproof.kube.yaml.yaml_text import Mapping, Node

_DEEPEST = 10_000  # Go's own limit
_SPACE = re.compile(r"[ \t\r\n]*")
_STRING = re.compile(r'"((?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*)"')
_STRING_START = re.compile(r'"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?P<fraction>\.[0-9]+)?(?P<exponent>[eE][-+]?[0-9]+)?")
_WORDS = {"true": True, "false": False, "null": None}
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class JsonNumber(float):
    """A number written with a fraction or an exponent: to Go it is not an integer, whatever its value."""

    __slots__ = ("literal",)
    literal: str

    def __new__(cls, literal: str) -> JsonNumber:
        """Create the number from its ``literal``."""
        number = super().__new__(cls, literal)
        number.literal = literal
        return number


@dataclass(slots=True)
class _Open:
    """A collection that is being read."""

    position: Position
    mapping: bool
    items: list[Node] = field(default_factory=list)
    keys: list[tuple[str, Position]] = field(default_factory=list)


def parse_json(data: bytes, path: str) -> Node:
    """Return the value in ``data``; ``path`` is the file name for messages.

    Raises NotYaml if it is not JSON.
    """
    return _Reader(data.decode("utf-8", errors="replace"), path).read()


class _Reader:
    """Parses without recursion, so that no nesting can exhaust the stack."""

    def __init__(self, text: str, path: str) -> None:
        self._text = text
        self._path = path
        self._lines = [0, *(found.end() for found in re.finditer("\n", text))]
        self._at = 0
        self._open: list[_Open] = []

    def read(self) -> Node:
        node = self._value()
        while self._open:
            node = self._next(node)
        self._skip()
        if self._at < len(self._text):
            raise self._error(self._at, "after top-level value")
        assert node is not None
        return node

    def _next(self, node: Node | None) -> Node | None:
        """One step: store ``node`` if there is one, then begin the next value, or end the collection."""
        top = self._open[-1]
        if node is not None:
            top.items.append(node)
        closing = "}" if top.mapping else "]"
        character = self._skip()
        if character == closing and (node is not None or not top.items):
            self._at += 1
            return self._close()
        if node is not None:
            if character != ",":
                raise self._error(self._at, "after object key:value pair" if top.mapping else "after array element")
            self._at += 1
        if top.mapping:
            if self._skip() != '"':
                raise self._error(self._at, "looking for beginning of object key string")
            position = self._position(self._at)
            top.keys.append((self._string(), position))
            if self._skip() != ":":
                raise self._error(self._at, "after object key")
            self._at += 1
        return self._value()

    def _value(self) -> Node | None:
        """The value that begins here; None if it is a collection, which is then open."""
        character = self._skip()
        position = self._position(self._at)
        if character and character in "{[":
            if len(self._open) >= _DEEPEST:
                raise self._error(self._at, "exceeded max depth")
            self._open.append(_Open(position, character == "{"))
            self._at += 1
            return None
        if character == '"':
            return Node(self._string(), position)
        if character and character in "-0123456789":
            return Node(self._number(), position)
        return Node(self._word(character), position)

    def _close(self) -> Node:
        done = self._open.pop()
        if not done.mapping:
            return Node(tuple(done.items), done.position)
        pairs = [(key, node) for (key, _), node in zip(done.keys, done.items, strict=True)]
        seen: set[str] = set()
        repeated = []
        for key, position in done.keys:
            if key in seen:
                repeated.append((key, position))
            seen.add(key)
        return Node(Mapping(dict(pairs), dict(done.keys), tuple(repeated), tuple(pairs)), done.position)

    def _string(self) -> str:
        found = _STRING.match(self._text, self._at)
        if found is None:
            raise self._bad_string()
        self._at = found.end()
        text = found[1]
        if "\\" not in text:
            return text
        # Go, too, replaces half of a surrogate pair by U+FFFD.
        return _LONE_SURROGATE.sub("\ufffd", str(json.loads(f'"{text}"')))

    def _bad_string(self) -> NotYaml:
        start = _STRING_START.match(self._text, self._at)
        assert start is not None
        at = start.end()
        if self._text[at : at + 1] != "\\":
            return self._error(at, "in string literal")
        if self._text[at + 1 : at + 2] != "u":
            return self._error(at + 1, "in string escape code")
        digits = re.compile("[0-9a-fA-F]*").match(self._text, at + 2)
        assert digits is not None
        return self._error(digits.end(), "in \\u hexadecimal character escape")

    def _number(self) -> int | float:
        found = _NUMBER.match(self._text, self._at)
        if found is None:
            raise self._error(self._at + 1, "in numeric literal")
        self._at = found.end()
        following = self._text[self._at : self._at + 1]
        if following == "." and not found["fraction"] and not found["exponent"]:
            raise self._error(self._at + 1, "after decimal point in numeric literal")
        if following and following in "eE" and not found["exponent"]:
            signed = self._text[self._at + 1 : self._at + 2] in ("+", "-")
            raise self._error(self._at + 1 + signed, "in exponent of numeric literal")
        if found["fraction"] or found["exponent"]:
            return JsonNumber(found[0])
        # Python's int() refuses long texts, and no integer field takes such a number.
        return int(found[0]) if len(found[0]) < 400 else JsonNumber(found[0])

    def _word(self, character: str) -> Any:
        word = next((word for word in _WORDS if character and word[0] == character), None)
        if word is None:
            raise self._error(self._at, "looking for beginning of value")
        for expected in word[1:]:
            self._at += 1
            if self._text[self._at : self._at + 1] != expected:
                raise self._error(self._at, f"in literal {word} (expecting '{expected}')")
        self._at += 1
        return _WORDS[word]

    def _skip(self) -> str:
        found = _SPACE.match(self._text, self._at)
        assert found is not None
        self._at = found.end()
        return self._text[self._at : self._at + 1]

    def _position(self, at: int) -> Position:
        line = bisect_right(self._lines, at)
        return Position(self._path, line, at - self._lines[line - 1] + 1)

    def _error(self, at: int, context: str) -> NotYaml:
        if at >= len(self._text):
            message = "unexpected end of JSON input"
        else:
            message = f"invalid character {_quoted(self._text[at])} {context}"
        hint = "; if this is a template, render it first" if self._text.lstrip().startswith("{{") else ""
        text = f"not valid JSON (a text that begins with {{ is read as JSON): {message}{hint}"
        return NotYaml([Problem(self._position(min(at, len(self._text))), text)], message)


def _quoted(character: str) -> str:
    """A character as Go quotes it: of a multi-byte character, the first byte as Latin-1."""
    first = chr(character.encode()[0])
    if first in "'\"":
        return "'\\''" if first == "'" else "'\"'"
    return f"'{go_quoted(first)[1:-1]}'"
