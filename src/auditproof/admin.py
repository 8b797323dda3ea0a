"""What the admin prepares before anything is judged: objects, service accounts, credentials and rights.

All of it is done as a system:masters user with a User-Agent of its own; none of it is ever judged.
"""

from __future__ import annotations

import functools
import json
import uuid
from typing import TYPE_CHECKING, Any

from auditproof.access import SubjectRules, rules_needed
from auditproof.action import Request
from auditproof.errors import WireError
from auditproof.pods import Pods
from auditproof.resources import Resource, UnknownResource, resource_of
from auditproof.wait import wait_until
from auditproof.wire import Credential, Response, Wire

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from auditproof.attributes import Attributes
    from auditproof.clusters.base import Cluster
    from auditproof.identity import Identity

USER_AGENT = "auditproof/setup"
RIGHTS_TIMEOUT_S = 10.0
DEFINITION_TIMEOUT_S = 20.0
_JSON = "application/json"


class Admin:
    """The admin's hand on one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._wire = Wire(cluster.url, cluster.ca, Credential(cluster.admin_cert, cluster.admin_key))
        self._created: set[str] = set()
        self._pods = Pods(self.send, cluster.capabilities)

    @property
    def node(self) -> str:
        """The name of the cluster's node. Raises WireError where there is none."""
        return self._pods.node

    def send(self, method: str, uri: str, body: Any = None, media_type: str = _JSON) -> Response:
        """One request as the admin; the answer whatever it is.

        Raises WireError where there is none.
        """
        data = None if body is None else json.dumps(body).encode()
        request = Request(method, uri, (("Content-Type", media_type),) if body is not None else (), data)
        response = self._wire.send(request, audit_id=f"setup-{uuid.uuid4()}", user_agent=USER_AGENT)
        if response.error:
            raise WireError(f"{method} {self._cluster.url}{uri} (set-up): {response.error}")
        return response

    def create(self, manifest: Mapping[str, Any]) -> None:
        """Create an object; one that is there already is left as it is.

        Raises WireError with the server's own message where it refuses.
        """
        key = json.dumps(manifest, sort_keys=True)
        if key in self._created:
            return
        located = self._pods.located(manifest)
        self.post(self._collection(located), located)
        if manifest["kind"] == "CustomResourceDefinition":
            self._wait_until_served(manifest)
        self._pods.settle(manifest, located)
        self._created.add(key)

    def _collection(self, manifest: Mapping[str, Any]) -> str:
        """The collection that a manifest is to be POSTed to; the server is asked about a kind that is not built in."""
        namespace = str(manifest.get("metadata", {}).get("namespace", ""))
        try:
            return resource_of(manifest).path(namespace)
        except UnknownResource:
            return self._discover(manifest).path(namespace)

    def _discover(self, manifest: Mapping[str, Any]) -> Resource:
        group, _, version = str(manifest["apiVersion"]).rpartition("/")
        answer = self.send("GET", f"/apis/{group}/{version}" if group else f"/api/{version}")
        for served in answer.json().get("resources", []) if answer.status == 200 else []:
            if served["kind"] == manifest["kind"] and "/" not in served["name"]:
                return Resource(group, version, served["name"], served["kind"], bool(served["namespaced"]))
        raise WireError(f"set-up: the API server serves no {manifest['kind']} of {manifest['apiVersion']}")

    def post(self, uri: str, body: Mapping[str, Any]) -> Response:
        """POST ``body``; what is there already is no fault. Raises WireError with the server's message on any other."""
        response = self.send("POST", uri, body)
        if response.status not in (200, 201, 202, 409):
            raise WireError(f"set-up: POST {uri} was answered {response.status}: {_message(response)}")
        return response

    def _wait_until_served(self, definition: Mapping[str, Any]) -> None:
        spec = definition["spec"]
        version = next(version["name"] for version in spec["versions"] if version["served"])
        uri = f"/apis/{spec['group']}/{version}/{spec['names']['plural']}?limit=1"
        what = f"the API server to serve {spec['names']['plural']}.{spec['group']}"
        wait_until(lambda: self.send("GET", uri).status == 200 or None, what=what, timeout_s=DEFINITION_TIMEOUT_S)

    def grant(self, requests: Iterable[tuple[Identity, Attributes]]) -> None:
        """Give every identity the rights that its own requests need, and wait until the server knows of them.

        Raises WireError where the server refuses, TimedOut where the rights do not take effect.
        """
        granted = [self._bind(needed) for needed in rules_needed(requests)]
        for review in granted:
            what = f"the rights of {review['spec']['user']} to take effect"
            wait_until(functools.partial(self._allowed, review), what=what, timeout_s=RIGHTS_TIMEOUT_S)

    def _bind(self, needed: SubjectRules) -> dict[str, Any]:
        for uri, manifest in needed.manifests():
            self.post(uri, manifest)
        return needed.review()

    def _allowed(self, review: dict[str, Any]) -> bool | None:
        response = self.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
        return True if response.json()["status"]["allowed"] else None

    def close(self) -> None:
        """Close the admin's connection."""
        self._wire.close()


def _message(response: Response) -> str:
    try:
        return str(response.json()["message"])
    except (WireError, KeyError, TypeError):
        return response.body[:200].decode(errors="replace")
