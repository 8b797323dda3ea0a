"""JSON as it comes: one value a line, lists of values, values over many lines, and several on one line.

A line that is a value in itself is decoded at once. What is longer or goes on over lines is read by a walk through the
text, which decodes one element of a list at a time: of a list of any length no more than one element is in memory.
Where the JSON breaks off, the walk goes on with the next line that can begin a value, so a bad value costs itself.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from auditproof.audit.event_form import decode, shown
from auditproof.auditlog.forms.cuts import LOST, why_cut
from auditproof.auditlog.forms.opened import Refused

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from auditproof.auditlog.forms.text import Text

LONGEST_LINE = 16 << 20  # bytes that are decoded at once
LONGEST_VALUE = 64 << 20  # bytes of one value that is read by a walk
_DEEPEST = 10_000  # encoding/json scanner.go maxNestingDepth
LISTS = frozenset(
    {
        ("items",),  # EventList
        ("records",),  # Azure Event Hubs
        ("events",),  # aws logs filter-log-events, get-log-events
        ("logEvents",),  # CloudWatch subscriptions
        ("results",),  # CloudWatch Logs Insights, Splunk
        ("hits", "hits"),  # Elasticsearch and OpenSearch
        ("data", "result"),  # Loki's query API
        ("streams",),  # Loki's push API
    }
)
_OUTER = frozenset(path[:depth] for path in LISTS for depth in range(1, len(path)))

_POINT = re.compile(rb'["\\{}\[\]\n]')
_QUOTE = re.compile(rb'["\\\n]')
_STRING = re.compile(rb'"[^"\\\n]*+(?:\\[^\n][^"\\\n]*+)*+"')  # one that is in the window as a whole
_BLANKS = re.compile(rb"[ \t\r]*")
_SCALAR = re.compile(rb"[^\s,\]}]+")
_BEGINNINGS = (b'"', b"{", b"[")
_WITHIN = b'"}],\r\n'  # how a line within a value can begin that is not indented
_NEWLINE = 0x0A
_LONGEST_NUMBER = _LONGEST_INDENT = 4096
_TOO_LONG = f"it is longer than {LONGEST_VALUE >> 20} MiB, which is not read"


@dataclass(frozen=True, slots=True)
class Value:
    """A decoded value, the line in which it begins, and the path of the list in which it was (None: in none)."""

    line: int
    value: Any
    path: tuple[str, ...] | None = None
    many_lines: bool = False


Found: TypeAlias = Value | Refused


class Broken(Exception):
    """The text is no JSON from here on: why, or nothing where the value does not end; then ``line`` is its last."""

    def __init__(self, why: str, line: int = 0) -> None:
        super().__init__(why)
        self.line = line


def reason_of(error: ValueError) -> str:
    """Why a text is not JSON, in words of our own."""
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    return "it is not JSON" if isinstance(error, json.JSONDecodeError) else str(error)


def lists_of(value: dict[str, Any]) -> list[tuple[tuple[str, ...], list[Any]]]:
    """The known lists of a decoded object, each with its path."""
    found = []
    for path in LISTS:
        inner: Any = value
        for key in path:
            inner = inner.get(key) if isinstance(inner, dict) else None
        if isinstance(inner, list):
            found.append((path, inner))
    return found


class Walk:
    """A walk through a text that begins with a line; ``line`` is that line, or as much of it as is decoded at once."""

    def __init__(self, text: Text, line: bytes) -> None:
        self._text = text
        self._first, self._first_number = line, text.line
        self._indent = _indent_of(line)  # of the line in which the walk is
        self._begun_at = self._indent  # the indentation of the line in which the present value begins

    def values(self) -> Iterator[Found]:
        """All values that begin in this line; the walk ends at the beginning of a line."""
        text = self._text
        while (byte := self._next_in_line()) and byte not in b"\r\n":
            begun, self._begun_at = text.line, self._indent
            try:
                if byte == b"{":
                    members, streamed = yield from self._object(())
                    if not streamed:
                        yield Value(begun, members, many_lines=self._text.line > begun)
                elif byte == b"[":
                    yield from self._list(())
                elif byte == b",":
                    text.skip(1)
                else:
                    raise Broken("something follows the JSON")
            except Broken as broken:
                yield Refused(begun, self._why(broken))
                self._pass_over()
                return
        text.skip_line()

    def _object(self, path: tuple[str, ...]) -> Generator[Found, None, tuple[dict[str, Any], bool]]:
        """An object. Returns its members, those of known lists left out, and whether there was such a list."""
        members: dict[str, Any] = {}
        streamed, size = False, 0
        self._text.skip(1)
        while (byte := self._next()) != b"}":
            if byte == b"," and members:
                self._text.skip(1)
                byte = self._next()
            if byte != b'"':
                raise Broken("it is not JSON") if byte else self._ended()
            key = str(_decoded(self._taken()))
            if self._next() != b":":
                raise Broken("it is not JSON") if self._text.byte() else self._ended()
            if key in members:
                raise Broken(f"it has the duplicate key {shown(key)}")
            self._text.skip(1)
            # Known lists of events are passed on element by element, because they may be larger than memory.
            inner, byte = (*path, key), self._next()
            if inner in LISTS and byte == b"[":
                members[key], streamed = None, True
                yield from self._list(inner)
            elif inner in _OUTER and byte == b"{":
                members[key], below = yield from self._object(inner)
                streamed = streamed or below
            else:
                taken = self._taken()
                size += len(taken)
                members[key] = _decoded(taken)
            if size > LONGEST_VALUE:
                raise Broken(_TOO_LONG)
        self._text.skip(1)
        return members, streamed

    def _list(self, path: tuple[str, ...]) -> Iterator[Found]:
        """A list: every element by itself, also after one that is broken."""
        self._text.skip(1)
        outer, refused = self._begun_at, False
        while (byte := self._next(in_list=True)) != b"]":
            if byte == b",":
                self._text.skip(1)
                continue
            if not byte:
                if refused:  # that it does not end has been said of an element
                    return
                raise Broken("the file ends within the list that begins here")
            line, self._begun_at = self._text.line, self._indent
            try:
                taken = self._taken()
                yield Value(line, _decoded(taken), path, many_lines=self._text.line > line)
            except Broken as broken:
                yield Refused(line, self._why(broken))
                refused = True
                self._pass_over(in_list=True)
            self._begun_at = outer
        self._text.skip(1)

    def _taken(self) -> bytes:
        """The bytes of the value that begins here. Raises Broken where it does not end."""
        text = self._text
        if text.byte() not in _BEGINNINGS:
            found = _SCALAR.match(text.peek_line(_LONGEST_NUMBER))
            if found is None:
                raise Broken("it is not JSON") if text.byte() else self._ended()
            text.skip(found.end())
            return found[0]
        depth, in_string, looked = 0, False, 0
        while True:
            point = (_QUOTE if in_string else _POINT).search(text.window, text.at + looked)
            if point is None:
                looked = len(text.window) - text.at
                if looked > LONGEST_VALUE:
                    raise Broken(_TOO_LONG)
                if not text.fill():
                    raise self._ended(looked)
                continue
            looked = point.end() - text.at
            match point[0]:
                case b'"':
                    # A string that ends within the window is passed in one step.
                    whole = None if in_string else _STRING.match(text.window, text.at + looked - 1)
                    in_string = not in_string and whole is None
                    looked = whole.end() - text.at if whole else looked
                case b"\\":
                    if looked >= len(text.window) - text.at:
                        text.fill()
                    looked += text.window[text.at + looked : text.at + looked + 1] != b"\n"
                case b"\n":
                    # No string of JSON holds a line break, and a line that cannot continue this value begins another.
                    if in_string or not self._goes_on(looked):
                        raise self._ended(looked)
                case b"{" | b"[":
                    depth += 1
                case _:
                    depth -= 1
            if depth > _DEEPEST:
                raise Broken(f"it is nested deeper than {_DEEPEST} levels, which no API server writes")
            if not depth and not in_string:
                taken = bytes(text.window[text.at : text.at + looked])
                text.skip(looked)
                return taken

    def _next(self, *, in_list: bool = False) -> bytes:
        """The next byte that is no space; empty at the end of the file. Raises Broken where another value begins."""
        while (byte := self._next_in_line()) == b"\n":
            self._text.skip(1)
            if not in_list and not self._goes_on(0):
                raise Broken("", self._text.line - 1)
            self._indent = _indent_of(self._text.peek_line(_LONGEST_INDENT))
        return byte

    def _next_in_line(self) -> bytes:
        text = self._text
        while text.byte():
            found = _BLANKS.match(text.window, text.at)
            text.skip((found.end() if found else text.at) - text.at)
            if text.at < len(text.window):
                break
        return text.byte()

    def _goes_on(self, ahead: int) -> bool:
        """Whether the line that begins so many bytes ahead can stand within the present value."""
        text = self._text
        while len(text.window) - text.at - ahead <= self._begun_at + 1 and text.fill():
            pass
        begin = text.at + ahead
        found = _BLANKS.match(text.window, begin)
        end = found.end() if found else begin
        byte = bytes(text.window[end : end + 1])
        return end - begin > self._begun_at or not byte or byte in _WITHIN

    def _pass_over(self, *, in_list: bool = False) -> None:
        """Go to the line that begins the next value; a walk that broke off at the beginning of one is there already."""
        text = self._text
        at_begin = not text.at or text.window[text.at - 1] == _NEWLINE
        if in_list or not at_begin or self._goes_on(0):
            text.skip_line()
        while text.byte() and self._goes_on(0) and not (in_list and self._ends_list()):
            text.skip_line()
        self._indent = _indent_of(text.peek_line(_LONGEST_INDENT))

    def _ends_list(self) -> bool:
        line = self._text.peek_line(_LONGEST_INDENT)
        return _indent_of(line) <= self._begun_at and line.lstrip()[:1] == b"]"

    def _ended(self, ahead: int = 0) -> Broken:
        """A value that does not end in what is ``ahead``."""
        text = self._text
        return Broken("", text.line + text.window.count(b"\n", text.at, max(text.at + ahead - 1, text.at)))

    def _why(self, broken: Broken) -> str:
        """Of a value that does not end in its only line, the length may say who cut it."""
        if broken.line == self._first_number:
            return why_cut(self._first)
        return str(broken) or f"it does not end (line {broken.line}): {LOST}"


def _decoded(taken: bytes) -> Any:
    """A value as ``decode`` reads it within an event, where what is nested too deeply is left out. Raises Broken."""
    try:
        # As a body, because only in a body does decode() cut off what is nested too deeply.
        return decode(b'{"requestObject":%b}' % taken)["requestObject"] if taken[:1] in (b"{", b"[") else decode(taken)
    except ValueError as error:
        raise Broken(reason_of(error)) from None


def _indent_of(line: bytes) -> int:
    return len(line) - len(line.lstrip(b" \t"))
