"""Removes what runs have made on a shared cluster, by the labels that they have put on it.

A namespace goes with everything in it. Where no controller runs that would empty a namespace (a bare API server), it is
emptied here, as the namespace controller does it (pkg/controller/namespace/deletion): every resource that can be
deleted, then the finalizer.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.errors import ClusterError
from auditproof.wait import TimedOut, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from auditproof.client.probe import Probe

MANAGED = "app.kubernetes.io/managed-by"
RUN = "auditproof.dev/run"
GONE_TIMEOUT_S = 40.0
BESIDE_EACH_OTHER = 8
_CLUSTER_WIDE = (  # rights before anything else
    "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "/apis/rbac.authorization.k8s.io/v1/rolebindings",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "/apis/certificates.k8s.io/v1/certificatesigningrequests",
    "/api/v1/serviceaccounts",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "/api/v1/namespaces",
)
_LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-controller-manager"


def labels(run: str) -> dict[str, str]:
    """The labels of everything that a run makes on a cluster that is not its own."""
    return {MANAGED: "auditproof", RUN: run}


@dataclass(frozen=True, slots=True)
class LabelledObject:
    """An object that a run has made: where it is, and by which run."""

    path: str
    run: str

    def __str__(self) -> str:
        *_, kind, name = self.path.split("/")
        return f"{kind}/{name} (run {self.run})"


def find_made(probe: Probe, run: str) -> tuple[LabelledObject, ...]:
    """Everything that carries the labels of ``run``, or of any run where it is empty.

    Raises ClusterError where the server does not answer.
    """
    return tuple(made for collection in _CLUSTER_WIDE for made in _list(probe, collection, run))


def _list(probe: Probe, collection: str, run: str) -> Iterator[LabelledObject]:
    selector = f"{MANAGED}=auditproof,{RUN}" + (f"={run}" if run else "")
    answer = probe.request("GET", f"{collection}?labelSelector={selector.replace('=', '%3D')}")
    if answer.status in (403, 404):  # what the user may not even list, it cannot have made
        return
    if answer.status != 200:
        raise ClusterError(f"GET {collection} was answered {answer.status}: {answer.message}")
    base, _, plural = collection.rpartition("/")
    for item in answer.json()["items"]:
        metadata = item["metadata"]
        namespace = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
        yield LabelledObject(f"{base}{namespace}/{plural}/{metadata['name']}", metadata["labels"][RUN])


def remove(probe: Probe, made: tuple[LabelledObject, ...], report: Callable[[str], None]) -> None:
    """Delete these objects and wait until they are gone; what is gone already does no harm.

    Raises ClusterError that names what is left.
    """
    with ThreadPoolExecutor(max_workers=BESIDE_EACH_OTHER) as pool:
        problems = [problem for problem in pool.map(lambda each: _delete(probe, each), made) if problem]
    namespaces = [each for each in made if each.path.startswith("/api/v1/namespaces/") and each.path.count("/") == 4]
    # Only a namespace controller removes what is in a namespace: on a bare API server it is done here.
    if namespaces and not has_controllers(probe):
        _empty(probe, {each.path.rpartition("/")[2] for each in namespaces})
    elif namespaces:
        report(f"auditproof: waiting for {len(namespaces)} namespaces to be gone")
    if problems or (problem := _wait_until_gone(probe, made)):
        raise ClusterError("\n".join(problems or [problem]))


def _delete(probe: Probe, made: LabelledObject) -> str:
    answer = probe.request("DELETE", made.path)
    if answer.status in (200, 202, 404, 409):  # 409: it is being deleted
        return ""
    return f"{made} is left behind: DELETE {made.path} was answered {answer.status}: {answer.message}"


def _wait_until_gone(probe: Probe, made: tuple[LabelledObject, ...]) -> str:
    """What is left after a while, in words."""
    left = list(made)

    def look() -> bool | None:
        left[:] = [each for each in left if probe.request("GET", each.path).status != 404]
        return None if left else True

    try:
        wait_until(look, what="everything to be gone", timeout_s=GONE_TIMEOUT_S, pause_s=0.1)
    except TimedOut as error:
        names = ", ".join(map(str, left))
        return f"{error}: the cluster is still deleting {names}; look with kubectl get --raw {left[0].path}"
    return ""


def has_controllers(probe: Probe) -> bool:
    """Whether a kube-controller-manager has ever led on this cluster; a bare API server has none."""
    return probe.request("GET", _LEASE).status != 404


def _empty(probe: Probe, namespaces: set[str]) -> None:
    """Do for these namespaces what the namespace controller does."""
    for group_version in _group_versions(probe):
        for resource in probe.request("GET", group_version).json().get("resources", []):
            if resource["namespaced"] and {"list", "deletecollection"} <= set(resource["verbs"]):
                items = probe.request("GET", f"{group_version}/{resource['name']}").json().get("items", [])
                for namespace in namespaces & {item["metadata"].get("namespace", "") for item in items}:
                    place = f"{group_version}/namespaces/{namespace}/{resource['name']}"
                    probe.request("DELETE", f"{place}?propagationPolicy=Background&gracePeriodSeconds=0")
    for name in namespaces:
        path = f"/api/v1/namespaces/{name}"
        found = probe.request("GET", path).json()
        if found.get("kind") == "Namespace":
            probe.request("PUT", f"{path}/finalize", {**found, "spec": {"finalizers": []}})


def _group_versions(probe: Probe) -> Iterator[str]:
    yield "/api/v1"
    for group in probe.request("GET", "/apis").json().get("groups", []):
        yield f"/apis/{group['preferredVersion']['groupVersion']}"
