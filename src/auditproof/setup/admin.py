"""What the admin prepares before anything is judged: objects, service accounts, credentials and rights.

All of it is done as a system:masters user with a User-Agent of its own; none of it is ever judged.
"""

from __future__ import annotations

import functools
import json
import uuid
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import yaml

from auditproof.auditlog.metrics import parse_counters
from auditproof.client.connection import Connection, Credential, Response
from auditproof.clusters.existing.cleanup import RUN, labels
from auditproof.errors import WireError
from auditproof.kube.action import Request
from auditproof.kube.attributes import UserInfo
from auditproof.kube.capability import Capability
from auditproof.kube.resources import Resource, UnknownResource, resource_of
from auditproof.setup.admission import PROBE, Marker, fill, markers
from auditproof.setup.pods import Pods
from auditproof.setup.rbac import rules_needed
from auditproof.wait import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from auditproof.clusters.cluster import Cluster
    from auditproof.kube.attributes import Attributes
    from auditproof.kube.identity import Identity

USER_AGENT = "auditproof/setup"
RIGHTS_TIMEOUT_S = 10.0
ADMISSION_TIMEOUT_S = 20.0
DEFINITION_TIMEOUT_S = 20.0
REACH = 16  # connections that are tried for each API server behind one address
LOOKS = 8  # connections that are tried for one that nobody spoke of
_JSON = "application/json"


class Admin:
    """The admin's hand on one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        credential = Credential(cluster.admin_cert, cluster.admin_key, cluster.admin_token)
        self._new_wire: Callable[[], Connection] = lambda: Connection(cluster.url, cluster.ca, credential)
        self._wire = self._new_wire()
        self._asked: list[tuple[str, str, str]] = []
        self._others: list[Connection] = []  # to each API server behind the address, where there are several
        self._created: set[str] = set()
        self._defined: set[tuple[str, str]] = set()  # apiVersion and kind of the custom resources that it has defined
        self._namespaces: set[str] = set()
        self._pods = Pods(self.send, cluster.capabilities)

    @property
    def node(self) -> str:
        """The name of the cluster's node. Raises WireError where there is none."""
        return self._pods.node

    def send(self, method: str, uri: str, body: Any = None, media_type: str = _JSON) -> Response:
        """One request as the admin; the answer whatever it is.

        Raises WireError where there is none.
        """
        return self._send(self._wire, method, uri, body, media_type)

    def everywhere(self, method: str, uri: str, body: Any = None) -> list[Response]:
        """The same request to every API server behind the address; mostly there is one.

        Raises WireError where one does not answer, or cannot be reached.
        """
        if self._cluster.servers == 1:
            return [self.send(method, uri, body)]
        self._others = self._others or self._reach_all()
        return [self._send(wire, method, uri, body) for wire in self._others]

    def reach_again(self) -> None:
        """Forget the connections to the single API servers: one of them has come to another server."""
        for wire in self._others:
            wire.close()
        self._others = []

    def _reach_all(self) -> list[Connection]:
        """A connection to each API server: opened until so many processes have answered as there are servers."""
        found: dict[float, Connection] = {}
        for _ in range(REACH * self._cluster.servers):
            wire = self._new_wire()
            answer = self._send(wire, "GET", "/metrics")
            if answer.status != 200:
                break
            if found.setdefault(parse_counters(answer.body).process_start, wire) is not wire:
                wire.close()
            if len(found) == self._cluster.servers:
                return list(found.values())
        raise WireError(
            f"{len(found)} of the {self._cluster.servers} API servers behind {self._cluster.url} were reached "
            "(they are told apart by process_start_time_seconds of /metrics)"
        )

    def take_asked(self) -> list[tuple[str, str, str]]:
        """Method, URI and Audit-ID of all that the policy was consulted about since this was asked last."""
        asked, self._asked = self._asked, []
        return asked

    def user(self) -> UserInfo | None:
        """Who the admin is to the server; None where it does not say."""
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        answer = self.send("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", review)
        if answer.status != 201:
            return None
        found = answer.json()["status"]["userInfo"]
        return UserInfo(str(found.get("username", "")), tuple(found.get("groups", ())))

    def aggregated(self, groups: Iterable[str]) -> set[str]:
        """Those of the API groups for which another server answers; all of them where that is not to be known."""
        answer = self.send("GET", "/apis/apiregistration.k8s.io/v1/apiservices")
        if answer.status != 200:
            return set(groups)
        specs = [item["spec"] for item in answer.json()["items"]]
        own = {str(spec.get("group", "")) for spec in specs if not spec.get("service")}
        return set(groups) - own

    def unread(self) -> str:
        """Why an event may stand in a log that nobody reads; empty where nothing shows that.

        More API servers may answer at somebody else's address than logs of it were given, each to some connections. One
        that does not answer records nothing either.
        """
        found: set[float] = set()
        for _ in range(LOOKS if self._cluster.guest else 0):
            wire = self._new_wire()
            with suppress(WireError):
                found.add(parse_counters(self._send(wire, "GET", "/metrics").body).process_start)
            wire.close()
            if len(found) > self._cluster.servers:
                return (
                    f"more API servers answer at {self._cluster.url} than logs are read ({self._cluster.servers}): "
                    "give --audit-log (auditproof run: --log) once for each; an event may stand in another log"
                )
        return ""

    def _send(self, wire: Connection, method: str, uri: str, body: Any = None, media_type: str = _JSON) -> Response:
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = Request(method, uri, (("Content-Type", media_type),) if body is not None else (), data)
        audit_id = f"setup-{uuid.uuid4()}"
        response = wire.send(request, audit_id=audit_id, user_agent=USER_AGENT)
        if response.error:
            raise WireError(f"{method} {self._cluster.url}{uri} (set-up): {response.error}")
        if response.header("Audit-Id") == audit_id and response.status < 429:  # the policy was surely consulted
            self._asked.append((method, uri, audit_id))
        return response

    def create(self, manifest: Mapping[str, Any]) -> None:
        """Create an object; one that is there already is left as it is.

        Raises WireError with the server's own message where it refuses, and on a cluster that is not the run's own
        where the object is somebody else's.
        """
        key = json.dumps(manifest, sort_keys=True)
        if key in self._created:
            return
        located = self._pods.located(fill(manifest, self._cluster.callback, self._cluster.ca))
        collection = self._collection(located)
        make = self._apply if _kind(manifest) in self._defined else self.post
        if make(collection, self._labelled(located)).status == 409:
            self._must_be_ours(manifest, f"{collection}/{manifest['metadata']['name']}")
        if manifest["kind"] == "Namespace":
            self._namespaces.add(str(manifest["metadata"]["name"]))
        if manifest["kind"] == "CustomResourceDefinition":
            self._wait_until_served(manifest)
        if manifest["kind"] == "APIService":
            self._wait_until_available(manifest, f"{collection}/{manifest['metadata']['name']}")
        self._pods.settle(manifest, located)
        self._created.add(key)

    def _labelled(self, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
        """The object with the labels by which it is found and removed, on a cluster that is not the run's own."""
        if not self._cluster.guest:
            return manifest
        metadata = manifest.get("metadata", {})
        marked = {**metadata.get("labels", {}), **labels(self._cluster.guest)}
        return {**manifest, "metadata": {**metadata, "labels": marked}}

    def _must_be_ours(self, manifest: Mapping[str, Any], path: str) -> None:
        """Nothing else is touched than what the run has made, and what controllers put into the namespaces it made."""
        if manifest["metadata"].get("namespace") in self._namespaces:
            return
        if whose := self.whose(path):
            raise WireError(f"set-up: {path} is there already, made by {whose}: nothing else than its own is touched")

    def ensure_namespace(self, name: str) -> None:
        """See that a namespace is there, whoever has made it. Raises WireError where the server refuses."""
        if self.send("GET", f"/api/v1/namespaces/{name}").status != 200:
            self.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    def settle(self, created: Iterable[Mapping[str, Any]]) -> None:
        """Wait until webhooks and admission policies among the objects that were created are in force.

        Raises TimedOut where they do not come into force.
        """
        for marker in markers(created, self._cluster.callback, self._cluster.ca):
            for manifest in marker.manifests:
                self.create(manifest)
            what = f"the admission that was set up to be in force ({marker.words})"
            wait_until(functools.partial(self._warned, marker), what=what, timeout_s=ADMISSION_TIMEOUT_S)

    def _warned(self, marker: Marker) -> bool | None:
        answers = self.everywhere("POST", PROBE, marker.probe)
        return all(any(marker.words in value for value in _warnings(answer)) for answer in answers) or None

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
        for served in _served(answer):
            if served["kind"] == manifest["kind"] and "/" not in served["name"]:
                return Resource(group, version, served["name"], served["kind"], bool(served["namespaced"]))
        raise WireError(f"set-up: the API server serves no {manifest['kind']} of {manifest['apiVersion']}")

    def post(self, uri: str, body: Mapping[str, Any]) -> Response:
        """POST ``body``; what is there already is no fault. Raises WireError with the server's message on any other."""
        return _accepted("POST", uri, self.send("POST", uri, body))

    def _apply(self, collection: str, manifest: Mapping[str, Any]) -> Response:
        """As ``post``, for an object of a custom resource that was just defined.

        For two seconds after the definition a server sleeps for two seconds before it takes a POST, which other servers
        may know nothing about yet (k8s.io/apiextensions-apiserver pkg/apiserver/customresource_handler.go); we have
        asked all of them already, and an apply does not sleep.
        """
        uri = f"{collection}/{manifest['metadata']['name']}"
        there = self.send("GET", uri)
        if there.status == 200:
            return there
        body = yaml.safe_dump(dict(manifest)).encode()  # an apply that begins with a brace costs the server an event
        answer = self.send("PATCH", f"{uri}?fieldManager=auditproof", body, "application/apply-patch+yaml")
        return _accepted("PATCH", uri, answer)

    def _wait_until_served(self, definition: Mapping[str, Any]) -> None:
        """Wait until custom resources can be asked for, and are in the discovery that says what their kind is called.

        A server answers for them from its watch of the definitions; a controller adds them to the discovery, before
        that or after (k8s.io/apiextensions-apiserver pkg/apiserver/customresource_discovery_controller.go).
        """
        spec = definition["spec"]
        plural = spec["names"]["plural"]
        version = next(version["name"] for version in spec["versions"] if version["served"])
        uri = f"/apis/{spec['group']}/{version}"

        def look() -> bool | None:
            told = all(plural in _names(answer) for answer in self.everywhere("GET", uri))
            return (told and self._all("GET", f"{uri}/{plural}?limit=1", 200)) or None

        what = f"the API server to serve {plural}.{spec['group']}"
        wait_until(look, what=what, timeout_s=DEFINITION_TIMEOUT_S)
        if not self._cluster.guest:  # there we are allowed to do as little as we need
            self._defined.add((f"{spec['group']}/{version}", spec["names"]["kind"]))

    def _all(self, method: str, uri: str, status: int) -> bool | None:
        return all(answer.status == status for answer in self.everywhere(method, uri)) or None

    def _wait_until_available(self, service: Mapping[str, Any], path: str) -> None:
        """Wait until an API server calls the one behind it available, and passes requests on to it.

        It does the second only once it has read back the first (k8s.io/kube-aggregator pkg/apiserver/handler_proxy.go).
        """
        uri = f"/apis/{service['spec']['group']}/{service['spec']['version']}"

        def look() -> bool | None:
            conditions = self.send("GET", path).json().get("status", {}).get("conditions", [])
            available = any(each["type"] == "Available" and each["status"] == "True" for each in conditions)
            return (available and self._all("GET", uri, 200)) or None

        wait_until(look, what=f"{path} to be available", timeout_s=DEFINITION_TIMEOUT_S)

    def grant(self, requests: Iterable[tuple[Identity, Attributes]]) -> None:
        """Give every identity the rights that its own requests need, and wait until the server knows of them.

        Where they may not be given on the whole cluster, they are given in the namespaces that the run has made.
        Raises WireError where the server refuses, TimedOut where the rights do not take effect.
        """
        everywhere = Capability.GRANTS_CLUSTER_RIGHTS in self._cluster.capabilities
        own = None if everywhere else tuple(sorted(self._namespaces))
        wanted = (request for request in requests if own is None or request[1].namespace in own)
        granted = [replace(rules, namespaces=own, run=self._cluster.guest) for rules in rules_needed(wanted)]
        for rules in granted:
            for uri, manifest in rules.manifests():
                self.post(uri, self._labelled(manifest))
        for review in (review for rules in granted for review in rules.reviews()):
            what = f"the rights of {review['spec']['user']} to take effect"
            wait_until(functools.partial(self._allowed, review), what=what, timeout_s=RIGHTS_TIMEOUT_S)

    def _allowed(self, review: dict[str, Any]) -> bool | None:
        answers = self.everywhere("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
        for answer in answers:
            if answer.status != 201:
                raise WireError(f"set-up: a SubjectAccessReview was answered {answer.status}: {_message(answer)}")
        return all(answer.json()["status"]["allowed"] for answer in answers) or None

    def whose(self, path: str) -> str:
        """Who has made the object at ``path``, in words; empty where it is not there, or this run has made it."""
        if not self._cluster.guest:
            return ""
        answer = self.send("GET", path)
        found = answer.json().get("metadata", {}).get("labels", {}) if answer.status == 200 else {}
        if answer.status == 404 or found.get(RUN) == self._cluster.guest:
            return ""
        return f"the run {found[RUN]}, whose leftovers auditproof cleanup removes" if RUN in found else "somebody else"

    def close(self) -> None:
        """Close the admin's connections."""
        self._wire.close()
        self.reach_again()


def _kind(manifest: Mapping[str, Any]) -> tuple[str, str]:
    return str(manifest["apiVersion"]), str(manifest["kind"])


def _accepted(method: str, uri: str, answer: Response) -> Response:
    """The answer to a write that wrote, or found what is there. Raises WireError with the server's message."""
    if answer.status not in (200, 201, 202, 409):
        raise WireError(f"set-up: {method} {uri} was answered {answer.status}: {_message(answer)}")
    return answer


def _served(answer: Response) -> list[dict[str, Any]]:
    """The resources of an answer of the discovery; none where the server does not know the version."""
    return answer.json().get("resources", []) if answer.status == 200 else []


def _names(answer: Response) -> set[str]:
    return {str(served["name"]) for served in _served(answer)}


def _warnings(answer: Response) -> list[str]:
    return [value for name, value in answer.headers if name.lower() == "warning"]


def _message(response: Response) -> str:
    try:
        return str(response.json()["message"])
    except (WireError, KeyError, TypeError):
        return response.body[:200].decode(errors="replace")
