"""Stories in which a change by one client makes controllers, the scheduler and kubelets act.

Their order and their requests are those of a Deployment and of a CronJob on kind, kubernetes v1.37.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from auditproof.replay.generator import bodies
from auditproof.replay.generator.call import Call, Client
from auditproof.replay.generator.cluster import CONTROL_PLANE, program
from auditproof.replay.generator.source import Source, at_random

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.replay.generator.call import Body, Builder
    from auditproof.replay.generator.cluster import App, InventedCluster
    from auditproof.replay.generator.source import Story

_EVENTS = (
    ("Scheduled", "Successfully assigned the pod to a node"),
    ("Pulled", "Container image already present on machine and can be accessed by the pod"),
    ("Created", "Container created"),
    ("Started", "Container started"),
)


@dataclass(frozen=True, slots=True)
class _Actors:
    """The clients that act when pods come and go."""

    deployments: Client
    replica_sets: Client
    jobs: Client
    slices: Client
    scheduler: Client
    kubelets: dict[str, Client]


def rollouts(cluster: InventedCluster) -> Iterator[Source]:
    """New versions of the applications, their pods that fail, and jobs that begin every five minutes."""
    actors = _actors(cluster)
    agent = "helm/v4.0.0"
    deployer = cluster.account("ci", "deployer", agent, cluster.nodes[-1], "deployer")
    stories = tuple((1.0, _rollout(app, actors, deployer)) for app in cluster.apps)
    if not stories:
        return
    yield at_random(240, *stories)
    yield at_random(400, *((1.0, _pod_starts(app, actors)) for app in cluster.apps), daily=False)
    jobs = [app for app in cluster.apps if app.name.endswith("-worker")]
    for app in jobs:
        yield Source(300, ((1.0, _job(app, actors)),), timer=True)


def _actors(cluster: InventedCluster) -> _Actors:
    def controller(name: str) -> Client:
        agent = program("kube-controller-manager", f"system:serviceaccount:kube-system:{name}")
        return cluster.account("kube-system", name, agent, role=f"system:controller:{name}")

    name = "system:kube-scheduler"
    scheduler = cluster.certificate(
        name, (), program("kube-scheduler", "scheduler"), cluster.address(CONTROL_PLANE), name
    )
    kubelets = {
        node: cluster.certificate(f"system:node:{node}", ("system:nodes",), program("kubelet"), cluster.address(node))
        for node in cluster.nodes
    }
    return _Actors(
        controller("deployment-controller"),
        controller("replicaset-controller"),
        controller("job-controller"),
        controller("endpointslice-controller"),
        scheduler,
        kubelets,
    )


def _rollout(app: App, actors: _Actors, deployer: Client) -> Story:
    """A deployer changes a Deployment; a ReplicaSet is made, pods start, and old ones go."""
    of_app = f"/apis/apps/v1/namespaces/{app.namespace}"
    whole, replicas = partial(bodies.deployment, app), partial(bodies.replica_set, app)
    patch = {"spec": {"template": {"spec": {"containers": [{"name": app.name, "image": f"{app.name}:@tag@"}]}}}}
    steps = [
        (0.0, Call(deployer, "GET", f"{of_app}/deployments/{app.name}", response=whole)),
        (0.1, Call(deployer, "PATCH", f"{of_app}/deployments/{app.name}", request=lambda: patch, response=whole)),
        (0.2, _made(actors.deployments, f"{of_app}/replicasets", f"{app.name}-@hash@", replicas)),
        (0.3, _put(actors.deployments, f"{of_app}/deployments/{app.name}/status", whole)),
    ]
    for number in range(app.replicas):
        steps += [(0.5 + 2.0 * number + delay, call) for delay, call in _pod_starts(app, actors)]
        steps.append(
            (1.5 + 2.0 * number, _put(actors.replica_sets, f"{of_app}/replicasets/{app.name}-@hash@/status", replicas))
        )
        steps += [(2.0 + 2.0 * number + delay, call) for delay, call in _pod_stops(app, actors)]
    return (
        *steps,
        (2.0 * app.replicas + 2, _put(actors.deployments, f"{of_app}/deployments/{app.name}/status", whole)),
    )


def _made(client: Client, uri: str, name: str, body: Builder) -> Call:
    return Call(client, "POST", uri, 201, named=name, request=body, response=body, milliseconds=9)


def _put(client: Client, uri: str, body: Builder) -> Call:
    return Call(client, "PUT", uri, request=body, response=body, milliseconds=8)


def _pod_starts(app: App, actors: _Actors) -> Story:
    """A pod is created, bound to its node, reported as running, and added to the slices of its Service."""
    pods, kubelet = f"/api/v1/namespaces/{app.namespace}/pods", actors.kubelets[app.node]
    name = f"{app.name}-@hash@-@suffix@"
    new, running = partial(bodies.pod, app), partial(bodies.pod, app, node=app.node, status="Running")
    # The server generates the name, so that the event never has it.
    creation = Call(
        actors.replica_sets,
        "POST",
        pods,
        201,
        request=new,
        response=new,
        milliseconds=11,
        annotations={"pod-security.kubernetes.io/enforce-policy": "privileged:latest"},
    )
    target = {"kind": "Node", "name": app.node}
    binding = {
        "kind": "Binding",
        "apiVersion": "v1",
        "metadata": {"name": name, "namespace": app.namespace, "uid": "@uid@"},
    }
    bound = Call(
        actors.scheduler,
        "POST",
        f"{pods}/{name}/binding?timeout=5s",
        201,
        named=name,
        request=lambda: {**binding, "target": target},
        response=lambda: {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201},
        status={"status": "Success"},
        milliseconds=7,
    )
    patch = {"metadata": {"uid": "@uid@"}, "status": bodies.pod_status(app)}
    reports = [
        Call(kubelet, "PATCH", f"{pods}/{name}/status", request=lambda: patch, response=running, milliseconds=9)
        for _ in range(3)
    ]
    read = Call(kubelet, "GET", f"{pods}/{name}", response=running)
    return (
        (0.0, creation),
        (0.05, bound),
        (0.06, _event(app, actors.scheduler, *_EVENTS[0])),
        *((0.4 + 0.2 * number, _event(app, kubelet, *one)) for number, one in enumerate(_EVENTS[1:])),
        (0.3, read),
        *((0.3 + 0.6 * number, report) for number, report in enumerate(reports)),
        (1.6, _slices(app, actors)),
    )


def _slices(app: App, actors: _Actors) -> Call:
    """The addresses behind a Service change."""

    def body() -> Body:
        endpoints = [{"addresses": [f"10.244.1.{number}"], "nodeName": app.node} for number in range(app.replicas)]
        fields = [bodies.managed("kube-controller-manager", "addressType", "endpoints", "ports")]
        about = bodies.metadata(f"{app.name}-x7k2p", app.namespace, app.uid, managedFields=fields)
        head = {"kind": "EndpointSlice", "apiVersion": "discovery.k8s.io/v1", "metadata": about}
        return {**head, "addressType": "IPv4", "endpoints": endpoints, "ports": [{"port": 8080, "protocol": "TCP"}]}

    return _put(
        actors.slices, f"/apis/discovery.k8s.io/v1/namespaces/{app.namespace}/endpointslices/{app.name}-x7k2p", body
    )


def _event(app: App, client: Client, reason: str, message: str) -> Call:
    body = partial(bodies.event, app, reason, message)
    return _made(client, f"/api/v1/namespaces/{app.namespace}/events", bodies.event_name(app, reason), body)


def _pod_stops(app: App, actors: _Actors) -> Story:
    """A pod is deleted; its kubelet reports that it has ended, and deletes it for good."""
    pods, kubelet = f"/api/v1/namespaces/{app.namespace}/pods", actors.kubelets[app.node]
    name = f"{app.name}-@hash@-@suffix@"
    ended = partial(bodies.pod, app, node=app.node, status="Failed")
    options = {"kind": "DeleteOptions", "apiVersion": "meta.k8s.io/__internal", "preconditions": {"uid": "@uid@"}}
    patch = {"metadata": {"uid": "@uid@"}, "status": bodies.pod_status(app)}
    return (
        (0.0, Call(actors.replica_sets, "DELETE", f"{pods}/{name}", request=lambda: options, response=ended)),
        (0.5, Call(kubelet, "PATCH", f"{pods}/{name}/status", request=lambda: patch, response=ended)),
        (
            1.0,
            Call(
                kubelet,
                "DELETE",
                f"{pods}/{name}",
                request=lambda: {**options, "gracePeriodSeconds": 0},
                response=ended,
            ),
        ),
        (0.3, _slices(app, actors)),
    )


def _job(app: App, actors: _Actors) -> Story:
    """A CronJob's turn: its Job is created, one pod runs, and the Job is complete."""
    jobs, name = f"/apis/batch/v1/namespaces/{app.namespace}/jobs", f"{app.name}-report-@tag@"

    def body() -> Body:
        fields = [bodies.managed("kube-controller-manager", "backoffLimit", "completions", "selector", "template")]
        about = bodies.metadata(name, app.namespace, labels={"app": app.name}, managedFields=fields)
        spec = {"completions": 1, "parallelism": 1, "backoffLimit": 6, "template": {"spec": bodies.pod_spec(app)}}
        return {"kind": "Job", "apiVersion": "batch/v1", "metadata": about, "spec": spec, "status": {}}

    return (
        (0.0, _made(actors.jobs, jobs, name, body)),
        *((0.1 + delay, call) for delay, call in _pod_starts(app, actors)),
        (0.2, _put(actors.jobs, f"{jobs}/{name}/status", body)),
        (6.0, _put(actors.jobs, f"{jobs}/{name}/status", body)),
    )
