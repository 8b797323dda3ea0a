"""Decodes a tree of Nodes into Go types, as kube-apiserver's strict decoder does (sigs.k8s.io/json).

Unknown and repeated fields, which Go only logs, become warnings; errors become problems. Go reports only the first
error, in the order of the keys; here all are collected. A field that JSON repeats is decoded again *into the same
value*: fields that a later list item does not set keep their earlier values. So no validation library can do it.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from auditproof.audit.policy.go_types import Anything, Boolean, GoType, Integer, List, Struct, Text, Texts, Time
from auditproof.errors import Position, Problem
from auditproof.kube.yaml.json_text import JsonNumber
from auditproof.kube.yaml.yaml_text import Mapping, Node
from auditproof.text.invisible import invisible_in
from auditproof.text.suggestion import closest

if TYPE_CHECKING:
    from collections.abc import Iterator

_INTEGER = re.compile("-?[0-9]+")
_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d{1,2}):(\d\d):(\d\d)(?:[.,]\d+)?(?:Z|[-+](\d\d):(\d\d))", flags=re.ASCII
)


@dataclass(slots=True)
class GoValue:
    """A Go value and the Node that last set it; None is the zero value.

    A struct is a dict of its fields, a slice a GoSlice, the rest are themselves.
    """

    value: Any
    node: Node

    def field(self, name: str) -> GoValue:
        """A field of a struct; the zero value if it was never set."""
        fields: dict[str, GoValue] = self.value or {}
        return fields.get(name) or GoValue(None, self.node)

    def items(self) -> list[GoValue]:
        """The items of a slice."""
        return self.value.items[: self.value.length] if self.value else []


@dataclass(slots=True)
class GoSlice:
    """A Go slice: its array may still hold earlier items beyond ``length``."""

    items: list[GoValue] = field(default_factory=list)
    length: int = 0


@dataclass(slots=True)
class Findings:
    """The findings of a decoder: warnings, problems, and for each problem the server's message."""

    warnings: list[Problem] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)


class Abort(Exception):
    """Go's decoder stops immediately; the findings say why."""


@dataclass(frozen=True, slots=True)
class _Place:
    """The position of the decoder: struct and fields for Go's messages, and the path for auditproof's."""

    struct: str
    fields: tuple[str, ...]
    path: str

    def into(self, struct: Struct, name: str) -> _Place:
        return _Place(struct.name, (*self.fields, name), f"{self.path}.{name}" if self.path else name)

    def step(self, suffix: str) -> _Place:
        return _Place(self.struct, self.fields, f"{self.path}{suffix}")


def unmarshal(root: Node, struct: Struct, findings: Findings) -> GoValue:
    """Decode ``root`` as a ``struct``; check ``findings`` for problems before using the result."""
    held = GoValue(None, root)
    with suppress(Abort):
        _Decoder(findings).decode(root, struct, held, _Place("", (), ""))
    return held


class _Decoder:
    def __init__(self, findings: Findings) -> None:
        self._findings = findings

    def decode(self, node: Node, kind: GoType, held: GoValue, place: _Place) -> None:
        """Decode ``node`` as a ``kind`` into ``held``."""
        if node.value is None:
            # Null clears pointers, maps and slices, and leaves everything else unchanged.
            if isinstance(kind, List | Texts) or getattr(kind, "pointer", False):
                held.value, held.node = None, node
        elif isinstance(kind, Struct) and isinstance(node.value, Mapping):
            self._struct(node, node.value, kind, held, place)
        elif isinstance(kind, List) and isinstance(node.value, tuple):
            self._list(node, kind, held, place)
        elif isinstance(kind, Texts) and isinstance(node.value, Mapping):
            self._repeated(node.value)
            for name, child in in_order(node.value):
                self.decode(child, Text(), GoValue(None, child), place.step(f".{name}"))
        elif isinstance(kind, Time):
            self._time(node, place)
        elif _fits(node.value, kind):
            held.value, held.node = node.value, node
        elif not isinstance(kind, Anything):
            self._mistyped(node, kind, place)

    def _struct(self, node: Node, mapping: Mapping, struct: Struct, held: GoValue, place: _Place) -> None:
        fields: dict[str, GoValue] = {} if held.value is None else held.value
        held.value, held.node = fields, node
        self._repeated(mapping)
        for name, child in in_order(mapping):
            if name in struct.fields:
                inner = fields.setdefault(name, GoValue(None, child))
                self.decode(child, struct.fields[name], inner, place.into(struct, name))
        for name in mapping.entries:
            if name not in struct.fields:
                position = mapping.keys[name]
                known = sorted(struct.fields)
                meant = closest(name, known, ignore_case=True)
                advice = f'did you mean "{meant}"?' if meant else f"known keys: {', '.join(known)}"
                if hidden := invisible_in(name):
                    advice = f"letter {hidden[0]} of it is {hidden[1]}"
                where = f" in {place.path}" if place.path else ""
                text = f'unknown key "{name}"{where}: the server ignores it and only logs a warning; {advice}'
                self._findings.warnings.append(Problem(position, text))

    def _list(self, node: Node, kind: List, held: GoValue, place: _Place) -> None:
        slice_: GoSlice = held.value or GoSlice()
        for n, child in enumerate(node.value):
            # Go reuses the array of a slice: with a repeated key, earlier items are decoded into once more.
            if n >= len(slice_.items):
                slice_.items.append(GoValue(None, child))
            self.decode(child, kind.of, slice_.items[n], place.step(f"[{n}]"))
            if child.value is None and slice_.items[n].value is None:
                slice_.items[n].node = child
        slice_.length = len(node.value)
        held.value, held.node = (slice_ if slice_.length else GoSlice()), node

    def _time(self, node: Node, place: _Place) -> None:
        kind = Time()
        if not isinstance(node.value, str):
            self._mistyped(node, kind, place, first=True)
            raise Abort
        # The error of an UnmarshalJSON ends Go's decoding at once, unlike a value of the wrong type.
        if not _is_time(node.value):
            message = f'parsing time "{node.value}" as "2006-01-02T15:04:05Z07:00": cannot parse'
            self._refuse(node.position, f"{place.path} must be {kind.words}", message, first=True)
            raise Abort

    def _repeated(self, mapping: Mapping) -> None:
        """Only for JSON: the YAML reader finds repeated keys before decoding."""
        if mapping.sequence is None:
            return
        for key, position in mapping.repeated:
            self._findings.warnings.append(Problem(position, repeated_key(key)))

    def _mistyped(self, node: Node, kind: GoType, place: _Place, *, first: bool = False) -> None:
        found = json_type(node)
        number = f" {_literal(node.value)}" if isinstance(kind, Integer) and found == "number" else ""
        target = f"struct field {place.struct}.{'.'.join(place.fields)}" if place.fields else "value"
        message = f"json: cannot unmarshal {found}{number} into Go {target} of type {kind.go}"
        if isinstance(node.value, bool):
            called = f"the boolean {'true' if node.value else 'false'}"
        elif isinstance(node.value, int | float):
            called = f"the number {_literal(node.value)[:40]}"
        else:
            called = {"string": "a string", "array": "a list", "object": "a mapping"}[json_type(node)]
        text = f"{place.path or 'the policy'} must be {kind.words}, not {called}{_hint(node, kind)}"
        self._refuse(node.position, text, message, first=first)

    def _refuse(self, position: Position, text: str, message: str, *, first: bool) -> None:
        """Add a problem; ``first`` puts an error at which Go stops before all others."""
        at = 0 if first else len(self._findings.problems)
        self._findings.problems.insert(at, Problem(position, text))
        self._findings.messages.insert(at, message)


def repeated_key(key: str) -> str:
    """The warning about a duplicate key."""
    return f'duplicate key "{key}": the last one counts, the server only logs a warning'


def in_order(mapping: Mapping) -> Iterator[tuple[str, Node]]:
    """The entries in the order of Go's decoder: YAML becomes JSON with sorted keys before it is decoded."""
    return iter(sorted(mapping.entries.items()) if mapping.sequence is None else mapping.sequence)


def _fits(value: Any, kind: GoType) -> bool:
    if isinstance(kind, Text):
        return isinstance(value, str)
    if isinstance(kind, Boolean):
        return isinstance(value, bool)
    if isinstance(kind, Integer) and isinstance(value, int | float) and not isinstance(value, bool):
        literal = _literal(value)
        return _INTEGER.fullmatch(literal) is not None and -(2**63) <= int(literal) < 2**63
    return False


def _literal(value: float) -> str:
    """A number as in JSON; go-yaml's floats are reformatted, without a fraction if they have none."""
    if isinstance(value, JsonNumber):
        return value.literal
    if isinstance(value, int):
        return str(value)
    if value.is_integer() and abs(value) < 1e21:
        return str(int(Decimal(repr(value))))
    return format(Decimal(repr(value)), "f") if abs(value) >= 1e-6 else repr(value).replace("e-0", "e-")


def _is_time(text: str) -> bool:
    found = _RFC3339.fullmatch(text)
    if found is None:
        return False
    year, month, day, hour, minute, second, zone_hour, zone_minute = (int(part or 0) for part in found.groups())
    try:
        date(year or 4, month, day)  # Go knows a year 0, and it was a leap year
    except ValueError:
        return False
    return hour < 24 and minute < 60 and second < 60 and zone_hour <= 24 and zone_minute < 60


def json_type(node: Node) -> str:
    """Go's name for the kind of a JSON value."""
    value = node.value
    names = {bool: "bool", str: "string", tuple: "array", Mapping: "object"}
    return next(
        (name for kind, name in names.items() if isinstance(value, kind)), "null" if value is None else "number"
    )


def _hint(node: Node, kind: GoType) -> str:
    if isinstance(kind, Text) and isinstance(node.value, bool):
        return ": quote it (unquoted y, yes, n, no, on, off, true and false are booleans in YAML 1.1)"
    if isinstance(kind, Text) and isinstance(node.value, int | float):
        return ": quote it"
    if isinstance(kind, List) and not isinstance(node.value, Mapping):
        return f": write it as {'[...]' if isinstance(kind.of, Text) else 'items that begin with -'}"
    return ""
