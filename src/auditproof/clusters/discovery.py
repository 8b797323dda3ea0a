"""What a running API server serves, asked of the server itself: its paths, groups and resources.

Source of the form: staging/src/k8s.io/apimachinery/pkg/apis/meta/v1/types.go (APIGroupList, APIResourceList).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from auditproof.clusters.run.readiness import ask
from auditproof.errors import ClusterError
from auditproof.kube.discovery import Served, ServedResource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.clusters.cluster import Cluster


def discover(cluster: Cluster) -> Served:
    """Everything that ``cluster`` serves, ``/`` itself included. Of several versions the preferred one is named.

    Raises ClusterError where the server does not answer.
    """
    found: dict[tuple[str, str], ServedResource] = {}
    for group, version in _group_versions(cluster):
        for entry in _get(cluster, f"/apis/{group}/{version}" if group else f"/api/{version}")["resources"]:
            resource, _, subresource = entry["name"].partition("/")
            kind, namespaced, verbs = entry["kind"], bool(entry["namespaced"]), frozenset(entry["verbs"])
            served = ServedResource(group, version, resource, subresource, kind, namespaced, verbs)
            found.setdefault((group, served.full_name), served)
    ordered = tuple(found[key] for key in sorted(found))
    return Served(cluster.kubernetes, ordered, tuple(sorted({"/", *_get(cluster, "/")["paths"]})))


def _group_versions(cluster: Cluster) -> Iterator[tuple[str, str]]:
    """Every group and version, of each group the preferred version first."""
    yield "", "v1"
    for group in _get(cluster, "/apis")["groups"]:
        yield group["name"], group["preferredVersion"]["version"]
        yield from ((group["name"], version["version"]) for version in group["versions"])


def _get(cluster: Cluster, path: str) -> dict[str, Any]:
    body = ask(cluster, path)
    if body is None:
        raise ClusterError(f"{cluster.name}: GET {path} was not answered with 200: what it serves cannot be asked")
    answer: dict[str, Any] = json.loads(body)
    return answer
