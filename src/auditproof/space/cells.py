"""What can be asked: verb, namespace and object (or path) together, in cells that no rule tells apart.

A cell is ``served`` where the server has something to answer it with. The others are refused with 404 or 405, but the
policy decides about them all the same. Verbs are those that RequestInfoFactory can compute: of a resource request the
eight, the legacy ``proxy`` and an empty one (OPTIONS); of a path the HTTP methods in lower case.
Source: staging/src/k8s.io/apiserver/pkg/endpoints/request/requestinfo.go.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.attributes import Attributes
from auditproof.space.fresh import fresh, segments
from auditproof.space.paths import PathIndex
from auditproof.space.resources import ResourceIndex
from auditproof.space.targets import (
    CLUSTER,
    LEGACY,
    NAMESPACE_PART,
    NAMESPACED,
    NAMESPACES,
    Target,
    TargetClass,
    target_classes,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from auditproof.attributes import UserInfo
    from auditproof.policy import PolicyRule
    from auditproof.served import Served

RESOURCE_VERBS = (
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
    "deletecollection",
    "proxy",
    "",
)
PATH_VERBS = ("get", "head", "post", "put", "patch", "delete", "options", "trace", "connect")
_ON_COLLECTION = frozenset({"list", "watch", "create", "deletecollection"})
_ACROSS_NAMESPACES = frozenset({"list", "watch"})
LEGACY_VERBS = frozenset({"watch", "proxy"})  # these can stand in front of the resource in the path
_SELECTABLE = frozenset({"list", "watch"})  # a field selector can pin the name


@dataclass(frozen=True, slots=True)
class ResourceCell:
    """Requests for resources that no rule tells apart, but for who asks."""

    mask: int
    served: bool
    targets: tuple[Target, ...]
    verbs: tuple[str, ...]
    namespaces: tuple[str, ...]
    name: str

    def attributes(self, user: UserInfo | None, among: Collection[str] = ()) -> Attributes:
        """One of the requests; with a verb out of ``among``, if any is there."""
        return self.attributes_of(user, self.targets[0], _first(self.verbs, among), self.namespaces[0])

    def attributes_of(self, user: UserInfo | None, target: Target, verb: str, namespace: str) -> Attributes:
        """The request for one target, verb and namespace of the cell."""
        name = namespace if self.name == SAME else self.name
        return Attributes(
            user, verb, namespace, target.group, target.version, target.resource, target.subresource, name
        )

    def every(self, user: UserInfo | None) -> Iterator[Attributes]:
        """A request for each target, verb and namespace of the cell."""
        for target in self.targets:
            for verb in self.verbs:
                for namespace in self.namespaces:
                    yield self.attributes_of(user, target, verb, namespace)


@dataclass(frozen=True, slots=True)
class PathCell:
    """Requests for paths that no rule tells apart, but for who asks."""

    mask: int
    served: bool
    paths: tuple[str, ...]
    verbs: tuple[str, ...]

    def attributes(self, user: UserInfo | None, among: Collection[str] = ()) -> Attributes:
        """One of the requests; with a verb out of ``among``, if any is there."""
        return Attributes(user, _first(self.verbs, among), path=self.paths[0], resource_request=False)

    def every(self, user: UserInfo | None) -> Iterator[Attributes]:
        """A request for each path and verb of the cell."""
        for path in self.paths:
            for verb in self.verbs:
                yield Attributes(user, verb, path=path, resource_request=False)


Cell = ResourceCell | PathCell
SAME = "\0"  # the name of a Namespace object, which is its namespace, too


def _first(verbs: tuple[str, ...], among: Collection[str]) -> str:
    return next((verb for verb in verbs if verb in among), verbs[0])


def cells_of(rules: Sequence[PolicyRule], served: Served) -> tuple[Cell, ...]:
    """Everything that can be asked, in cells."""
    verbs = [(1 << number, frozenset(rule.verbs)) for number, rule in enumerate(rules)]
    return (*_Resources(rules, served, verbs).cells(), *_path_cells(rules, served, verbs))


def _verb_mask(verb: str, verbs: list[tuple[int, frozenset[str]]]) -> int:
    return sum(bit for bit, known in verbs if not known or verb in known)


def _path_cells(
    rules: Sequence[PolicyRule], served: Served, verbs: list[tuple[int, frozenset[str]]]
) -> Iterator[PathCell]:
    by_verb = {verb: _verb_mask(verb, verbs) for verb in PATH_VERBS}
    for (mask, own), paths in PathIndex(rules).classes(served).items():
        merged: dict[int, list[str]] = {}
        for verb, known in by_verb.items():
            merged.setdefault(mask & known, []).append(verb)
        for both, some in merged.items():
            yield PathCell(both, own, paths, tuple(some))


class _Resources:
    """Lays out the cells of resource requests."""

    def __init__(self, rules: Sequence[PolicyRule], served: Served, verbs: list[tuple[int, frozenset[str]]]) -> None:
        index = ResourceIndex(rules)
        self._classes = target_classes(index, served)
        self._by_verb = {verb: _verb_mask(verb, verbs) for verb in RESOURCE_VERBS}
        self._rules = rules
        mentioned = segments([namespace for rule in rules for namespace in rule.namespaces])
        self._other = fresh("somewhere", mentioned)
        self._mentioned = mentioned
        self._namespaces: dict[int, list[str]] = {}
        for namespace in [self._other, *mentioned]:
            self._namespaces.setdefault(self._namespace_mask(namespace), []).append(namespace)
        self._outside = self._namespace_mask("")

    def _namespace_mask(self, namespace: str) -> int:
        return sum(
            1 << number
            for number, rule in enumerate(self._rules)
            if not rule.namespaces or namespace in rule.namespaces
        )

    def cells(self) -> Iterator[ResourceCell]:
        for target in self._classes:
            for (mask, served, namespaces, name), verbs in self._merged(target).items():
                yield ResourceCell(mask, served, target.targets, tuple(verbs), namespaces, name)

    def _merged(self, target: TargetClass) -> dict[tuple[int, bool, tuple[str, ...], str], list[str]]:
        """The verbs by everything else."""
        merged: dict[tuple[int, bool, tuple[str, ...], str], list[str]] = {}
        for place, namespaces, name, names in self._places(target):
            for verb, known in self._by_verb.items():
                if _can_be(verb, name, target.sub) and _can_be_at(verb, name, namespaces[0], target):
                    served = verb in target.verbs and _fits(target, verb, namespaces, name)
                    merged.setdefault((place & names & known, served, namespaces, name), []).append(verb)
        return merged

    def _places(self, target: TargetClass) -> Iterator[tuple[int, tuple[str, ...], str, int]]:
        """Namespaces and names: the rules that take the namespaces, these, the name, the rules that take it."""
        names = dict(target.named)
        other = fresh("something", names)
        for name in dict.fromkeys(["", *segments(list(names)), other]):
            taking = target.plain | names.get(name, 0)
            yield self._outside, ("",), name, taking
            for mask, namespaces in self._namespaces.items():
                yield mask, tuple(namespaces), name, taking
        if target.shape == NAMESPACES:
            yield from self._namespace_objects(target, names)

    def _namespace_objects(
        self, target: TargetClass, names: dict[str, int]
    ) -> Iterator[tuple[int, tuple[str, ...], str, int]]:
        """Requests for a Namespace object: its name is the namespace of the request, too."""
        merged: dict[tuple[int, int], list[str]] = {}
        other = fresh("somewhere", [*self._mentioned, *names])
        for name in dict.fromkeys([other, *self._mentioned, *segments(list(names))]):
            key = self._namespace_mask(name), target.plain | names.get(name, 0)
            merged.setdefault(key, []).append(name)
        for (place, taking), same in merged.items():
            yield place, tuple(same), SAME, taking


def _can_be(verb: str, name: str, sub: bool) -> bool:
    """Whether a request can have this verb with or without a name; paths with empty segments are left out."""
    if verb == "proxy":
        return not sub
    if verb == "list":
        return not sub and name != SAME
    if verb == "deletecollection":
        return not sub and not name
    return bool(name) or not (sub or verb in ("get", "delete"))


def _can_be_at(verb: str, name: str, namespace: str, target: TargetClass) -> bool:
    """Whether the path of such a request would not be read as that of something else.

    Behind a namespace, ``status`` and ``finalize`` are parts of the Namespace object, and what is called ``namespaces``
    has its own name for a namespace, unless the name is in a field selector. Outside, ``watch`` and ``proxy`` are
    verbs.
    """
    if target.shape == NAMESPACES and not namespace:
        return not name or (verb in _SELECTABLE and not target.sub)
    if target.shape == NAMESPACE_PART:
        return not namespace
    return bool(namespace) or verb in LEGACY_VERBS or target.shape != LEGACY


def _fits(target: TargetClass, verb: str, namespaces: tuple[str, ...], name: str) -> bool:
    """Whether the server serves the verb at this place."""
    outside = namespaces == ("",)
    if target.shape == NAMESPACES and target.scope == CLUSTER:
        collection = verb in _ON_COLLECTION and not target.sub
        return outside and _named_well(verb, name, target.sub) if collection else name == SAME
    if name == SAME or not _named_well(verb, name, target.sub):
        return False
    if target.scope == NAMESPACED:
        return not outside or (verb in _ACROSS_NAMESPACES and not target.sub)
    return outside or target.scope != CLUSTER


def _named_well(verb: str, name: str, sub: bool) -> bool:
    """Whether an object's name is there exactly where the verb wants one."""
    if sub or verb not in _ON_COLLECTION:
        return bool(name)
    return not name or verb in _SELECTABLE
