"""Where in the file the parts of a policy stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.audit.policy.decode import read_text
from auditproof.kube.yaml.yaml_text import Mapping, Node

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.audit.policy.load import Policy
    from auditproof.errors import Position

Path = tuple[str | int, ...]


class Places:
    """The places of one policy; a path is made of keys and list indexes, as ``("rules", 0, "verbs", 1)``."""

    def __init__(self, policy: Policy) -> None:
        self._root = read_text(policy.text.encode(), policy.path).root
        self._keys = {position: path for path, position in _keys(self._root)}

    def of(self, *path: str | int) -> Position:
        """The place of the deepest value on ``path`` that exists."""
        return self._root.at(path).position

    def key(self, *path: str | int) -> Position:
        """The place of the last key of ``path``; of the value where it is none."""
        parent = self._root.at(path[:-1]).value
        if isinstance(parent, Mapping) and path[-1] in parent.keys:
            return parent.keys[str(path[-1])]
        return self.of(*path)

    def texts(self, *path: str | int) -> tuple[str, ...] | None:
        """The value at ``path`` where it is a list of strings."""
        value = self._root.at(path).value
        if not isinstance(value, tuple) or not all(isinstance(item.value, str) for item in value):
            return None
        return tuple(item.value for item in value)

    def path_of_key(self, position: Position) -> Path | None:
        """The path of the key that stands at ``position``."""
        return self._keys.get(position)


def _keys(root: Node) -> Iterator[tuple[Path, Position]]:
    """Every key with its place; what is aliased is visited once."""
    pending: list[tuple[Path, Node]] = [((), root)]
    seen: set[int] = set()
    while pending:
        path, node = pending.pop()
        if id(node.value) in seen or not isinstance(node.value, Mapping | tuple):
            continue
        seen.add(id(node.value))
        if isinstance(node.value, Mapping):
            yield from (((*path, key), position) for key, position in node.value.keys.items())
            pending += [((*path, key), entry) for key, entry in node.value.entries.items()]
        else:
            pending += [((*path, number), item) for number, item in enumerate(node.value)]
