"""Whether Kubernetes refuses a YAML document because its aliases expand too much.

go.yaml.in/yaml/v2 (decode.go) counts every value it visits, repeatedly through aliases, and stops if too large a part
of them came from aliases. This makes the same count, in the same order, over the parser's events.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable

_SMALL, _LARGE = 400_000, 4_000_000  # visits; in between, the allowed part shrinks linearly
_MERGE_TAG = "tag:yaml.org,2002:merge"


class _Kind(Enum):
    SCALAR = auto()
    MERGE_KEY = auto()
    SEQUENCE = auto()
    MAPPING = auto()
    ALIAS = auto()


@dataclass(slots=True, eq=False)
class _Value:
    """A value and the values that are visited after it."""

    kind: _Kind
    then: list[_Value] = field(default_factory=list)
    open: bool = False  # not yet read completely


_SCALAR = _Value(_Kind.SCALAR)
_MERGE_KEY = _Value(_Kind.MERGE_KEY)


def expands_too_much(events: Iterable[yaml.Event]) -> tuple[int, int] | None:
    """Return line and column of the first document in ``events`` if go-yaml would refuse its aliases, else None.

    Invalid aliases (without an anchor, or inside it) are left to the reader of the document.
    """
    total, aliased = 1, 0
    place, values = _document(events)
    pending = [(value, False) for value in values]
    while pending:
        value, inside = pending.pop()
        total += 1
        aliased += inside
        if aliased > 100 and total > 1000 and aliased / total > _allowed(total):
            return place
        inside = inside or value.kind is _Kind.ALIAS
        # In the order of go-yaml, because the ratio is checked after every visit.
        pending.extend((child, inside) for child in reversed(value.then))
    return None


def _allowed(total: int) -> float:
    # allowedAliasRatio in decode.go.
    if total <= _SMALL:
        return 0.99
    return 0.10 if total >= _LARGE else 0.99 - 0.89 * ((total - _SMALL) / (_LARGE - _SMALL))


def _document(events: Iterable[yaml.Event]) -> tuple[tuple[int, int], list[_Value]]:
    root = _Value(_Kind.SEQUENCE)
    place = (1, 1)
    parents = [root]
    anchors: dict[str | None, _Value] = {}
    for event in events:
        if isinstance(event, yaml.DocumentEndEvent):
            break
        if isinstance(event, yaml.CollectionEndEvent):
            done = parents.pop()
            done.then = _visits(done.then) if done.kind is _Kind.MAPPING else done.then
            done.open = False
        elif isinstance(event, yaml.NodeEvent):
            if not root.then and event.start_mark:
                place = (event.start_mark.line + 1, event.start_mark.column + 1)
            value = _value(event, anchors)
            parents[-1].then.append(value)
            if isinstance(event, yaml.CollectionStartEvent):
                parents.append(value)
    return place, root.then


def _value(event: yaml.NodeEvent, anchors: dict[str | None, _Value]) -> _Value:
    if isinstance(event, yaml.AliasEvent):
        meant = anchors.get(event.anchor, _SCALAR)
        return _Value(_Kind.ALIAS, [_SCALAR if meant.open else meant])
    if isinstance(event, yaml.ScalarEvent):
        value = _MERGE_KEY if event.value == "<<" and (event.implicit[0] or event.tag == _MERGE_TAG) else _SCALAR
    else:
        value = _Value(_Kind.MAPPING if isinstance(event, yaml.MappingStartEvent) else _Kind.SEQUENCE, open=True)
    anchors[event.anchor] = value
    return value


def _visits(children: list[_Value]) -> list[_Value]:
    """Keys and values of a mapping; for a merge, neither its key nor the list of its sources is visited."""
    visits: list[_Value] = []
    for key, value in zip(children[::2], children[1::2], strict=True):
        if key.kind is not _Kind.MERGE_KEY:
            visits += (key, value)
        elif value.kind is _Kind.SEQUENCE:
            visits += reversed(value.then)
        else:
            visits.append(value)
    return visits
