"""The possible requests without their user: verb, namespace and object (or path), in cells that no rule distinguishes.

A cell is ``served`` if the server serves its requests. The others are rejected with 404 or 405, but the policy decides
them all the same. Verbs are those that RequestInfoFactory computes: for resource requests the eight API verbs, the
legacy ``proxy`` and an empty one (OPTIONS); for paths the HTTP methods in lower case.

A cell is ``odd`` if no ordinary client sends its requests: invalid names, unusual HTTP methods, paths with empty
segments (see ``oddity``).
Source: staging/src/k8s.io/apiserver/pkg/endpoints/request/requestinfo.go.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.analysis.space.oddity import is_odd_name, is_odd_namespace, methods, segments
from auditproof.analysis.space.path_index import ASTERISK, PathIndex
from auditproof.analysis.space.placeholders import fresh
from auditproof.analysis.space.resource_index import ResourceIndex
from auditproof.analysis.space.resource_targets import (
    CLUSTER,
    LEGACY,
    NAMESPACE_PART,
    NAMESPACED,
    NAMESPACES,
    ResourceTarget,
    TargetClass,
    target_classes,
)
from auditproof.kube.attributes import Attributes, is_selectable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from auditproof.audit.policy.load import PolicyRule
    from auditproof.kube.attributes import UserInfo
    from auditproof.kube.discovery import Served

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
LEGACY_VERBS = frozenset({"watch", "proxy"})  # these may precede the resource in the path
_SELECTABLE = frozenset({"list", "watch"})  # a field selector can pin the name


@dataclass(frozen=True, slots=True)
class ResourceCell:
    """Resource requests that no rule distinguishes, apart from their user; ``answered``: the server serves them."""

    mask: int
    answered: bool
    odd: bool
    targets: tuple[ResourceTarget, ...]
    verbs: tuple[str, ...]
    namespaces: tuple[str, ...]
    name: str

    @property
    def served(self) -> bool:
        """Whether ordinary clients send these requests and the server serves them."""
        return self.answered and not self.odd

    @property
    def standing(self) -> int:
        """SERVED, UNSERVED or ODD."""
        return _standing(self)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the objects; empty text for none."""
        return self.namespaces if self.name == SAME else (self.name,)

    def attributes(self, user: UserInfo | None, among: Collection[str] = ()) -> Attributes:
        """One of the requests; with a verb from ``among``, if the cell has one."""
        return self.attributes_of(user, self.targets[0], _first(self.verbs, among), self.namespaces[0])

    def attributes_of(self, user: UserInfo | None, target: ResourceTarget, verb: str, namespace: str) -> Attributes:
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
    """Non-resource requests that no rule distinguishes, apart from their user."""

    mask: int
    answered: bool
    odd: bool
    paths: tuple[str, ...]
    verbs: tuple[str, ...]

    @property
    def served(self) -> bool:
        """Whether ordinary clients send these requests and the server serves them."""
        return self.answered and not self.odd

    @property
    def standing(self) -> int:
        """SERVED, UNSERVED or ODD."""
        return _standing(self)

    def attributes(self, user: UserInfo | None, among: Collection[str] = ()) -> Attributes:
        """One of the requests; with a verb from ``among``, if the cell has one."""
        return Attributes(user, _first(self.verbs, among), path=self.paths[0], resource_request=False)

    def every(self, user: UserInfo | None) -> Iterator[Attributes]:
        """A request for each path and verb of the cell."""
        for path in self.paths:
            for verb in self.verbs:
                yield Attributes(user, verb, path=path, resource_request=False)


Cell = ResourceCell | PathCell
SAME = "/"  # the name of a Namespace object, which is also its namespace; no name contains a slash
SERVED, UNSERVED, ODD = range(3)  # how ordinary the requests of a cell are


def _standing(cell: Cell) -> int:
    return ODD if cell.odd else SERVED if cell.answered else UNSERVED


def _first(verbs: tuple[str, ...], among: Collection[str]) -> str:
    return next((verb for verb in verbs if verb in among), verbs[0])


def cells_of(rules: Sequence[PolicyRule], served: Served, meeting: int = -1) -> tuple[Cell, ...]:
    """All cells, by the mask of the rules whose conditions they meet; those that meet one of the rules ``meeting``.

    ``meeting`` is a bitmask; -1 is for all cells, also those that meet no rule.
    """
    verbs = [(1 << number, frozenset(rule.verbs)) for number, rule in enumerate(rules)]
    found: tuple[Cell, ...] = (*_Resources(rules, served, verbs, meeting).cells(), *_path_cells(rules, served, verbs))
    return found if meeting < 0 else tuple(cell for cell in found if cell.mask & meeting)


def _verb_mask(verb: str, verbs: list[tuple[int, frozenset[str]]]) -> int:
    return sum(bit for bit, known in verbs if not known or verb in known)


def _path_cells(
    rules: Sequence[PolicyRule], served: Served, verbs: list[tuple[int, frozenset[str]]]
) -> Iterator[PathCell]:
    mentioned = methods([verb for rule in rules for verb in rule.verbs])
    other = fresh("propfind", mentioned)
    by_verb = {verb: _verb_mask(verb, verbs) for verb in dict.fromkeys([*PATH_VERBS, other, *mentioned])}
    for (mask, own, odd), paths in PathIndex(rules).classes(served).items():
        merged: dict[tuple[int, bool], list[str]] = {}
        for verb, known in by_verb.items():
            if (paths, verb) == ((ASTERISK,), "options"):
                continue  # net/http responds to that itself
            merged.setdefault((mask & known, odd or verb not in PATH_VERBS), []).append(verb)
        for (both, odd_verb), some in merged.items():
            yield PathCell(both, own, odd_verb, paths, tuple(some))


Place = tuple[tuple[str, ...], str, bool]  # namespaces, name, and whether these are odd


class _Resources:
    """Lays out the cells of resource requests."""

    def __init__(
        self, rules: Sequence[PolicyRule], served: Served, verbs: list[tuple[int, frozenset[str]]], meeting: int
    ) -> None:
        index = ResourceIndex(rules)
        self._classes = target_classes(index, served, meeting)
        self._by_verb = {verb: _verb_mask(verb, verbs) for verb in RESOURCE_VERBS}
        self._rules = rules
        mentioned = segments([namespace for rule in rules for namespace in rule.namespaces])
        self._other = fresh("somewhere", mentioned)
        self._mentioned = mentioned
        self._namespaces: dict[tuple[int, bool], list[str]] = {}
        for namespace in [self._other, *mentioned]:
            key = self._namespace_mask(namespace), is_odd_namespace(namespace)
            self._namespaces.setdefault(key, []).append(namespace)
        self._outside = self._namespace_mask("")

    def _namespace_mask(self, namespace: str) -> int:
        return sum(
            1 << number
            for number, rule in enumerate(self._rules)
            if not rule.namespaces or namespace in rule.namespaces
        )

    def cells(self) -> Iterator[ResourceCell]:
        for target in self._classes:
            for (mask, answered, (namespaces, name, odd)), verbs in self._merged(target).items():
                yield ResourceCell(mask, answered, odd, target.targets, tuple(verbs), namespaces, name)

    def _merged(self, target: TargetClass) -> dict[tuple[int, bool, Place], list[str]]:
        """The verbs by everything else."""
        merged: dict[tuple[int, bool, Place], list[str]] = {}
        for mask, (namespaces, name, odd) in self._places(target):
            for verb, known in self._by_verb.items():
                if _can_be(verb, name, namespaces[0], target):
                    answered = verb in target.verbs and _fits(target, verb, namespaces, name)
                    strange = odd or not _is_plain(verb, name, namespaces[0], target)
                    place = namespaces, name, strange
                    merged.setdefault((mask & known, answered, place), []).append(verb)
        return merged

    def _places(self, target: TargetClass) -> Iterator[tuple[int, Place]]:
        """Namespaces and names, with the rules that match them."""
        names = dict(target.named)
        other = fresh("something", names)
        for name in dict.fromkeys(["", *segments(list(names)), other]):
            taking = target.plain | names.get(name, 0)
            strange = target.odd or (bool(name) and is_odd_name(name))
            yield self._outside & taking, (("",), name, strange)
            for (mask, odd), namespaces in self._namespaces.items():
                yield mask & taking, (tuple(namespaces), name, odd or strange)
        if target.shape == NAMESPACES:
            yield from self._namespace_objects(target, names)

    def _namespace_objects(self, target: TargetClass, names: dict[str, int]) -> Iterator[tuple[int, Place]]:
        """Requests for a Namespace object: its name is also the namespace of the request."""
        merged: dict[tuple[int, bool], list[str]] = {}
        other = fresh("somewhere", [*self._mentioned, *names])
        for name in dict.fromkeys([other, *self._mentioned, *segments(list(names))]):
            mask = self._namespace_mask(name) & (target.plain | names.get(name, 0))
            merged.setdefault((mask, target.odd or is_odd_namespace(name)), []).append(name)
        for (mask, odd), same in merged.items():
            yield mask, (tuple(same), SAME, odd)


def is_served(target: TargetClass, verb: str, namespace: str, name: str) -> bool:
    """Whether ordinary clients send such requests, and the server serves them."""
    possible = _can_be(verb, name, namespace, target) and _is_plain(verb, name, namespace, target)
    return possible and verb in target.verbs and _fits(target, verb, (namespace,), name)


def _can_be(verb: str, name: str, namespace: str, target: TargetClass) -> bool:
    """Whether any path is read as such a request (NewRequestInfo).

    After a namespace, ``status`` and ``finalize`` are parts of the Namespace object. A list has its name from a field
    selector.
    """
    if target.shape == NAMESPACE_PART and namespace:
        return False
    if verb == "list":
        return name != SAME and is_selectable(name)
    if verb == "proxy":
        return not target.sub
    return not name if verb == "deletecollection" else bool(name) or verb not in ("get", "delete")


def _is_plain(verb: str, name: str, namespace: str, target: TargetClass) -> bool:
    """Whether a path without empty segments is read as such a request.

    For a resource called ``namespaces`` the name is also the namespace, unless it is in a field selector; outside of
    namespaces, ``watch`` and ``proxy`` are verbs.
    """
    if target.sub and (not name or verb == "list"):
        return False
    if target.shape == NAMESPACES and not namespace:
        return not name or (verb in _SELECTABLE and not target.sub)
    return bool(namespace) or verb in LEGACY_VERBS or target.shape != LEGACY


def _fits(target: TargetClass, verb: str, namespaces: tuple[str, ...], name: str) -> bool:
    """Whether the server serves the verb at this place."""
    outside = namespaces == ("",)
    # A Namespace object is its own namespace: RequestInfo gives its name as both.
    if target.shape == NAMESPACES and target.scope == CLUSTER:
        collection = verb in _ON_COLLECTION and not target.sub
        return outside and _named_well(verb, name, target.sub) if collection else name == SAME
    if name == SAME or not _named_well(verb, name, target.sub):
        return False
    if target.scope == NAMESPACED:
        return not outside or (verb in _ACROSS_NAMESPACES and not target.sub)
    return outside or target.scope != CLUSTER


def _named_well(verb: str, name: str, sub: bool) -> bool:
    """Whether an object's name is present exactly if the verb needs one."""
    if sub or verb not in _ON_COLLECTION:
        return bool(name)
    return not name or verb in _SELECTABLE
