"""YAML text as a tree of values that know their place, read by the same rules as Kubernetes reads it.

Kubernetes reads YAML with go.yaml.in/yaml/v2 by way of sigs.k8s.io/yaml: YAML 1.1, where plain ``yes``, ``on`` and even
``y`` are booleans; keys become strings; of several documents only the first is read. PyYAML scans (its C parser is the
parent of Go's); what a scalar means is decided here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from auditproof.errors import Position, Problem, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_DEPTH = 1000  # nothing that is meant seriously is nested deeper; Go's own limit is 10,000
MAX_NODES = 4_000_000  # visited through aliases: beyond it Go calls the document excessively aliased


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A value with its place: None, bool, int, float, str, a tuple of Nodes, or a Mapping."""

    value: Any
    position: Position

    def plain(self) -> Any:
        """The value without places: lists and dicts."""
        if isinstance(self.value, Mapping):
            return {key: entry.plain() for key, entry in self.value.entries.items()}
        if isinstance(self.value, tuple):
            return [item.plain() for item in self.value]
        return self.value

    def at(self, path: tuple[str | int, ...]) -> Node:
        """The deepest node on ``path`` that exists: where a problem at ``path`` is best shown."""
        node = self
        for step in path:
            found = _child(node, step)
            if found is None:
                return node
            node = found
        return node


@dataclass(frozen=True, slots=True, eq=False)
class Mapping:
    """The entries of a mapping (of a repeated key the last), the places of its keys, and the repeated keys."""

    entries: dict[str, Node]
    keys: dict[str, Position]
    repeated: tuple[tuple[str, Position], ...]


def _child(node: Node, step: str | int) -> Node | None:
    if isinstance(node.value, Mapping) and isinstance(step, str):
        return node.value.entries.get(step)
    if isinstance(node.value, tuple) and isinstance(step, int) and step < len(node.value):
        found = node.value[step]
        assert isinstance(found, Node)
        return found
    return None


def parse_yaml(data: bytes, path: str) -> Node:
    """The first document of ``data`` as a tree; an empty one is a Node with the value None.

    Raises SourceError where it is not YAML.
    """
    try:
        return _Builder(path).build(yaml.parse(data, Loader=_loader()))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = Position(path, mark.line + 1, mark.column + 1) if mark else Position(path, 1, 1)
        raise SourceError([Problem(where, f"this is not YAML: {error.problem or error.context}")]) from None
    except yaml.reader.ReaderError as error:
        reason = f"this is not YAML: {error.reason}, at byte {error.position}"
        raise SourceError([Problem(Position(path, 1, 1), reason)]) from None
    except (UnicodeDecodeError, ValueError) as error:
        raise SourceError([Problem(Position(path, 1, 1), f"this is not YAML: {error}")]) from None


def _loader() -> Any:
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(slots=True)
class _Open:
    """A collection that is being read."""

    position: Position
    mapping: bool
    anchor: str | None
    items: list[Node] = field(default_factory=list)


class _Builder:
    """Builds the tree from the parser's events, without recursion, so that no nesting can exhaust the stack."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._open: list[_Open] = []
        self._anchors: dict[str, Node] = {}
        self._sizes: dict[int, int] = {}
        self._root: Node | None = None

    def build(self, events: Iterator[yaml.Event]) -> Node:
        for event in events:
            self._take(event)
            if isinstance(event, yaml.DocumentEndEvent):
                break
        return self._root or Node(None, Position(self._path, 1, 1))

    def _take(self, event: yaml.Event) -> None:
        mark = event.start_mark
        position = Position(self._path, mark.line + 1, mark.column + 1) if mark else Position(self._path, 1, 1)
        if isinstance(event, yaml.ScalarEvent):
            self._add(Node(_scalar(event, position), position), event.anchor)
        elif isinstance(event, yaml.AliasEvent):
            self._add(self._alias(event.anchor, position), None)
        elif isinstance(event, yaml.SequenceStartEvent | yaml.MappingStartEvent):
            self._begin(_Open(position, isinstance(event, yaml.MappingStartEvent), event.anchor))
        elif isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
            done = self._open.pop()
            value = _mapping(done.items) if done.mapping else tuple(done.items)
            self._add(Node(value, done.position), done.anchor, 1 + sum(self._size(item) for item in done.items))

    def _begin(self, opened: _Open) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise SourceError([Problem(opened.position, f"nested deeper than {MAX_DEPTH} levels")])
        self._open.append(opened)

    def _alias(self, anchor: str | None, position: Position) -> Node:
        if anchor is None or anchor not in self._anchors:
            raise SourceError([Problem(position, f"this is not YAML: unknown anchor {anchor!r} referenced")])
        return self._anchors[anchor]

    def _size(self, node: Node) -> int:
        return self._sizes.get(id(node), 1)

    def _add(self, node: Node, anchor: str | None, size: int = 1) -> None:
        if size > MAX_NODES:
            raise SourceError([Problem(node.position, "document contains excessive aliasing")])
        if size > 1:
            self._sizes[id(node)] = size
        if anchor:
            self._anchors[anchor] = node
        if self._open:
            self._open[-1].items.append(node)
        else:
            self._root = node


def _mapping(items: list[Node]) -> Mapping:
    """Entries out of alternating keys and values; ``<<`` merges, and a key of its own wins over a merged one."""
    entries: dict[str, Node] = {}
    keys: dict[str, Position] = {}
    repeated: list[tuple[str, Position]] = []
    merged: list[tuple[str, Node, Position]] = []
    for key, value in zip(items[::2], items[1::2], strict=True):
        if key.value == _MERGE:
            merged += _merge(value)
            continue
        name = _key(key)
        if name in entries:
            repeated.append((name, key.position))
        entries[name], keys[name] = value, key.position
    for name, value, position in merged:
        if name in keys:
            repeated.append((name, keys[name]))
        else:
            entries[name], keys[name] = value, position
    return Mapping(entries, keys, tuple(repeated))


def _merge(node: Node) -> list[tuple[str, Node, Position]]:
    sources = node.value if isinstance(node.value, tuple) else (node,)
    found: list[tuple[str, Node, Position]] = []
    for source in sources:
        if not isinstance(source.value, Mapping):
            raise SourceError([Problem(node.position, "map merge requires map or sequence of maps as the value")])
        found += [(name, entry, source.value.keys[name]) for name, entry in source.value.entries.items()]
    return found


def _key(node: Node) -> str:
    value = node.value
    if value is None or isinstance(value, tuple | Mapping):
        raise SourceError([Problem(node.position, "a key must be a string (or a number or a boolean, taken as one)")])
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


_MERGE = object()
_TRUE = {"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"}
_FALSE = {"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"}
_NULL = {"", "~", "null", "Null", "NULL"}
_NOT_A_NUMBER = {".nan", ".NaN", ".NAN"}
_INFINITE = re.compile(r"^[-+]?\.(inf|Inf|INF)$")
_INTEGER = re.compile(r"^[-+]?(0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0[bB][01]+|0|[1-9][0-9]*)$")
_FLOAT = re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")
_TAGS = "tag:yaml.org,2002:"


def _scalar(event: yaml.ScalarEvent, position: Position) -> Any:
    """What Go's resolve() makes of a scalar (go.yaml.in/yaml/v2 resolve.go)."""
    text, tag = str(event.value), event.tag
    if tag in (None, "!") and event.implicit[0] and not event.style:
        return _MERGE if text == "<<" else _resolve(text)
    if tag in (None, "!", f"{_TAGS}str"):
        return text
    if tag.removeprefix(_TAGS) not in ("bool", "int", "float", "null"):
        return text
    value = _resolve(text)
    if isinstance(value, str):
        name = tag.removeprefix(_TAGS)
        raise SourceError([Problem(position, f"this is not YAML: cannot decode !!str `{text}` as a !!{name}")])
    return value


def _resolve(text: str) -> Any:
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if text in _NOT_A_NUMBER or _INFINITE.match(text):
        return float(text.replace(".", "").lower())
    if text[0] not in "+-.0123456789":
        return text
    return _number(text.replace("_", "") if text[0] != "." else text, text)


def _number(plain: str, text: str) -> Any:
    if _INTEGER.match(plain):
        sign = -1 if plain.startswith("-") else 1
        digits = plain.lstrip("+-").lower()
        bases = {"0x": 16, "0o": 8, "0b": 2}
        base = bases.get(digits[:2], 8 if digits.startswith("0") and len(digits) > 1 else 10)
        return sign * int(digits[2:] if digits[:2] in bases else digits, base)
    return float(plain) if _FLOAT.match(plain) else text
