"""What the stand-in node is called, where it is, and what it runs; known to who makes it and to who asks it. Pure."""

from __future__ import annotations

from typing import Any

NAME = "auditproof-stand-in"
NETWORK = "192.0.2.0/24"  # for documentation alone (RFC 5737): no machine has such an address
NODE_ADDRESS = "192.0.2.10"
POD_ADDRESS = "192.0.2.20"
PORT = 10250  # the kubelet's own
WEBSOCKETS = "ExtendWebSocketsToKubelet"  # as a kubelet of 1.36 and newer declares: it takes WebSockets itself
CONTAINER = "main"  # what a container must be called to run there


def node() -> dict[str, Any]:
    """The Node object, as a kubelet would register it."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": NAME},
        "status": {
            "addresses": [{"type": "InternalIP", "address": NODE_ADDRESS}],
            "conditions": [{"type": "Ready", "status": "True", "reason": "StandIn"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": PORT}},
            "declaredFeatures": [WEBSOCKETS],
        },
    }


def running() -> dict[str, Any]:
    """A patch of a Pod's status: it runs."""
    addresses = {"podIP": POD_ADDRESS, "podIPs": [{"ip": POD_ADDRESS}], "hostIP": NODE_ADDRESS}
    return {"status": {"phase": "Running", **addresses, "conditions": [{"type": "Ready", "status": "True"}]}}


def endpoints(service: str, namespace: str, pod: str, ports: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The objects by which a Service leads to a Pod there, by the resource that they are posted to.

    The API server's proxy finds the Pod by the EndpointSlice since 1.37, before by the Endpoints
    (pkg/registry/core/service/storage/storage.go, ResourceLocation).
    """
    target = {"kind": "Pod", "namespace": namespace, "name": pod}
    named = [{"name": port.get("name", ""), "port": port.get("targetPort", port["port"])} for port in ports]
    metadata = {"name": service, "namespace": namespace}
    return {
        f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices": {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {**metadata, "labels": {"kubernetes.io/service-name": service}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [POD_ADDRESS], "conditions": {"ready": True}, "targetRef": target}],
            "ports": named,
        },
        f"/api/v1/namespaces/{namespace}/endpoints": {
            "apiVersion": "v1",
            "kind": "Endpoints",
            "metadata": metadata,
            "subsets": [{"addresses": [{"ip": POD_ADDRESS, "targetRef": target}], "ports": named}],
        },
    }
