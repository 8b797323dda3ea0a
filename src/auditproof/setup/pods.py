"""Pods that really respond: of a real kubelet, which is waited for, or of the stand-in, whose status is set here.

A manifest says what it wants by two placeholders: ``<node>`` is the cluster's node, and a pod with the image
``<pod-image>`` must run, and serve HTTP on port 80.
"""

from __future__ import annotations

import json
import os
from functools import cached_property
from typing import TYPE_CHECKING, Any

from auditproof.cases.expectation import NODE
from auditproof.clusters.stand_ins import node as standin
from auditproof.errors import WireError
from auditproof.kube.capability import Capability
from auditproof.wait import wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Protocol

    from auditproof.client.connection import Response

    class Send(Protocol):
        """One request as the admin."""

        def __call__(self, method: str, uri: str, body: Any = None, media_type: str = ...) -> Response:
            """The response, whatever its status. Raises WireError if there is none."""
            ...


IMAGE = "<pod-image>"
RUN_TIMEOUT_S = 60.0
GIVEN = "AUDITPROOF_POD_IMAGE"  # names an image with a shell and busybox's httpd
_BUSYBOX = "busybox:1"
_SERVE = ["sh", "-c", "echo serving; exec httpd -f -p 80 -h /tmp"]
_MERGE = "application/merge-patch+json"


class Pods:
    """The pods of one cluster that must run. Safe for one thread."""

    def __init__(self, send: Send, capabilities: frozenset[Capability]) -> None:
        self._send = send
        self._real = Capability.RUNS_PODS in capabilities
        self._running: dict[tuple[str, str], Mapping[str, str]] = {}

    @cached_property
    def node(self) -> str:
        """The name of the cluster's node; the stand-in's is made now. Raises WireError where there is none."""
        if not self._real:
            self._expect(self._send("POST", "/api/v1/nodes", standin.node()), 201, 409)
        return str(self._any_node["metadata"]["name"]) if self._real else standin.NAME

    @cached_property
    def _any_node(self) -> dict[str, Any]:
        nodes = self._expect(self._send("GET", "/api/v1/nodes"), 200)["items"]
        if not nodes:
            raise WireError("set-up: the cluster has no node")
        return dict(nodes[0])

    @cached_property
    def _image(self) -> str:
        if not self._real:
            return "registry.invalid/stand-in:1"
        if given := os.environ.get(GIVEN, ""):
            return given
        names = [name for image in self._any_node["status"].get("images", []) for name in image.get("names", [])]
        there = (name for name in names if name.rpartition("/")[2].startswith("busybox:"))
        return str(next(there, _BUSYBOX))

    def located(self, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
        """The manifest with its placeholders replaced. Raises WireError where that cannot be done."""
        text = json.dumps(manifest)
        text = text.replace(IMAGE, self._image) if IMAGE in text else text
        text = text.replace(NODE, self.node) if NODE in text else text
        found = dict(json.loads(text))
        if self._real and found["kind"] == "Pod" and IMAGE in json.dumps(manifest):
            for container in found["spec"]["containers"]:
                if container["image"] == self._image:
                    # The image's own command may end at once, as busybox's shell does.
                    container.setdefault("command", _SERVE)
        return found

    def settle(self, asked: Mapping[str, Any], created: Mapping[str, Any]) -> None:
        """Let a pod that was just created run, and a service lead to it, where no controller does that.

        ``asked`` is the manifest with its placeholders. Raises WireError, or TimedOut where a pod does not run.
        """
        name, namespace = created["metadata"]["name"], created["metadata"].get("namespace", "")
        if created["kind"] == "Pod" and IMAGE in json.dumps(asked):
            uri = f"/api/v1/namespaces/{namespace}/pods/{name}"
            if self._real:
                what = f"the pod {namespace}/{name} to run its image {self._image} ({GIVEN} names another one)"
                wait_until(lambda: self._runs(uri), what=what, timeout_s=RUN_TIMEOUT_S, pause_s=0.2)
            else:
                self._expect(self._send("PATCH", f"{uri}/status", standin.running(), _MERGE), 200)
            self._running[namespace, name] = created["metadata"].get("labels", {})
        elif created["kind"] == "Service" and not self._real:
            self._lead(name, namespace, created["spec"])

    def _runs(self, uri: str) -> bool | None:
        pod = self._expect(self._send("GET", uri), 200)
        return True if pod["status"]["phase"] == "Running" else None

    def _lead(self, service: str, namespace: str, spec: Mapping[str, Any]) -> None:
        """As the controllers of Endpoints and of EndpointSlices do on a real cluster."""
        selector = spec.get("selector", {}).items()
        for (place, pod), labels in self._running.items():
            if place == namespace and selector and selector <= labels.items():
                for uri, found in standin.endpoints(service, namespace, pod, spec["ports"]).items():
                    self._expect(self._send("POST", uri, found), 201, 409)
                return

    def _expect(self, response: Response, *statuses: int) -> Any:
        if response.status not in statuses:
            raise WireError(
                f"set-up of pods: answered {response.status}: {response.body[:200].decode(errors='replace')}"
            )
        return response.json()
