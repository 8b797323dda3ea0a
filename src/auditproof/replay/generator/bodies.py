"""Bodies of the invented cluster's requests, as large as real ones.

Every object has the managedFields that server-side apply keeps: a third to a half of a small object.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from auditproof.replay.generator.call import Body
    from auditproof.replay.generator.cluster import App

NOW = "@second@"


def managed(manager: str, *fields: str, operation: str = "Update", subresource: str = "") -> Body:
    """One entry of managedFields, with these fields."""
    owned: Body = {f"f:{name}": {} for name in fields}
    entry = {
        "manager": manager,
        "operation": operation,
        "apiVersion": "v1",
        "time": NOW,
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:metadata": {"f:labels": {".": {}, "f:app": {}}}, "f:spec": owned},
    }
    return {**entry, "subresource": subresource} if subresource else entry


def metadata(name: str, namespace: str = "", uid: str = "@uid@", **more: Any) -> Body:
    """The metadata of an object that is stored."""
    found: Body = {"name": name}
    if namespace:
        found["namespace"] = namespace
    return {**found, "uid": uid, "resourceVersion": "@rv@", "creationTimestamp": NOW, **more}


def lease(name: str, namespace: str, holder: str, uid: str, seconds: int = 40) -> Body:
    """A Lease that is held."""
    fields = managed(holder.partition("/")[0], "acquireTime", "holderIdentity", "leaseDurationSeconds", "renewTime")
    spec = {"holderIdentity": holder, "leaseDurationSeconds": seconds, "renewTime": "@received@"}
    return {
        "kind": "Lease",
        "apiVersion": "coordination.k8s.io/v1",
        "metadata": metadata(name, namespace, uid, managedFields=[fields]),
        "spec": spec,
    }


_CONDITIONS = (
    ("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", "KubeletReady", "kubelet is posting ready status"),
)


def node_status_patch() -> Body:
    """What a kubelet sends every five minutes: the time of each condition."""
    conditions = [{"lastHeartbeatTime": NOW, "type": name} for name, _, _ in _CONDITIONS]
    order = [{"type": one["type"]} for one in conditions]
    return {"status": {"$setElementOrder/conditions": order, "conditions": conditions}}


def node(name: str, uid: str) -> Body:
    """A Node, with its images."""
    conditions = [
        {"type": kind, "status": "False", "lastHeartbeatTime": NOW, "lastTransitionTime": NOW, "reason": reason}
        | {"message": message}
        for kind, reason, message in _CONDITIONS
    ]
    images = [
        {"names": [f"registry.example/images/program-{number}:v1.{number}.0"], "sizeBytes": 40_000_000 + number}
        for number in range(12)
    ]
    amounts = {"cpu": "8", "ephemeral-storage": "263174212Ki", "memory": "24612492Ki", "pods": "110"}
    status = {
        "capacity": amounts,
        "allocatable": amounts,
        "conditions": conditions,
        "images": images,
        "addresses": [{"type": "Hostname", "address": name}],
        "nodeInfo": {"kubeletVersion": "v1.37.2", "osImage": "Debian GNU/Linux 12 (bookworm)", "architecture": "amd64"},
    }
    fields = [managed("kubelet", "podCIDR", "taints"), managed("kubelet", *amounts, subresource="status")]
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
    return {
        "kind": "Node",
        "apiVersion": "v1",
        "metadata": metadata(name, "", uid, labels=labels, managedFields=fields),
        "spec": {"podCIDR": "10.244.0.0/24", "podCIDRs": ["10.244.0.0/24"]},
        "status": status,
    }


def pod_spec(app: App) -> Body:
    """The spec of an app's pods."""
    environment = [
        {"name": f"SETTING_{number}", "value": f"{app.name}-{number:04}-" + "v" * (8 + number % 23)}
        for number in range(app.size)
    ]
    containers = [
        {
            "name": app.name if not number else f"sidecar-{number}",
            "image": f"registry.example/{app.namespace}/{app.name}:1.4.{number}",
            "env": environment if not number else environment[:3],
            "ports": [{"name": "http", "containerPort": 8080 + number, "protocol": "TCP"}],
            "resources": {"limits": {"memory": "256Mi"}, "requests": {"cpu": "50m", "memory": "128Mi"}},
            "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File",
            "imagePullPolicy": "IfNotPresent",
        }
        for number in range(app.containers)
    ]
    return {
        "containers": containers,
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "serviceAccountName": app.name,
        "serviceAccount": app.name,
        "securityContext": {},
        "schedulerName": "default-scheduler",
    }


def pod(app: App, *, node: str = "", status: str = "Pending") -> Body:
    """A Pod of an app; with a ``node``, as its kubelet reports it."""
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": f"{app.name}-@hash@", "uid": app.uid}
    fields = [managed("kube-controller-manager", "containers", "dnsPolicy", "restartPolicy", "schedulerName")]
    if node:
        fields.append(managed("kubelet", "conditions", "containerStatuses", "podIP", subresource="status"))
    about = metadata(
        f"{app.name}-@hash@-@suffix@",
        app.namespace,
        generateName=f"{app.name}-@hash@-",
        labels={"app": app.name, "pod-template-hash": "@hash@"},
        ownerReferences=[{**owner, "controller": True, "blockOwnerDeletion": True}],
        managedFields=fields,
    )
    found: Body = {"kind": "Pod", "apiVersion": "v1", "metadata": about}
    found["spec"] = {**pod_spec(app), **({"nodeName": node} if node else {})}
    found["status"] = {"phase": status, "qosClass": "Burstable", **(pod_status(app) if node else {})}
    return found


def pod_status(app: App) -> Body:
    """The status of a running pod."""
    states = [
        {
            "name": app.name if not number else f"sidecar-{number}",
            "state": {"running": {"startedAt": NOW}},
            "ready": True,
            "restartCount": 0,
            "image": f"registry.example/{app.namespace}/{app.name}:1.4.{number}",
            "imageID": f"sha256:{app.uid.replace('-', '')}",
            "containerID": f"containerd://{app.uid.replace('-', '')}",
        }
        for number in range(app.containers)
    ]
    kinds = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
    conditions = [{"type": kind, "status": "True", "lastTransitionTime": NOW} for kind in kinds]
    return {"conditions": conditions, "containerStatuses": states, "podIP": "10.244.1.7", "hostIP": "172.18.0.3"}


def replica_set(app: App) -> Body:
    """The ReplicaSet of an app."""
    labels = {"app": app.name, "pod-template-hash": "@hash@"}
    fields = [managed("kube-controller-manager", "replicas", "selector", "template")]
    return {
        "kind": "ReplicaSet",
        "apiVersion": "apps/v1",
        "metadata": metadata(f"{app.name}-@hash@", app.namespace, labels=labels, managedFields=fields),
        "spec": {"replicas": app.replicas, "selector": {"matchLabels": labels}, "template": {"spec": pod_spec(app)}},
        "status": {"replicas": app.replicas, "fullyLabeledReplicas": app.replicas, "observedGeneration": 1},
    }


def deployment(app: App) -> Body:
    """The Deployment of an app, as kubectl apply keeps it: with its own text in an annotation."""
    labels = {"app": app.name}
    spec = {
        "replicas": app.replicas,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod_spec(app)},
    }
    applied = json.dumps({"apiVersion": "apps/v1", "kind": "Deployment", "spec": spec}, separators=(",", ":"))
    fields = [managed("kubectl-client-side-apply", "replicas", "selector", "strategy", "template")]
    fields.append(managed("kube-controller-manager", "conditions", "observedGeneration", subresource="status"))
    about = metadata(
        app.name,
        app.namespace,
        app.uid,
        annotations={"kubectl.kubernetes.io/last-applied-configuration": applied},
        labels=labels,
        managedFields=fields,
    )
    status = {"observedGeneration": 7, "replicas": app.replicas, "readyReplicas": app.replicas}
    return {"kind": "Deployment", "apiVersion": "apps/v1", "metadata": about, "spec": spec, "status": status}


def event_name(app: App, reason: str) -> str:
    """The name of an Event: that of its pod, and some digits."""
    return f"{app.name}-@hash@-@suffix@.@tag@{sum(map(ord, reason)) % 4096:03x}"


def event(app: App, reason: str, message: str) -> Body:
    """An Event about a pod of an app."""
    about = {"kind": "Pod", "namespace": app.namespace, "name": f"{app.name}-@hash@-@suffix@", "uid": "@uid@"}
    return {
        "kind": "Event",
        "apiVersion": "v1",
        "metadata": metadata(event_name(app, reason), app.namespace, managedFields=[managed("kubelet", "count")]),
        "involvedObject": {**about, "apiVersion": "v1", "resourceVersion": "@rv@"},
        "reason": reason,
        "message": message,
        "source": {"component": "kubelet", "host": app.node},
        "firstTimestamp": NOW,
        "lastTimestamp": NOW,
        "count": 1,
        "type": "Normal",
        "eventTime": None,
        "reportingComponent": "kubelet",
        "reportingInstance": app.node,
    }


def secret(name: str, namespace: str, uid: str) -> Body:
    """A Secret; what it holds is no secret of anybody."""
    return {
        "kind": "Secret",
        "apiVersion": "v1",
        "metadata": metadata(name, namespace, uid, managedFields=[managed("kubectl-create", "data", "type")]),
        "data": {"password": "Z2VuZXJhdGVkLCBubyBzZWNyZXQ=", "username": "Z2VuZXJhdGVk"},
        "type": "Opaque",
    }


def configmap(name: str, namespace: str, uid: str, size: int) -> Body:
    """A ConfigMap with so many lines."""
    text = "".join(f"setting-{number} = value of setting number {number}\n" for number in range(size))
    about = metadata(name, namespace, uid, managedFields=[managed("kubectl-client-side-apply", "data")])
    return {"kind": "ConfigMap", "apiVersion": "v1", "metadata": about, "data": {"settings.conf": text}}


def list_of(kind: str, version: str, items: list[Body]) -> Body:
    """A list as the server writes it: its items have neither kind nor apiVersion."""
    bare = [{key: value for key, value in item.items() if key not in ("kind", "apiVersion")} for item in items]
    return {"kind": kind, "apiVersion": version, "metadata": {"resourceVersion": "@rv@"}, "items": bare}


def review(kind: str, group: str, spec: Body, status: Body) -> Body:
    """A review that a client creates, and the server responds to."""
    return {
        "kind": kind,
        "apiVersion": f"{group}/v1",
        "metadata": {"creationTimestamp": None},
        "spec": spec,
        "status": status,
    }


def own_service(kind: str, version: str) -> Body:
    """Where the API server itself is reached: the object called kubernetes in the namespace default."""
    about = metadata("kubernetes", "default", managedFields=[managed("kube-apiserver", "subsets")])
    addresses = [{"addresses": [{"ip": "172.18.0.2"}], "ports": [{"name": "https", "port": 6443, "protocol": "TCP"}]}]
    return {"kind": kind, "apiVersion": version, "metadata": about, "subsets": addresses}


def discovered(number: int) -> Body:
    """The list of so many resources that a server has."""
    verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
    resources = [
        {
            "resource": f"resource{place}s",
            "responseKind": {"group": "", "version": "", "kind": f"Resource{place}"},
            "scope": "Namespaced",
            "singularResource": f"resource{place}",
            "verbs": verbs,
        }
        for place in range(number)
    ]
    versions = [{"version": "v1", "resources": resources, "freshness": "Current"}]
    head = {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}}
    return {**head, "items": [{"metadata": {"creationTimestamp": None}, "versions": versions}]}
