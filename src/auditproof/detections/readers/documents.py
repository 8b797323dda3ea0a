"""The documents of a YAML text as rule engines read them, each with its position. Pure.

Rules are read by PyYAML, as Sigma's and Elastic's own programs do it, not by the rules of Kubernetes' YAML.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from auditproof.errors import Position
from auditproof.kube.yaml.yaml_events import not_yaml, position_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST = 1_000_000  # values of a document
_DEEPEST = 100  # levels: no rule is nested deeper, and PyYAML reads nested values by recursion


@dataclass(frozen=True, slots=True)
class Document:
    """The value of a document, where it begins, and the keys that are repeated somewhere in it."""

    value: Any
    position: Position
    repeated: tuple[tuple[str, Position], ...] = ()


def documents(text: str, path: str) -> list[Document]:
    r"""The documents of a text, without empty ones. Raises NotYaml with the position of the first mistake.

    >>> from auditproof.detections.readers.documents import documents
    >>> [(one.value, one.position.line) for one in documents("title: a\n---\ntitle: b\n", "rules.yml")]
    [({'title': 'a'}, 1), ({'title': 'b'}, 3)]
    """
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    where = Position(path, 1, 1)
    found = []
    try:
        _check_depth(text, path, loader)
        for node in yaml.compose_all(text, Loader=loader):
            where = position_of(node.start_mark, path)
            _check_aliases(node, path)
            value = yaml.constructor.SafeConstructor().construct_document(node)
            if value is not None:
                found.append(Document(value, where, tuple(_repeated(node, path))))
    except yaml.MarkedYAMLError as error:
        text = ", ".join(part for part in (error.problem, error.context) if part)
        raise not_yaml(position_of(error.problem_mark or error.context_mark, path), text) from None
    except yaml.YAMLError as error:
        raise not_yaml(where, str(error).partition("\n")[0]) from None
    except (ValueError, TypeError, OverflowError) as error:  # of a date or number that does not exist
        raise not_yaml(where, f"a value of this document is invalid: {error}") from None
    return found


def _check_depth(text: str, path: str, loader: Any) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise not_yaml(position_of(event.start_mark, path), f"nested more than {_DEEPEST} levels deep")


def _check_aliases(root: yaml.Node, path: str) -> None:
    """Raise NotYaml if a value contains itself, or aliases make the document much larger than its text."""
    sizes: dict[int, int] = {}
    entered: set[int] = set()
    pending = [(root, False)]
    while pending:
        node, is_complete = pending.pop()
        if is_complete:
            sizes[id(node)] = 1 + sum(sizes[id(child)] for child in _children(node))
            if sizes[id(node)] > _MOST:
                raise not_yaml(position_of(node.start_mark, path), "its aliases expand to too many values")
        elif id(node) not in sizes:
            if id(node) in entered:
                raise not_yaml(position_of(node.start_mark, path), "this value contains itself")
            entered.add(id(node))
            pending.append((node, True))
            pending += [(child, False) for child in _children(node)]


def _repeated(root: yaml.Node, path: str) -> Iterator[tuple[str, Position]]:
    pending, seen = [root], {id(root)}
    while pending:
        node = pending.pop()
        keys: set[str] = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                if key.value in keys:
                    yield str(key.value), position_of(key.start_mark, path)
                keys.add(key.value)
        fresh = [child for child in _children(node) if id(child) not in seen]
        seen |= set(map(id, fresh))
        pending += fresh


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [child for pair in node.value for child in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []
