"""The objects of requests: classes of resources that no rule distinguishes and the server serves alike.

The resources of the built-in API groups are known, and everything else in them is rejected with 404. Any other group
may be served by a custom resource definition or an aggregated API server, with any resources that a policy mentions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

from auditproof.analysis.space.oddity import is_odd_name
from auditproof.analysis.space.placeholders import fresh

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.analysis.space.resource_index import Named, ResourceIndex
    from auditproof.kube.discovery import Served

EVERY_VERB = frozenset({"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"})
_OF_OBJECTS = frozenset({"get", "update", "patch"})
_UNLISTED = frozenset({""})  # discovery has no verb for OPTIONS, which proxies pass on
NAMESPACED, CLUSTER, EITHER = "namespaced", "cluster", "either"
NAMESPACES, NAMESPACE_PART, LEGACY = "namespaces", "part of a namespace", "legacy verb"
_SHAPES = {
    "namespaces": NAMESPACES,
    "status": NAMESPACE_PART,
    "finalize": NAMESPACE_PART,
    "watch": LEGACY,
    "proxy": LEGACY,
}


@dataclass(frozen=True, slots=True)
class ResourceTarget:
    """A resource or subresource; ``known``: it is built in or mentioned in a policy."""

    group: str
    version: str
    resource: str
    subresource: str
    known: bool = True

    @property
    def odd(self) -> bool:
        """Whether the resource or subresource has an unusual name."""
        return is_odd_name(self.resource) or (bool(self.subresource) and is_odd_name(self.subresource))

    @property
    def text(self) -> str:
        """As kubectl writes it, e.g. ``deployments.apps/scale``."""
        name = self.resource or '""'
        full = f"{name}.{self.group}" if self.group else name
        return f"{full}/{self.subresource}" if self.subresource else full


@dataclass(frozen=True, slots=True)
class TargetClass:
    """Targets that rules treat alike: ``plain`` are the rules for any name, ``named`` additional ones per name.

    ``verbs`` are the served ones, ``scope`` where they are served: in namespaces, cluster-scoped, or unknown. ``shape``
    marks resources whose name has another meaning in some paths (NewRequestInfo). ``odd``: an unusual name (see
    ``oddity``).
    """

    targets: tuple[ResourceTarget, ...]
    plain: int
    named: Named
    verbs: frozenset[str]
    scope: str
    sub: bool
    shape: str
    odd: bool


def custom_target(group: str, resource: str, part: str) -> TargetClass:
    """A custom resource that a rule names, or the subresource of one, without the rules that match it."""
    verbs = custom_verbs(part, mentioned=True)
    target = ResourceTarget(group, "v1", resource, part)
    return TargetClass((target,), 0, (), verbs, EITHER, bool(part), _SHAPES.get(resource, ""), target.odd)


def target_classes(index: ResourceIndex, served: Served, meeting: int = -1) -> tuple[TargetClass, ...]:
    """Every resource that a request can be for, in classes; ``meeting``: that one of these rules matches (-1: any)."""
    merged: dict[tuple[int, Named, frozenset[str], str, bool, str, bool], list[ResourceTarget]] = {}
    for target, verbs, scope in _targets(index, served):
        masks = index.masks(target.group, target.resource, target.subresource)
        if meeting >= 0 and not meeting & reduce(or_, (mask for _, mask in masks[1]), masks[0]):
            continue
        key = (*masks, verbs, scope, bool(target.subresource), _SHAPES.get(target.resource, ""), target.odd)
        merged.setdefault(key, []).append(target)
    return tuple(TargetClass(tuple(targets), *key) for key, targets in merged.items())


def _targets(index: ResourceIndex, served: Served) -> Iterator[tuple[ResourceTarget, frozenset[str], str]]:
    known = set()
    for entry in served.resources:
        known.add((entry.group, entry.resource, entry.subresource))
        target = ResourceTarget(entry.group, entry.version, entry.resource, entry.subresource)
        verbs = entry.verbs | _UNLISTED if entry.subresource == "proxy" else entry.verbs
        yield target, verbs, NAMESPACED if entry.namespaced else CLUSTER
    groups = dict.fromkeys([*sorted(served.groups), *index.groups])
    groups[fresh("example.auditproof.dev", groups)] = None
    for group in groups:
        own = group in served.groups
        for resource, subresource, mentioned in _combinations(index, group):
            if (group, resource, subresource) not in known:
                optional = (group, resource) in served.optional
                verbs = custom_verbs(subresource, mentioned=mentioned) if optional or not own else frozenset()
                yield ResourceTarget(group, "v1", resource, subresource, mentioned), verbs, EITHER


def custom_verbs(subresource: str, *, mentioned: bool) -> frozenset[str]:
    """The verbs that a custom resource, or the subresource of one, may serve; ``mentioned``: a rule names it."""
    if not subresource:
        return EVERY_VERB
    if subresource in ("status", "scale"):
        return _OF_OBJECTS
    return _OF_OBJECTS | {"create", "delete"} if mentioned else frozenset()


def _combinations(index: ResourceIndex, group: str) -> Iterator[tuple[str, str, bool]]:
    """Pairs of resource and subresource that patterns for ``group`` distinguish, and whether they are written there.

    An unwritten pair differs from anything else only if both a pattern ``resource/*`` and one ``*/subresource`` exist.
    A resource literally called ``*`` differs only if ``*/*`` is written, which means both.
    """
    every = [pair for pair in dict.fromkeys(index.mentioned(group)) if "/" not in pair[1]]
    star = {"*"} if ("*", "*") not in every else set()
    written = [(resource, sub) for resource, sub in every if resource not in star and sub not in star]
    resources = [resource for resource in dict.fromkeys(resource for resource, _ in every) if resource not in star]
    subresources = {sub for _, sub in every}
    other, part = fresh("widgets", resources), fresh("part", subresources)
    starred = [resource for resource, sub in every if sub == "*" and resource not in star]
    anywhere = [sub for resource, sub in every if resource == "*" and sub and sub not in star]
    pairs = [(resource, "") for resource in resources]
    pairs += [(resource, sub) for resource, sub in written if sub]
    pairs += [(resource, sub) for resource in starred for sub in anywhere]
    yield from ((resource, sub, True) for resource, sub in dict.fromkeys(pairs))
    rest = [(other, ""), (other, "status"), (other, part), *((other, sub) for sub in anywhere)]
    rest += [(resource, part) for resource in starred] + [(resource, "status") for resource in resources]
    written_pairs = set(pairs)
    yield from ((resource, sub, False) for resource, sub in dict.fromkeys(rest) if (resource, sub) not in written_pairs)
