"""What the components of Kubernetes do when nobody uses the cluster.

Intervals are those of the sources of kubernetes v1.37.2: a kubelet renews its lease every 10 s and reports its node's
status every 5 minutes (pkg/kubelet), a leader renews its lease every 2 s (component-base/config/v1alpha1), a watch ends
after 5 to 10 minutes (client-go/tools/cache/reflector.go), and the API server's own pod is probed at /readyz every
second and at /livez every 10 s (cmd/kubeadm/app/util/staticpod).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from auditproof.replay.generator import bodies
from auditproof.replay.generator.call import Call, Client
from auditproof.replay.generator.cluster import CONTROL_PLANE, program
from auditproof.replay.generator.source import Source, timer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.replay.generator.cluster import InventedCluster

_WATCH = 450.0  # seconds, on average
_LEASES = "/apis/coordination.k8s.io/v1/namespaces/{}/leases/{}"
_CORE = ("configmaps", "endpoints", "limitranges", "namespaces", "nodes", "persistentvolumeclaims", "persistentvolumes")
_CORE_TOO = (
    "pods",
    "podtemplates",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "serviceaccounts",
    "services",
)
_GROUPS = {
    "admissionregistration.k8s.io/v1": ("mutatingwebhookconfigurations", "validatingadmissionpolicies"),
    "apps/v1": ("controllerrevisions", "daemonsets", "deployments", "replicasets", "statefulsets"),
    "autoscaling/v2": ("horizontalpodautoscalers",),
    "batch/v1": ("cronjobs", "jobs"),
    "certificates.k8s.io/v1": ("certificatesigningrequests",),
    "coordination.k8s.io/v1": ("leases",),
    "discovery.k8s.io/v1": ("endpointslices",),
    "events.k8s.io/v1": ("events",),
    "flowcontrol.apiserver.k8s.io/v1": ("flowschemas", "prioritylevelconfigurations"),
    "networking.k8s.io/v1": ("ingressclasses", "ingresses", "networkpolicies", "servicecidrs"),
    "node.k8s.io/v1": ("runtimeclasses",),
    "policy/v1": ("poddisruptionbudgets",),
    "rbac.authorization.k8s.io/v1": ("clusterrolebindings", "clusterroles", "rolebindings", "roles"),
    "resource.k8s.io/v1": ("deviceclasses", "resourceclaims", "resourceslices"),
    "scheduling.k8s.io/v1": ("priorityclasses",),
    "storage.k8s.io/v1": ("csidrivers", "csinodes", "csistoragecapacities", "storageclasses", "volumeattachments"),
}
_ALL = tuple(f"/api/v1/{name}" for name in _CORE + _CORE_TOO) + tuple(
    f"/apis/{group}/{name}" for group, names in _GROUPS.items() for name in names
)


def at_rest(cluster: InventedCluster) -> list[Source]:
    """Kubelets, kube-proxies, controllers, the scheduler, the API server itself, and the probes of its pod."""
    found = [source for node in cluster.nodes for source in _of_node(cluster, node)]
    return [*found, *_controllers(cluster), *_scheduler(cluster), *_server(cluster), *_dns(cluster), *_probes(cluster)]


def watches(client: Client, *paths: str) -> Iterator[Source]:
    """Informers: each watches a resource, again and again."""
    for path in paths:
        begun = "&" if "?" in path else "?"
        uri = f"{path}{begun}allowWatchBookmarks=true&resourceVersion=@rv@&timeoutSeconds=@secs@&watch=true"
        yield Source(_WATCH, ((1.0, ((0.0, Call(client, "GET", uri)),)),), watch=True)


def renewal(
    client: Client, namespace: str, name: str, uid: str, *, seconds: int, every: float, more: str = ""
) -> Source:
    """A lease that its holder renews."""
    body = partial(bodies.lease, name, namespace, f"{name}_{uid}" if seconds < 40 else name, uid, seconds)
    uri = _LEASES.format(namespace, name) + more
    return timer(every, Call(client, "PUT", uri, request=body, response=body, milliseconds=6))


def _of_node(cluster: InventedCluster, node: str) -> Iterator[Source]:
    ip = cluster.address(node)
    kubelet = cluster.certificate(f"system:node:{node}", ("system:nodes",), program("kubelet"), ip)
    uid = cluster.uid()
    yield renewal(kubelet, "kube-node-lease", node, uid, seconds=40, every=10, more="?timeout=10s")
    status = Call(
        kubelet,
        "PATCH",
        f"/api/v1/nodes/{node}/status?timeout=10s",
        request=bodies.node_status_patch,
        response=partial(bodies.node, node, uid),
        milliseconds=9,
    )
    yield timer(300, status)
    yield from watches(
        kubelet,
        f"/api/v1/nodes?fieldSelector=metadata.name%3D{node}",
        f"/api/v1/pods?fieldSelector=spec.nodeName%3D{node}",
        "/api/v1/services",
        "/apis/node.k8s.io/v1/runtimeclasses",
        "/apis/storage.k8s.io/v1/csidrivers",
        "/api/v1/namespaces/kube-system/configmaps?fieldSelector=metadata.name%3Dkube-proxy",
        "/api/v1/namespaces/kube-system/configmaps?fieldSelector=metadata.name%3Dkube-root-ca.crt",
    )
    proxy = cluster.account("kube-system", "kube-proxy", program("kube-proxy"), node, "system:node-proxier")
    yield from watches(
        proxy,
        f"/api/v1/nodes?fieldSelector=metadata.name%3D{node}",
        "/api/v1/services?labelSelector=%21service.kubernetes.io%2Fheadless%2C%21service.kubernetes.io%2Fservice-proxy-name",
        "/apis/discovery.k8s.io/v1/endpointslices?labelSelector=%21service.kubernetes.io%2Fheadless",
        "/apis/networking.k8s.io/v1/servicecidrs",
    )
    yield token_request(kubelet, "kube-system", "kube-proxy")


def token_request(kubelet: Client, namespace: str, account: str) -> Source:
    """A kubelet renews the token of a pod, after 80 % of an hour."""
    reference = {"kind": "Pod", "apiVersion": "v1", "name": f"{account}-@suffix@", "uid": "@uid@"}
    spec = {"audiences": ["https://kubernetes.default.svc.cluster.local"], "expirationSeconds": 3607}
    about = {"name": account, "namespace": namespace, "creationTimestamp": None}
    head = {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "metadata": about}
    asked = {
        **head,
        "spec": {**spec, "boundObjectRef": reference},
        "status": {"token": "", "expirationTimestamp": None},
    }
    given = {**asked, "status": {"token": "generated." + "0" * 900, "expirationTimestamp": bodies.NOW}}
    call = Call(
        kubelet,
        "POST",
        f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token",
        201,
        request=lambda: asked,
        response=lambda: given,
        annotations={"authentication.kubernetes.io/issued-credential-id": "JTI=@uid@"},
        milliseconds=5,
    )
    return timer(2880, call)


def _controllers(cluster: InventedCluster) -> Iterator[Source]:
    ip, name = cluster.address(CONTROL_PLANE), "system:kube-controller-manager"
    manager = partial(cluster.certificate, name, (), ip=ip, role=name)
    leader = manager(program("kube-controller-manager", "leader-election"))
    more = "?timeout=5s"
    yield renewal(leader, "kube-system", "kube-controller-manager", cluster.uid(), seconds=15, every=2, more=more)
    yield from watches(manager(program("kube-controller-manager", "shared-informers")), *_ALL)
    for account in ("generic-garbage-collector", "resourcequota-controller"):
        agent = program("kube-controller-manager", f"system:serviceaccount:kube-system:{account}")
        role = f"system:controller:{account}"
        client = cluster.account("kube-system", account, agent, role=role)
        yield timer(30, discovery(client, "/api"), discovery(client, "/apis"))


def discovery(client: Client, path: str) -> Call:
    """A request for the groups and resources that the server has; its timeout is that of client-go."""
    number = 30 if path == "/api" else 76  # resources: so that the bodies are as large as on kind
    return Call(client, "GET", f"{path}?timeout=5s", milliseconds=2, response=partial(bodies.discovered, number))


def _scheduler(cluster: InventedCluster) -> Iterator[Source]:
    ip, name = cluster.address(CONTROL_PLANE), "system:kube-scheduler"
    leader = cluster.certificate(name, (), program("kube-scheduler", "leader-election"), ip, name)
    more = "?timeout=5s"
    yield renewal(leader, "kube-system", "kube-scheduler", cluster.uid(), seconds=15, every=2, more=more)
    client = cluster.certificate(name, (), program("kube-scheduler", "scheduler"), ip, name)
    seen = {"namespaces", "nodes", "persistentvolumeclaims", "persistentvolumes", "pods", "services"}
    seen |= {"replicationcontrollers", "replicasets", "statefulsets", "poddisruptionbudgets", "csinodes", "csidrivers"}
    seen |= {"storageclasses", "csistoragecapacities", "volumeattachments", "resourceclaims", "resourceslices"}
    yield from watches(client, *(path for path in _ALL if path.rpartition("/")[2] in seen))


def _server(cluster: InventedCluster) -> Iterator[Source]:
    user = {"username": "system:apiserver", "uid": cluster.uid(), "groups": ["system:authenticated", "system:masters"]}
    client = Client(user, program("kube-apiserver"), "127.0.0.1")
    name = f"apiserver-{cluster.uid().replace('-', '')[:26]}"
    yield renewal(client, "kube-system", name, cluster.uid(), seconds=3600, every=10)
    yield timer(
        10,
        Call(
            client,
            "GET",
            "/api/v1/namespaces/default/endpoints/kubernetes",
            annotations={"k8s.io/deprecated": "true"},
            response=partial(bodies.own_service, "Endpoints", "v1"),
        ),
        Call(
            client,
            "GET",
            "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes",
            response=partial(bodies.own_service, "EndpointSlice", "discovery.k8s.io/v1"),
        ),
    )
    yield timer(5, Call(client, "GET", "/openapi/v3", milliseconds=1))
    few = ("pods", "leases", "controllerrevisions", "cronjobs", "jobs", "events", "podtemplates", "volumeattachments")
    yield from watches(client, *(path for path in _ALL if path.rpartition("/")[2] not in few))


def _dns(cluster: InventedCluster) -> Iterator[Source]:
    for _ in range(2):
        client = cluster.account("kube-system", "coredns", "Go-http-client/2.0", role="system:coredns")
        paths = ("/api/v1/namespaces", "/api/v1/services", "/apis/discovery.k8s.io/v1/endpointslices")
        yield from watches(client, *paths)


def _probes(cluster: InventedCluster) -> Iterator[Source]:
    user = {"username": "system:anonymous", "groups": ["system:unauthenticated"]}
    role, group = "system:public-info-viewer", 'Group "system:unauthenticated"'
    reason = f'RBAC: allowed by ClusterRoleBinding "{role}" of ClusterRole "{role}" to {group}'
    probe = Client(user, "kube-probe/1.37", cluster.address(CONTROL_PLANE), reason)
    yield timer(1, Call(probe, "GET", "/readyz", milliseconds=1))
    yield timer(10, Call(probe, "GET", "/livez", milliseconds=1))
