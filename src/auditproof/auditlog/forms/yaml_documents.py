"""Audit events in YAML: an EventList, a list of events, or a document for each; read as a stream of YAML's own events.

No alias is followed, and every plain scalar is text but null, true, false and numbers (times stay text, as in JSON).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

from auditproof.auditlog.forms.documents import Found, Value
from auditproof.auditlog.forms.opened import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.auditlog.forms.text import Text

DEEPEST = 100
LONGEST = 64 << 20  # characters of one event
_KEYS = (
    rb"(?:annotations|apiVersion|auditID|authenticationMetadata|kind|level|items|metadata|objectRef|stage|verb|user):"
)
_BEGINS = re.compile(rb"(?:[ \t\r]*(?:#[^\n]*)?\n)*(?:---\s|(?:- *)?" + _KEYS + rb")")
_LOOKED_AT = 8192
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?")
_KEYWORDS = dict.fromkeys(("", "~", "null", "Null", "NULL")) | {
    text: text.lower() == "true" for text in ("true", "True", "TRUE", "false", "False", "FALSE")
}


class _Strange(Exception):
    """YAML that no export of events holds; the message says what."""


def is_yaml(head: bytes) -> bool:
    """Whether a file that begins so is YAML that may hold audit events."""
    return _BEGINS.match(head[:_LOOKED_AT]) is not None


def yaml_values(text: Text) -> Iterator[Found]:
    """Every document, or element of a list of events, with its line."""
    base, line = text.line, text.line
    # By events, not by documents: a list of any length is read element by element.
    events = yaml.parse(text, Loader=yaml.CSafeLoader)  # type: ignore[arg-type]  # it only needs read()
    try:
        for event in events:
            line = _line(event, base)
            if isinstance(event, yaml.MappingStartEvent):
                yield from _document(events, base, line)
            elif isinstance(event, yaml.SequenceStartEvent):
                yield from _elements(events, (), base)
            elif isinstance(event, yaml.ScalarEvent) and event.value:
                yield Refused(line, "not an audit event: a text, no object")
            elif isinstance(event, yaml.AliasEvent):
                raise _Strange("an alias stands for it, and aliases are not read")
    except _Strange as strange:
        yield Refused(line, f"not an audit event: {strange}; the rest of the file is not read")
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = base + mark.line if mark else line
        yield Refused(at, "not an audit event: it is not YAML from here on, and the rest of the file is not read")


def _document(events: Iterator[Any], base: int, line: int) -> Iterator[Found]:
    """A mapping at the top: the elements of its items, else the mapping."""
    found: dict[str, Any] = {}
    listed = False
    for event in events:
        if isinstance(event, yaml.MappingEndEvent):
            break
        key = str(_composed(event, events))
        begun = next(events)
        if key in found:
            raise _Strange(f"the key {key[:60]} occurs twice")
        if key == "items" and isinstance(begun, yaml.SequenceStartEvent):
            found[key], listed = None, True
            yield from _elements(events, ("items",), base)
        else:
            found[key] = _composed(begun, events)
    if not listed:
        yield Value(line, found, None, many_lines=True)


def _line(event: Any, base: int) -> int:
    return base + int(event.start_mark.line)


def _elements(events: Iterator[Any], path: tuple[str, ...], base: int) -> Iterator[Found]:
    for event in events:
        if isinstance(event, yaml.SequenceEndEvent):
            return
        yield Value(_line(event, base), _composed(event, events), path, many_lines=True)


def _composed(event: Any, events: Iterator[Any]) -> Any:
    """The value that begins with an event."""
    stack: list[tuple[Any, str | None]] = []  # a list or an object, and its key that waits for a value
    size = 0
    while True:
        value: Any = None
        if isinstance(event, yaml.AliasEvent):
            raise _Strange("it contains an alias, and aliases are not read")
        if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            stack.append(({} if isinstance(event, yaml.MappingStartEvent) else [], None))
            if len(stack) > DEEPEST:
                raise _Strange(f"it is nested deeper than {DEEPEST} levels")
            event = next(events)
            continue
        if isinstance(event, yaml.ScalarEvent):
            size += len(event.value)
            if size > LONGEST:
                raise _Strange("it is too long")
            value = _scalar(event)
        else:
            value, _ = stack.pop()
        if not stack:
            return value
        _put(stack, value, event)
        event = next(events)


def _put(stack: list[tuple[Any, str | None]], value: Any, event: Any) -> None:
    """Put a value into the innermost list or object; in an object every other one is a key."""
    outer, key = stack[-1]
    if isinstance(outer, list):
        outer.append(value)
    elif key is None:
        name = event.value if isinstance(event, yaml.ScalarEvent) else None
        if name is None or name in outer:
            raise _Strange("a key of it is no text, or is there twice")
        stack[-1] = (outer, name)
    else:
        outer[key] = value
        stack[-1] = (outer, None)


def _scalar(event: Any) -> Any:
    text: str = event.value
    if event.style or not event.implicit[0]:
        return text
    if text in _KEYWORDS:
        return _KEYWORDS[text]
    number = _NUMBER.fullmatch(text)
    if number is None or len(text) > 18:
        return text
    return float(text) if number[1] or number[2] else int(text)
