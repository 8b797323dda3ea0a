"""Servers after the first find the default objects of the first in etcd: the same as they would create."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from auditproof.audit.server_flags import ServerFlags
from tests.live.conftest import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from auditproof.clusters.cluster import Cluster
    from auditproof.clusters.embedded import EmbeddedProvider

KINDS = [
    "/api/v1/namespaces",
    "/api/v1/services",
    "/api/v1/namespaces/kube-system/configmaps",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "/apis/rbac.authorization.k8s.io/v1/roles",
    "/apis/rbac.authorization.k8s.io/v1/rolebindings",
    "/apis/scheduling.k8s.io/v1/priorityclasses",
    "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas",
    "/apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations",
    "/apis/apiregistration.k8s.io/v1/apiservices",
    "/apis/networking.k8s.io/v1/servicecidrs",
]


def objects(cluster: Cluster) -> dict[str, object]:
    """Every default object by its kind and name, without when and as what it was stored, and without the server's port.

    The service ``kubernetes`` names that port: it must be the server's own.
    """
    admin = cluster.probe()
    found: dict[str, object] = {}
    for kind in KINDS:
        for item in admin.request("GET", kind).json()["items"]:
            meta = item["metadata"]
            name = f"{kind} {meta.get('namespace', '')}/{meta['name']}"
            content = json.dumps({key: value for key, value in item.items() if key not in ("metadata", "status")})
            found[name] = content.replace(f'"targetPort": {cluster.url.rpartition(":")[2]}', '"targetPort": "its own"')
    return found


def test_a_copied_start_leads_to_the_objects_of_a_fresh_one(
    embedded: EmbeddedProvider, write_policy: Callable[[str], Path]
) -> None:
    """A server with flags of its own creates everything itself: that is what a copy is compared with."""
    first = embedded.cluster(write_policy(f"{EVERYTHING}# first\n"))
    copied = embedded.cluster(write_policy(f"{EVERYTHING}# copied\n"))
    fresh = embedded.cluster(write_policy(f"{EVERYTHING}# fresh\n"), ServerFlags.of({}, {"profiling": "false"}))

    assert objects(copied) == objects(fresh) == objects(first)
    assert created(copied) < created(fresh) / 10, "the copied objects were created again"


def created(cluster: Cluster) -> int:
    """How many objects the server has created by itself: its own requests, in its audit log."""
    own = (line for line in cluster.log.read_text().splitlines() if '"username":"system:apiserver"' in line)
    return sum(1 for line in own if '"verb":"create"' in line and '"stage":"ResponseComplete"' in line)
