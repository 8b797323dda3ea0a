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


def endpoints(service: str, namespace: str, pod: str, ports: list[dict[str, Any]]) -> dict[str, Any]:
    """The EndpointSlice by which a Service leads to a Pod there."""
    target = {"kind": "Pod", "namespace": namespace, "name": pod}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": service, "namespace": namespace, "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [POD_ADDRESS], "conditions": {"ready": True}, "targetRef": target}],
        "ports": [{"name": port.get("name", ""), "port": port.get("targetPort", port["port"])} for port in ports],
    }
