"""What an API server of each supported minor version serves by default: resources with their verbs, and paths. Pure.

The record in ``discovery.json`` is what real servers report (see clusters/discovery.py); ``make served`` renews it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

RECORD = "discovery.json"


@dataclass(frozen=True, slots=True)
class ServedResource:
    """A resource or, with ``subresource``, a part of it.

    ``version`` is the preferred one of its group, ``kind`` that of the objects that are sent to it (for pods/eviction:
    Eviction), ``verbs`` are the request verbs that it serves.
    """

    group: str
    version: str
    resource: str
    subresource: str
    kind: str
    namespaced: bool
    verbs: frozenset[str]

    @property
    def full_name(self) -> str:
        """Resource and subresource as a policy writes them."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


@dataclass(frozen=True, slots=True)
class Served:
    """What an API server serves; ``optional`` are the (group, resource) pairs that are off by default.

    >>> from auditproof import load_served
    >>> "apps" in load_served("1.37").groups
    True
    """

    kubernetes: str
    resources: tuple[ServedResource, ...]
    paths: tuple[str, ...]
    optional: frozenset[tuple[str, str]] = frozenset()

    @property
    def groups(self) -> frozenset[str]:
        """The API groups that are the server's own."""
        return frozenset(entry.group for entry in self.resources)


@cache
def minors() -> tuple[str, ...]:
    """The minor versions that there is a record of, oldest first."""
    return tuple(sorted(_record(), key=lambda minor: int(minor.partition(".")[2])))


@cache
def load_served(kubernetes: str) -> Served:
    """Return what an API server of version ``kubernetes`` (such as 1.37 or 1.37.2) serves.

    A version without a record gets the nearest one: the oldest for older versions, the newest for newer ones.

    >>> from auditproof import load_served
    >>> load_served("1.99").kubernetes
    'v1.37.2'
    """
    return from_record(_record()[_nearest(kubernetes)])


def unknown_version(kubernetes: str) -> str:
    """A remark on a version of which there is no record; empty where there is one.

    >>> unknown_version("1.36.3"), unknown_version("1.2")
    ('', 'what Kubernetes 1.2 serves is not known: what 1.34 serves is used instead')
    """
    asked, nearest = ".".join(kubernetes.removeprefix("v").split(".")[:2]), _nearest(kubernetes)
    if asked == nearest:
        return ""
    return f"what Kubernetes {asked} serves is not known: what {nearest} serves is used instead"


def _nearest(kubernetes: str) -> str:
    """The minor version with a record that is nearest to ``kubernetes``."""
    minor = int(kubernetes.removeprefix("v").split(".")[1])
    known = [int(name.partition(".")[2]) for name in minors()]
    return f"1.{max(known[0], min(minor, known[-1]))}"


def from_record(record: dict[str, Any]) -> Served:
    """Served out of the form in which it is stored."""
    resources = []
    for line in record["resources"]:
        group_version, full_name, kind, scope, *verbs = line.split(" ")
        group, _, version = group_version.rpartition("/")
        name, _, part = full_name.partition("/")
        resources.append(ServedResource(group, version, name, part, kind, scope == "namespaced", frozenset(verbs)))
    optional = frozenset((group, resource) for group, _, resource in (e.rpartition("/") for e in record["optional"]))
    return Served(record["kubernetes"], tuple(resources), tuple(record["paths"]), optional)


def to_record(served: Served) -> dict[str, Any]:
    """Return the form in which Served is stored, an object of JSON.

    ``resources`` has a line for each resource and subresource: group/version, resource[/subresource], kind, scope
    (``namespaced`` or ``cluster``) and the verbs, with spaces between. ``optional`` has group/resource of what a server
    serves only with a flag.
    """
    optional = sorted(f"{group}/{resource}" for group, resource in served.optional)
    lines = []
    for entry in served.resources:
        version = f"{entry.group}/{entry.version}" if entry.group else entry.version
        scope = "namespaced" if entry.namespaced else "cluster"
        lines.append(" ".join([version, entry.full_name, entry.kind, scope, *sorted(entry.verbs)]))
    return {"kubernetes": served.kubernetes, "resources": lines, "optional": optional, "paths": list(served.paths)}


@cache
def _record() -> dict[str, Any]:
    text = files(__package__).joinpath(RECORD).read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded
