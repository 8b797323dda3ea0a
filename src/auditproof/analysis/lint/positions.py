"""The positions in the file of the parts of a policy."""

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
    """The positions in one policy; a path consists of keys and list indexes, e.g. ``("rules", 0, "verbs", 1)``."""

    def __init__(self, policy: Policy) -> None:
        self._root = read_text(policy.text.encode(), policy.path).root
        self._in_file = policy.place.of
        self._keys = {self._in_file(position): path for path, position in _keys(self._root)}

    def of(self, *path: str | int) -> Position:
        """The position of the deepest existing value on ``path``."""
        return self._in_file(self._root.at(path).position)

    def key(self, *path: str | int) -> Position:
        """The position of the last key of ``path``, or of the value if that step is no key."""
        parent = self._root.at(path[:-1]).value
        if isinstance(parent, Mapping) and path[-1] in parent.keys:
            return self._in_file(parent.keys[str(path[-1])])
        return self.of(*path)

    def texts(self, *path: str | int) -> tuple[str, ...] | None:
        """The value at ``path`` if it is a list of strings, else None."""
        value = self._root.at(path).value
        if not isinstance(value, tuple) or not all(isinstance(item.value, str) for item in value):
            return None
        return tuple(item.value for item in value)

    def path_of_key(self, position: Position) -> Path | None:
        """The path of the key at ``position``, or None."""
        return self._keys.get(position)


def _keys(root: Node) -> Iterator[tuple[Path, Position]]:
    """Every key with its position; aliased values are visited once."""
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
