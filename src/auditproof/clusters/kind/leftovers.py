"""What a run has left on a kind cluster that is used again: found by what was there when the cluster was new.

What controllers create by themselves is not included: what has an owner goes with the owner, and what is in a namespace
goes with the namespace.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from auditproof.client.connection import Connection
from auditproof.clusters.discovery import discover
from auditproof.errors import ClusterError
from auditproof.kube.action import Request
from auditproof.wait import TimedOut, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from auditproof.client.connection import Response
    from auditproof.clusters.cluster import Cluster

USER_AGENT = "auditproof/leftovers"
GONE_TIMEOUT_S = 60.0
SHOWN = 3
NAMESPACES = "namespaces"
_LIST = (("Accept", "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"),)
# These come and go by themselves, all the time.
_PASSING = frozenset({"events", "leases", "endpoints", "endpointslices", "ipaddresses"})
# Every namespace gets these, some time after it was made.
_IN_EVERY_NAMESPACE = frozenset({("serviceaccounts", "default"), ("configmaps", "kube-root-ca.crt")})
# Who makes things when it needs them: bundles of trust, certificates of nodes, what aggregated roles add up to.
# Controllers' service accounts are made so, too, but have no fields, and so no manager.
_SYSTEM = frozenset(
    {
        "clusterrole-aggregation-controller",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "kubeadm",
        "kubelet",
    }
)
_BY_ITSELF = "kube-aggregator.kubernetes.io/automanaged"


@dataclass(frozen=True, slots=True)
class Thing:
    """An object of the API: its resource, namespace and name, and the collection that it is in."""

    collection: str
    resource: str
    namespace: str
    name: str

    @property
    def path(self) -> str:
        """Its URI."""
        return f"{self.collection}/{self.name}"


def inventory(cluster: Cluster) -> list[str]:
    """The paths of all objects that are there, without those that come and go by themselves. Raises ClusterError."""
    cleaner = _Cleaner(cluster)
    try:
        return sorted(thing.path for thing in cleaner.things(lambda *_: True))
    finally:
        cleaner.close()


def remove_leftovers(cluster: Cluster, before: Iterable[str]) -> int:
    """Delete everything that is there now and not in ``before`` (see inventory), and wait until it is gone.

    Returns how many objects that were. Raises ClusterError where something cannot be deleted, or stays.
    """
    cleaner, kept = _Cleaner(cluster), frozenset(before)
    try:
        left = found = _foreign(cleaner.things(_is_made_by_hand), kept)
        for thing in found:
            cleaner.delete(thing)

        def gone() -> bool | None:
            nonlocal left
            left = _foreign(cleaner.things(_is_made_by_hand), kept) if left else []
            return None if left else True

        wait_until(gone, what="leftover objects to go", timeout_s=GONE_TIMEOUT_S, pause_s=0.2)
        return len(found)
    except TimedOut as error:
        raise ClusterError(f"{error}: {', '.join(thing.path for thing in left[:SHOWN])}") from None
    finally:
        cleaner.close()


def _foreign(things: Iterable[Thing], kept: frozenset[str]) -> list[Thing]:
    """What is to be deleted. A pod is named although its namespace is, because it may take its time to end."""
    found = [thing for thing in things if thing.path not in kept]
    going = {thing.name for thing in found if thing.resource == NAMESPACES}
    return [thing for thing in found if thing.namespace not in going or thing.resource == "pods"]


class _Cleaner:
    """Lists and deletes objects as the admin."""

    def __init__(self, cluster: Cluster) -> None:
        self._connection = Connection(cluster.url, cluster.ca, cluster.admin)
        self._resources = [
            entry
            for entry in discover(cluster).resources
            if not entry.subresource and {"list", "delete"} <= entry.verbs and entry.resource not in _PASSING
        ]

    def things(self, counts: Callable[[str, dict[str, Any]], bool]) -> Iterator[Thing]:
        """Everything that ``counts``, by its resource and metadata."""
        for entry in self._resources:
            base = f"/apis/{entry.group}/{entry.version}" if entry.group else f"/api/{entry.version}"
            for item in self._list(f"{base}/{entry.resource}"):
                metadata = item["metadata"]
                namespace = str(metadata.get("namespace", ""))
                within = f"{base}/namespaces/{namespace}" if namespace else base
                if counts(entry.resource, metadata):
                    yield Thing(f"{within}/{entry.resource}", entry.resource, namespace, str(metadata["name"]))

    def _list(self, uri: str) -> list[Any]:
        answer = self._send(Request("GET", uri, _LIST))
        if answer.status == 404:
            return []  # a custom resource whose definition is on its way out
        if answer.status != 200:
            raise ClusterError(f"GET {uri} was answered {answer.status or answer.error}: what is left cannot be seen")
        items: list[Any] = answer.json()["items"] or []
        return items

    def delete(self, thing: Thing) -> None:
        uri = f"{thing.path}?gracePeriodSeconds=0&propagationPolicy=Background"
        answer = self._send(Request("DELETE", uri))
        if answer.status not in (200, 202, 404, 409):  # 409: a namespace that is going already
            raise ClusterError(f"DELETE {thing.path} was answered {answer.status or answer.error}")

    def _send(self, request: Request) -> Response:
        return self._connection.send(request, audit_id=f"leftovers-{uuid.uuid4()}", user_agent=USER_AGENT)

    def close(self) -> None:
        self._connection.close()


def _is_made_by_hand(resource: str, metadata: dict[str, Any]) -> bool:
    # It goes with its owner, or a controller makes it again in every namespace.
    if metadata.get("ownerReferences") or (resource, metadata["name"]) in _IN_EVERY_NAMESPACE:
        return False
    if (resource, metadata.get("namespace")) == ("serviceaccounts", "kube-system"):
        return False
    # Written by components of the cluster alone.
    managers = {entry["manager"] for entry in metadata.get("managedFields", ())}
    if managers and managers <= _SYSTEM:
        return False
    return _BY_ITSELF not in metadata.get("labels", {})
