"""Parses YAML by the rules of Kubernetes, into a tree of values with positions.

Kubernetes reads YAML with go.yaml.in/yaml/v2 through sigs.k8s.io/yaml: keys become strings, the last of a repeated key
counts, and only the first of several documents is read. ``yaml_events`` produces the events, ``scalars`` resolves
scalars; keys, merges and aliases are handled here. PyYAML supplies the events only: no Python library resolves YAML
1.1's scalars, merges and aliases as go-yaml does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from auditproof.errors import Position
from auditproof.kube.yaml.alias_limit import expands_too_much
from auditproof.kube.yaml.scalars import MERGE, resolve
from auditproof.kube.yaml.yaml_events import not_yaml, position_of, read_first_document, uncovered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.errors import NotYaml

_DEEPEST = 100  # no hand-written file is nested deeper


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A value with its position: None, bool, int, float, str, a tuple of Nodes, or a Mapping."""

    value: Any
    position: Position

    def plain(self) -> Any:
        """The value as plain lists and dicts, without positions."""
        if isinstance(self.value, Mapping):
            return {key: entry.plain() for key, entry in self.value.entries.items()}
        if isinstance(self.value, tuple):
            return [item.plain() for item in self.value]
        return self.value

    def at(self, path: tuple[str | int, ...]) -> Node:
        """The deepest existing node on ``path``: the best position for a problem at ``path``."""
        node = self
        for step in path:
            if isinstance(node.value, Mapping) and isinstance(step, str):
                found = node.value.entries.get(step)
            elif isinstance(node.value, tuple) and isinstance(step, int) and step < len(node.value):
                found = node.value[step]
                assert isinstance(found, Node)
            else:
                found = None
            if found is None:
                return node
            node = found
        return node


@dataclass(frozen=True, slots=True, eq=False)
class Mapping:
    """The entries of a mapping (the last of a repeated key), the positions of its keys, and the repeated keys.

    ``sequence``: all entries in the order of the text, set only for JSON, where repetitions matter.
    """

    entries: dict[str, Node]
    keys: dict[str, Position]
    repeated: tuple[tuple[str, Position], ...]
    sequence: tuple[tuple[str, Node], ...] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """A document: its value and all repeated keys, including those in dropped values."""

    root: Node
    repeated: tuple[tuple[str, Position], ...]


def parse_yaml(data: bytes, path: str) -> Node:
    """Return the first document of ``data`` as a tree; an empty document is a Node with the value None.

    ``path`` is the file name for messages. Raises NotYaml if it is not YAML, or nested more than 100 levels deep.
    """
    return parse_document(data, path, deepest=_DEEPEST).root


def parse_document(data: bytes, path: str, *, deepest: int) -> Document:
    """Return the first document of ``data``, at most ``deepest`` levels deep.

    Raises NotYaml if it is not YAML. Aliases are counted before they are expanded: a few kilobytes could expand to
    gigabytes.
    """
    if b"*" in data and (place := read_first_document(data, path, expands_too_much)):
        raise not_yaml(Position(path, *place), "document contains excessive aliasing")
    return read_first_document(data, path, lambda events: _Builder(path, deepest).build(events))


class _UnusableKey(str):
    """Go's type name for a key that JSON cannot express: null, or an integer above int64."""

    __slots__ = ()


@dataclass(slots=True)
class _Open:
    """A collection that is being read."""

    position: Position
    mapping: bool
    anchor: str | None
    items: list[Node] = field(default_factory=list)


class _Builder:
    """Builds the tree from the parser's events, without recursion, so that no nesting can exhaust the stack."""

    def __init__(self, path: str, deepest: int) -> None:
        self._path = path
        self._deepest = deepest
        self._open: list[_Open] = []
        self._anchors: dict[str, Node | None] = {}
        self._suspect = False
        self._error: NotYaml | None = None
        self._repeated: list[tuple[str, Position]] = []
        self._root: Node | None = None

    def build(self, events: Iterator[yaml.Event]) -> Document:
        """Return the document.

        Raises the first of several errors; values that only JSON cannot express are searched last.
        """
        for event in events:
            position = position_of(event.start_mark, self._path)
            if isinstance(event, yaml.ScalarEvent):
                self._add(Node(self._scalar(event, position), position), event.anchor)
            elif isinstance(event, yaml.AliasEvent):
                self._add(self._alias(str(event.anchor), position), None)
            elif isinstance(event, yaml.SequenceStartEvent | yaml.MappingStartEvent):
                opened = _Open(position, isinstance(event, yaml.MappingStartEvent), event.anchor)
                if len(self._open) >= self._deepest:
                    raise not_yaml(opened.position, f"exceeded max depth of {self._deepest}")
                if opened.anchor:
                    self._anchors[opened.anchor] = None
                self._open.append(opened)
            elif isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
                done = self._open.pop()
                value = self._mapping(done.items) if done.mapping else tuple(done.items)
                self._add(Node(value, done.position), done.anchor)
        root = self._root or Node(None, Position(self._path, 1, 1))
        if self._error:
            raise self._error
        if self._suspect and (error := _unspeakable(root)):
            raise error
        return Document(root, tuple(self._repeated))

    def _fail(self, where: Position, text: str) -> None:
        self._error = self._error or not_yaml(where, text)

    def _scalar(self, event: yaml.ScalarEvent, position: Position) -> Any:
        text = uncovered(str(event.value))
        try:
            value = resolve(text, event.tag, plain=event.implicit[0])
        except ValueError as error:
            self._fail(position, str(error))
            return text
        # YAML can express Infinity and NaN, JSON cannot; the server refuses the first one after parsing.
        if isinstance(value, float):
            self._suspect = self._suspect or not math.isfinite(value)
        return value

    def _alias(self, anchor: str, position: Position) -> Node:
        if anchor not in self._anchors:
            raise not_yaml(position, f"unknown anchor '{anchor}' referenced")
        node = self._anchors[anchor]
        if node is None:
            self._fail(position, f"anchor '{anchor}' value contains itself")
            return Node(None, position)
        # Only as a plain key does << merge; as an aliased value it is a string.
        return Node("<<", node.position) if node.value is MERGE else node

    def _add(self, node: Node, anchor: str | None) -> None:
        if anchor:
            self._anchors[anchor] = node
        if self._open:
            self._open[-1].items.append(node)
        else:
            self._root = node

    def _mapping(self, items: list[Node]) -> Mapping:
        """Entries from alternating keys and values; later entries win, merged or not."""
        entries: dict[str, Node] = {}
        keys: dict[str, Position] = {}
        repeated: list[tuple[str, Position]] = []
        for key, value in zip(items[::2], items[1::2], strict=True):
            merges = key.value is MERGE
            for name, position, entry in self._merged(value) if merges else [(self._key(key), key.position, value)]:
                if name in entries:
                    repeated.append((name, position))
                entries[name], keys[name] = entry, position
        self._repeated += repeated
        return Mapping(entries, keys, tuple(repeated))

    def _merged(self, node: Node) -> Iterator[tuple[str, Position, Node]]:
        """The entries of one mapping, or of a list of mappings, in which earlier ones win."""
        sources = reversed(node.value) if isinstance(node.value, tuple) else (node,)
        for source in sources:
            if not isinstance(source.value, Mapping):
                self._fail(node.position, "map merge requires map or sequence of maps as the value")
                return
            for name, entry in source.value.entries.items():
                yield name, source.value.keys[name], entry

    def _key(self, node: Node) -> str:
        value = node.value
        if isinstance(value, tuple | Mapping):
            self._fail(node.position, "invalid map key: it is a list or a mapping")
        elif value is None or (isinstance(value, int) and value >= 2**63):
            self._suspect = True
            return _UnusableKey("%!s(<nil>)" if value is None else "uint64")
        elif isinstance(value, bool):
            return "true" if value else "false"
        elif isinstance(value, float) and math.isfinite(value):
            # With the precision of a float32, as sigs.k8s.io/yaml writes it: FormatFloat(key, 'g', -1, 32) in yaml.go.
            return format(value, ".7g")
        elif isinstance(value, float):
            return _GO_NAMES.get(value, "NaN").lower().replace("inf", ".inf").replace("nan", ".nan").lstrip("+")
        return str(value)


def _unspeakable(root: Node) -> NotYaml | None:
    """The error for the first key that JSON cannot express, or else for the first such number."""
    error = None
    pending = [root]
    while pending:
        node = pending.pop()
        if isinstance(node.value, Mapping):
            for key in node.value.entries:
                if isinstance(key, _UnusableKey):
                    text = f"unsupported map key of type: {key}"
                    return not_yaml(node.value.keys[key], text, text)
            pending += [entry for _, entry in sorted(node.value.entries.items(), reverse=True)]
        elif isinstance(node.value, tuple):
            pending += reversed(node.value)
        elif error is None and isinstance(node.value, float) and not math.isfinite(node.value):
            text = f"unsupported value: {_GO_NAMES.get(node.value, 'NaN')}"
            error = not_yaml(node.position, text, f"json: {text}")
    return error


_GO_NAMES = {math.inf: "+Inf", -math.inf: "-Inf"}
