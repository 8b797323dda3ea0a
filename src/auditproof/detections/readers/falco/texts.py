"""The YAML of a rules file as Falco reads it: every scalar is its text, every document counts. Pure.

Source: yaml_helper.h of falcosecurity/falco, on yaml-cpp, which merges no ``<<`` and knows no types of scalars.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from auditproof.kube.yaml.yaml_events import not_yaml, position_of
from auditproof.kube.yaml.yaml_text import Mapping, Node

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.errors import Position

_NULLS = ("", "~", "null", "Null", "NULL")
_DEEPEST = 100


@dataclass(slots=True)
class _Open:
    """A collection that is being read."""

    position: Position
    is_mapping: bool
    anchor: str | None
    items: list[Node] = field(default_factory=list)


def documents(text: str, path: str) -> Iterator[Node]:
    """Each document of a text as a Node: None, a text, a tuple of Nodes or a Mapping.

    Raises NotYaml with the position of what is no YAML, or nested more than 100 levels deep.
    """
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        yield from _documents(yaml.parse(text, Loader=loader), path)
    except yaml.MarkedYAMLError as error:
        why = ", ".join(part for part in (error.problem, error.context) if part)
        raise not_yaml(position_of(error.problem_mark or error.context_mark, path), why) from None
    except yaml.YAMLError as error:
        raise not_yaml(position_of(None, path), str(error).partition("\n")[0]) from None


def _documents(events: Iterator[yaml.Event], path: str) -> Iterator[Node]:
    anchors: dict[str, Node | None] = {}
    opened: list[_Open] = []
    for event in events:
        position = position_of(event.start_mark, path)
        node = None
        if isinstance(event, yaml.DocumentStartEvent):
            anchors = {}
        elif isinstance(event, yaml.ScalarEvent):
            is_null = event.implicit[0] and event.value in _NULLS
            node = Node(None if is_null else str(event.value), position)
            anchors[event.anchor or ""] = node
        elif isinstance(event, yaml.AliasEvent):
            node = anchors.get(event.anchor or "")
            if node is None:
                raise not_yaml(position, f"the alias *{event.anchor} has no complete anchor before it")
        elif isinstance(event, yaml.SequenceStartEvent | yaml.MappingStartEvent):
            if len(opened) >= _DEEPEST:
                raise not_yaml(position, f"nested more than {_DEEPEST} levels deep")
            anchors[event.anchor or ""] = None
            opened.append(_Open(position, isinstance(event, yaml.MappingStartEvent), event.anchor))
        elif isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
            done = opened.pop()
            node = Node(_mapping(done.items) if done.is_mapping else tuple(done.items), done.position)
            anchors[done.anchor or ""] = node
        if node is not None and opened:
            opened[-1].items.append(node)
        elif node is not None:
            yield node


def _mapping(items: list[Node]) -> Mapping:
    """The entries of a mapping; the first of a repeated key counts, as in yaml-cpp."""
    entries: dict[str, Node] = {}
    keys: dict[str, Position] = {}
    repeated = []
    for key, value in zip(items[::2], items[1::2], strict=True):
        name = key.value if isinstance(key.value, str) else ""
        if name in entries:
            repeated.append((name, key.position))
        else:
            entries[name], keys[name] = value, key.position
    return Mapping(entries, keys, tuple(repeated))
