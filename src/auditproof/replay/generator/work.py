"""What a cluster is used for: people with kubectl, operators, monitoring, and those who are refused."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from auditproof.replay.generator import bodies
from auditproof.replay.generator.call import Call, Client, failure
from auditproof.replay.generator.rest import discovery, renewal, watches
from auditproof.replay.generator.source import Source, at_random, timer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.replay.generator.call import Body
    from auditproof.replay.generator.cluster import App, InventedCluster
    from auditproof.replay.generator.source import Story

_KUBECTL = "kubectl/v1.37.2 (linux/amd64) kubernetes/2f1e7c4"
_PEOPLE = ("alice", "bob", "carol", "dave", "erin")
_STATUS = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}


def at_work(cluster: InventedCluster) -> Iterator[Source]:
    """All that is not a component of Kubernetes."""
    yield from _people(cluster)
    yield from _operators(cluster)
    yield from _monitoring(cluster)
    yield from _autoscalers(cluster)
    yield from _refused()
    yield from _reviews(cluster)


def _people(cluster: InventedCluster) -> Iterator[Source]:
    for name in _PEOPLE:
        client = cluster.certificate(
            f"{name}@example.com", ("developers",), _KUBECTL, "192.0.2.17", "edit", "developers"
        )
        stories = [story for app in cluster.apps[:: 1 + len(cluster.apps) // 12] for story in _kubectl(client, app)]
        if stories:
            yield at_random(30, *stories)
    administrator = cluster.certificate("kubernetes-admin", ("kubeadm:cluster-admins",), _KUBECTL, "192.0.2.9")
    yield at_random(900, *((1.0, story) for story in _administration(administrator, cluster)))


def _kubectl(client: Client, app: App) -> Iterator[tuple[float, Story]]:
    """What people do, and how often: they look at pods most of the time."""
    pods, name = f"/api/v1/namespaces/{app.namespace}/pods", f"{app.name}-@hash@-@suffix@"
    one = partial(bodies.pod, app, node=app.node, status="Running")
    listed = Call(client, "GET", f"{pods}?limit=500", response=partial(_pods, app), milliseconds=14)
    read = Call(client, "GET", f"{pods}/{name}", response=one)
    events = f"/api/v1/namespaces/{app.namespace}/events?fieldSelector=involvedObject.name%3D{name}&limit=500"
    found = partial(bodies.list_of, "EventList", "v1", [bodies.event(app, "Pulled", "already present on machine")] * 4)
    yield 30, ((0.0, listed),)
    yield 4, ((0.0, discovery(client, "/api")), (0.01, discovery(client, "/apis")), (0.1, listed))
    yield 8, ((0.0, read), (0.1, Call(client, "GET", events, response=found)))
    yield 6, ((0.0, read), (0.1, Call(client, "GET", f"{pods}/{name}/log?container={app.name}", milliseconds=300)))
    command = f"{pods}/{name}/exec?command=sh&container={app.name}&stdin=true&stdout=true&tty=true"
    yield 2, ((0.0, read), (0.1, Call(client, "GET", command, 101, milliseconds=45_000)))
    yield 1, ((0.0, read), (0.1, Call(client, "GET", f"{pods}/{name}/portforward", 101, milliseconds=90_000)))
    yield 3, ((0.0, _secret_read(client, app)),)
    yield 2, ((0.0, _no_such(client, app)),)
    yield 2, ((0.0, _forbidden(client)),)
    yield 2, ((0.0, _scaled(client, app)),)
    yield 1, ((0.0, Call(client, "GET", "/version?timeout=32s", milliseconds=1)),)


def _pods(app: App) -> Body:
    items = [bodies.pod(app, node=app.node, status="Running") for _ in range(2 * app.replicas)]
    return bodies.list_of("PodList", "v1", items)


def _secret_read(client: Client, app: App) -> Call:
    body = partial(bodies.secret, f"{app.name}-database", app.namespace, app.uid)
    return Call(client, "GET", f"/api/v1/namespaces/{app.namespace}/secrets/{app.name}-database", response=body)


def _no_such(client: Client, app: App) -> Call:
    name = f"{app.name}-old"
    status = failure("NotFound", f'deployments.apps "{name}" not found', name=name, group="apps", kind="deployments")
    return Call(client, "GET", f"/apis/apps/v1/namespaces/{app.namespace}/deployments/{name}", 404, status=status)


def _forbidden(client: Client) -> Call:
    name = client.user["username"]
    message = (
        f'secrets is forbidden: User "{name}" cannot list resource "secrets" in API group "" '
        'in the namespace "kube-system"'
    )
    status = failure("Forbidden", message, kind="secrets")
    return Call(client, "GET", "/api/v1/namespaces/kube-system/secrets?limit=500", 403, 1, status=status)


def _scaled(client: Client, app: App) -> Call:
    about = bodies.metadata(app.name, app.namespace, app.uid)
    scale = {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": about, "spec": {"replicas": app.replicas + 1}}
    uri = f"/apis/apps/v1/namespaces/{app.namespace}/deployments/{app.name}/scale"
    return Call(client, "PATCH", uri, request=lambda: {"spec": {"replicas": app.replicas + 1}}, response=lambda: scale)


def _administration(client: Client, cluster: InventedCluster) -> Iterator[Story]:
    """Rare and important: rights, namespaces, nodes, and acting as another user."""
    role = {"kind": "ClusterRole", "apiGroup": "rbac.authorization.k8s.io", "name": "view"}
    subject = {"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": "auditors"}

    def binding() -> Body:
        head = {"kind": "ClusterRoleBinding", "apiVersion": "rbac.authorization.k8s.io/v1"}
        fields = [bodies.managed("kubectl-create", "roleRef", "subjects")]
        about = bodies.metadata("auditors-@suffix@", managedFields=fields)
        return {**head, "metadata": about, "subjects": [subject], "roleRef": role}

    bindings, name = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", "auditors-@suffix@"
    made = Call(client, "POST", bindings, 201, named=name, request=binding, response=binding)
    gone = Call(
        client, "DELETE", f"{bindings}/{name}", status={"status": "Success"}, response=lambda: {**_STATUS, "code": 200}
    )
    yield ((0.0, made), (600.0, gone))
    node = cluster.nodes[-1]
    patch = {"spec": {"unschedulable": True}}
    body = partial(bodies.node, node, cluster.uid())
    yield ((0.0, Call(client, "PATCH", f"/api/v1/nodes/{node}", request=lambda: patch, response=body)),)
    yield ((0.0, Call(client, "GET", "/api/v1/nodes?limit=500", response=partial(_nodes, cluster))),)
    other = {"username": "carol@example.com", "groups": ["developers", "system:authenticated"]}
    yield ((0.0, Call(client, "GET", "/api/v1/namespaces?limit=500", impersonated=other)),)


def _nodes(cluster: InventedCluster) -> Body:
    return bodies.list_of("NodeList", "v1", [bodies.node(name, "@uid@") for name in cluster.nodes])


def _operators(cluster: InventedCluster) -> Iterator[Source]:
    """Programs in the cluster that hold a lease, watch, read secrets, and write what others wrote meanwhile."""
    node = cluster.nodes[-1]
    for space in cluster.namespaces[:4]:
        agent = f"operator/v2.3.1 (linux/amd64) {space}"
        client = cluster.account(space, "operator", agent, node, f"{space}-operator")
        yield renewal(client, space, f"{space}-operator", cluster.uid(), seconds=15, every=2)
        watched = ("secrets", "configmaps", "services", "pods")
        yield from watches(client, *(f"/api/v1/{name}" for name in watched), "/apis/apps/v1/deployments")
        apps = [app for app in cluster.apps if app.namespace == space]
        for app in apps:
            yield timer(60, _secret_read(client, app), *_settings(client, app))
            yield at_random(1800, (1.0, ((0.0, _conflict(client, app)),)), daily=False)


def _settings(client: Client, app: App) -> tuple[Call, ...]:
    name = f"{app.name}-settings"
    uri = f"/api/v1/namespaces/{app.namespace}/configmaps/{name}"
    body = partial(bodies.configmap, name, app.namespace, app.uid, app.size)
    return (Call(client, "GET", uri, response=body), Call(client, "PUT", uri, request=body, response=body))


def _conflict(client: Client, app: App) -> Call:
    name = f"{app.name}-settings"
    message = (
        f'Operation cannot be fulfilled on configmaps "{name}": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    status = failure("Conflict", message, name=name, kind="configmaps")
    body = partial(bodies.configmap, name, app.namespace, app.uid, app.size)
    uri = f"/api/v1/namespaces/{app.namespace}/configmaps/{name}"
    return Call(client, "PUT", uri, 409, status=status, request=body)


def _monitoring(cluster: InventedCluster) -> Iterator[Source]:
    node = cluster.nodes[-1]
    client = cluster.account("monitoring", "prometheus", "Prometheus/3.5.0", node, "prometheus")
    yield timer(15, Call(client, "GET", "/metrics", milliseconds=60))
    yield from watches(client, "/api/v1/pods", "/api/v1/nodes", "/api/v1/services", "/api/v1/endpoints")
    server = cluster.account("kube-system", "metrics-server", "metrics-server/v0.9.0", node, "system:metrics-server")
    yield from watches(server, "/api/v1/pods", "/api/v1/nodes")


def _autoscalers(cluster: InventedCluster) -> Iterator[Source]:
    """Every 15 seconds, the autoscaler reads the scale of a Deployment, and the metrics of its pods."""
    agent = "kube-controller-manager/v1.37.2 (linux/amd64) kubernetes/2f1e7c4/horizontal-pod-autoscaler"
    role = "system:controller:horizontal-pod-autoscaler"
    client = cluster.account("kube-system", "horizontal-pod-autoscaler", agent, role=role)
    for app in cluster.apps:
        if not app.name.endswith("-web"):
            continue
        about = bodies.metadata(app.name, app.namespace, app.uid)
        scale = {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": about, "spec": {"replicas": app.replicas}}
        read = Call(
            client,
            "GET",
            f"/apis/apps/v1/namespaces/{app.namespace}/deployments/{app.name}/scale",
            response=partial(dict, scale),
        )
        # An aggregated API: its bodies pass through, and are not recorded.
        path = f"/apis/metrics.k8s.io/v1beta1/namespaces/{app.namespace}/pods?labelSelector=app%3D{app.name}"
        yield timer(15, read, Call(client, "GET", path))


def _refused() -> Iterator[Source]:
    """An expired token, and a scanner without credentials."""
    expired = Client({}, "ci-agent/1.9", "198.51.100.23")
    unauthorized = failure("Unauthorized", "Unauthorized")
    yield at_random(
        120,
        (1.0, ((0.0, Call(expired, "GET", "/api/v1/namespaces/shop/pods?limit=500", 401, 1, status=unauthorized)),)),
        daily=False,
    )
    user = {"username": "system:anonymous", "groups": ["system:unauthenticated"]}
    scanner = Client(user, "masscan/1.3", "203.0.113.77")
    stories = []
    for path in ("/", "/api/v1/namespaces/default/secrets", "/console", "/.env"):
        message = f'forbidden: User "system:anonymous" cannot get path "{path}"'
        if path.startswith("/api/v1"):
            message = 'secrets is forbidden: User "system:anonymous" cannot list resource "secrets" in API group "" '
            message += 'in the namespace "default"'
        stories.append((1.0, ((0.0, Call(scanner, "GET", path, 403, 1, status=failure("Forbidden", message))),)))
    yield at_random(600, *stories, daily=False)


def _reviews(cluster: InventedCluster) -> Iterator[Source]:
    """Kubelets ask who scrapes them, and what that user may do."""
    for node in cluster.nodes:
        agent = "kubelet/v1.37.2 (linux/amd64) kubernetes/2f1e7c4"
        client = cluster.certificate(f"system:node:{node}", ("system:nodes",), agent, cluster.address(node))
        user = {"username": "system:serviceaccount:monitoring:prometheus", "groups": ["system:authenticated"]}
        tokens = partial(
            bodies.review,
            "TokenReview",
            "authentication.k8s.io",
            {"token": "generated." + "0" * 900},
            {"authenticated": True, "user": user},
        )
        attributes = {"verb": "get", "resource": "nodes", "subresource": "metrics", "name": node}
        access = partial(
            bodies.review,
            "SubjectAccessReview",
            "authorization.k8s.io",
            {"user": user["username"], "resourceAttributes": attributes},
            {"allowed": True},
        )
        yield timer(
            120,
            Call(client, "POST", "/apis/authentication.k8s.io/v1/tokenreviews", 201, request=tokens, response=tokens),
            Call(
                client,
                "POST",
                "/apis/authorization.k8s.io/v1/subjectaccessreviews",
                201,
                request=access,
                response=access,
            ),
        )
