"""All ordinary requests, by the rules whose conditions on verb and object they meet.

The space names a value because a rule mentions it. Here a namespace, an object's name or a custom resource is kept only
if what is recorded depends on it, so that policies which mean the same have the same requests. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, TypeVar

from auditproof.analysis.space.cells import RESOURCE_VERBS, SAME, PathCell, is_served
from auditproof.analysis.space.oddity import is_odd_name, is_odd_namespace, segments
from auditproof.analysis.space.resource_index import ResourceIndex
from auditproof.analysis.space.resource_targets import ResourceTarget, custom_target, custom_verbs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from auditproof.analysis.space import Space
    from auditproof.kube.discovery import Served

OTHER = "/other"  # every other namespace, name, resource or subresource; none of these has a slash
# Texts know it from the space.
_PLACEHOLDER = ResourceTarget("example.auditproof.dev", "v1", "widgets", "", known=False)
Key = tuple[str, str, str]  # group, resource and subresource


K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Asked:
    """Requests with a verb, for a resource in a namespace (empty: in none, or across all) and a name, or for a path."""

    target: ResourceTarget | None
    path: str
    verb: str
    namespace: str = ""
    name: str = ""


class Requests:
    """The ordinary requests of a space, with bitmasks of the rules whose conditions on verb and object they meet."""

    def __init__(self, space: Space, served: Served) -> None:
        self._rules = space.rules
        self._index = ResourceIndex(space.rules)
        self._order = {
            (entry.group, entry.resource, entry.subresource): place for place, entry in enumerate(served.resources)
        }
        mentioned = segments([name for rule in space.rules for name in rule.namespaces])
        self._namespaces = [name for name in mentioned if not is_odd_namespace(name)]
        self._optional: set[str] = set()  # the server's own groups of optional resources that rules name
        self.masks: dict[Asked, int] = dict(self._built_in(space))
        self._families = {key: dict(self._family(*key)) for key in self._combinations(served)}
        for family in self._families.values():
            self.masks |= family

    def _built_in(self, space: Space) -> Iterator[tuple[Asked, int]]:
        """Those for what the server serves by default."""
        for cell in (cell for cells in space.cells.values() for cell in cells if cell.served):
            if isinstance(cell, PathCell):
                yield from ((Asked(None, path, verb), cell.mask) for path in cell.paths for verb in cell.verbs)
                continue
            for target, verb, namespace in product(cell.targets, cell.verbs, cell.namespaces):
                if (target.group, target.resource, target.subresource) in self._order:
                    names = dict(self._index.masks(target.group, target.resource, target.subresource)[1])
                    known = {*self._namespaces, *(names if cell.name == SAME else ()), ""}
                    where = namespace if namespace in known else OTHER
                    name = cell.name if cell.name in names or cell.name in ("", SAME) else OTHER
                    yield Asked(target, "", verb, where, name), cell.mask

    def _combinations(self, served: Served) -> Iterator[Key]:
        """Everything else that may be served and that rules can tell apart."""
        optional: dict[str, set[str]] = defaultdict(set)
        for group, resource in served.optional:
            optional[group].add(resource)
        groups = [group for group in self._index.groups if group not in served.groups and group != "*"]
        for group in dict.fromkeys([*groups, *sorted(optional), OTHER]):
            pairs = list(self._index.mentioned(group))
            names = {resource for resource, _ in pairs if resource and not _is_odd(resource)}
            parts = {part for _, part in pairs if part and not _is_odd(part)}
            if group in served.groups:
                names &= optional[group]
                self._optional |= {group} if names else set()
            for resource in [*sorted(names), OTHER]:
                for part in ["", *sorted(parts), OTHER]:
                    if (group, resource, part) not in self._order:
                        yield group, resource, part

    def _family(self, group: str, resource: str, part: str) -> Iterator[tuple[Asked, int]]:
        """All requests for one of these."""
        plain, masks = self._index.masks(group, resource, part)
        named = {name: mask for name, mask in masks if name and not _is_odd(name)}
        target = custom_target(group, resource, part)
        verbs = [verb for verb in RESOURCE_VERBS if verb in target.verbs]
        for verb, namespace in product(verbs, ["", *self._namespaces, OTHER]):
            about = sum(1 << n for n, rule in enumerate(self._rules) if not rule.verbs or verb in rule.verbs) & sum(
                1 << n for n, rule in enumerate(self._rules) if not rule.namespaces or namespace in rule.namespaces
            )
            for name in ["", *named, OTHER]:
                if is_served(target, verb, namespace, name):
                    yield Asked(target.targets[0], "", verb, namespace, name), (plain | named.get(name, 0)) & about

    def reduced(self, signature: Callable[[int], K]) -> dict[Asked, K]:
        """The requests in a fixed order, without values on which nothing depends.

        ``signature`` is what is recorded of requests, by who asks, that meet the conditions of a bitmask of rules.
        """
        found = {asked: signature(mask) for asked, mask in self.masks.items() if self._is_built_in(asked)}
        for target, family in self._kept_families(signature):
            for asked, mask in family.items():
                found[replace(asked, target=target)] = signature(mask)
        found = _without(found, lambda asked: asked.namespace, lambda asked, value: replace(asked, namespace=value))
        found = _without(found, lambda asked: asked.name, lambda asked, value: replace(asked, name=value), own=True)
        return dict(sorted(found.items(), key=lambda pair: self._place(pair[0])))

    def _is_built_in(self, asked: Asked) -> bool:
        target = asked.target
        return target is None or (target.group, target.resource, target.subresource) in self._order

    def _kept_families(self, signature: Callable[[int], K]) -> Iterator[tuple[ResourceTarget, dict[Asked, int]]]:
        """What may be served besides the defaults, where something else is recorded of it than of others like it.

        With a resource of a group comes a target for the others of that group.
        """
        apart = dict.fromkeys(self._apart(signature))
        groups = {group for group, *rest in apart if rest != [OTHER, ""]} - self._optional - {OTHER}
        for key in {**apart, **{(group, OTHER, ""): None for group in groups}}:
            group, resource, part = ("*" if step == OTHER else step for step in key)
            target = _PLACEHOLDER if key == (OTHER, OTHER, "") else ResourceTarget(group, "v1", resource, part)
            if key[0] in groups and key[1:] == (OTHER, ""):
                target = ResourceTarget(key[0], "v1", _PLACEHOLDER.resource, "", known=False)
            yield target, self._families[key]

    def _apart(self, signature: Callable[[int], K]) -> Iterator[Key]:
        """The combinations of which something else is recorded than of others like them."""
        known = {
            key: {(asked.verb, asked.namespace, asked.name): signature(mask) for asked, mask in family.items()}
            for key, family in self._families.items()
        }

        def differ(one: Key, other: Key) -> bool:
            verbs = custom_verbs(one[2], mentioned=True)
            asked = [about for about in {**known[one], **known[other]} if about[0] in verbs]
            both = ((_of(known[one], about), _of(known[other], about)) for about in asked)
            return any(mine != its for mine, its in both if mine is not None and its is not None)

        def matters(key: Key) -> bool:
            """Whether requests for a subresource are served because a rule names it, or for a resource at all."""
            return not key[2] or differ(key, (*key[:2], OTHER))

        for key in known:
            group, resource, part = key
            if part == OTHER or (group in self._optional and resource == OTHER):
                continue
            # A combination is like the others of its group or, if none is known, like that resource in other groups.
            general = [(OTHER, OTHER, part)]
            if group in self._optional:
                general = [(group, OTHER, part)]
            elif group != OTHER and resource != OTHER:
                of_group, of_resource = (group, OTHER, part), (OTHER, resource, part)
                if differ(of_group, general[0]) if general[0] in known else matters(of_group):
                    general = [of_group]
                elif of_resource in known and matters(of_resource):
                    general = [of_resource]
            like = next((one for one in general if one != key and one in known and matters(one)), None)
            # Without one, a subresource is like the other subresources of its resource.
            if like is None and part and group not in self._optional:
                like = (group, resource, OTHER)
            if like is None or differ(key, like):
                yield key

    def _place(self, asked: Asked) -> tuple[object, ...]:
        """Where the requests are in the fixed order: built-in resources as they are served, others, and paths."""
        target = asked.target
        if target is None:
            return 2, asked.path, asked.verb
        key = (target.group, target.resource, target.subresource)
        first = (0, self._order[key]) if key in self._order else (1, not target.known, *key)
        return *first, asked.name, asked.namespace, RESOURCE_VERBS.index(asked.verb)


def _is_odd(name: str) -> bool:
    return bool(name) and (is_odd_name(name) or "/" in name)


def _of(family: dict[tuple[str, str, str], K], about: tuple[str, str, str]) -> K | None:
    """What is recorded of a request; of a name that no rule mentions for this resource, as of any other."""
    verb, namespace, _ = about
    return family.get(about, family.get((verb, namespace, OTHER)))


def _without(
    found: dict[Asked, K],
    value_of: Callable[[Asked], str],
    with_value: Callable[[Asked, str], Asked],
    *,
    own: bool = False,
) -> dict[Asked, K]:
    """The same without values of a dimension that are everywhere as any other value; with ``own``, for each target."""

    def scope(asked: Asked) -> ResourceTarget | None:
        return asked.target if own else None

    kept = {
        (scope(asked), value)
        for asked, recorded in found.items()
        if (value := value_of(asked)) in ("", SAME, OTHER) or found.get(with_value(asked, OTHER)) != recorded
    }
    return {asked: recorded for asked, recorded in found.items() if (scope(asked), value_of(asked)) in kept}
