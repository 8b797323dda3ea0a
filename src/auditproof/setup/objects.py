"""The objects that cases need: created, labelled where the cluster is shared, and awaited until they are in force."""

from __future__ import annotations

import functools
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from auditproof.clusters.existing.cleanup import RUN, labels
from auditproof.errors import WireError
from auditproof.kube.capability import Capability
from auditproof.kube.resources import Resource, UnknownResource, resource_of
from auditproof.setup.admin import WRITTEN
from auditproof.setup.admission import PROBE, Marker, fill, markers
from auditproof.setup.pods import Pods
from auditproof.wait import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from auditproof.client.connection import Response
    from auditproof.clusters.cluster import Cluster
    from auditproof.setup.admin import AdminClient

ADMISSION_TIMEOUT_S = 20.0
DEFINITION_TIMEOUT_S = 20.0


class Objects:
    """Creates objects on one cluster, as its admin; not to be shared between threads."""

    def __init__(self, cluster: Cluster, admin: AdminClient) -> None:
        self._cluster = cluster
        self._admin = admin
        self._created: set[str] = set()
        self._defined: set[tuple[str, str]] = set()  # apiVersion and kind of the custom resources that it has defined
        self._namespaces: set[str] = set()
        self._with_account: set[str] = set()  # namespaces whose default service account is there
        self._pods = Pods(admin.send, cluster.capabilities)

    @property
    def node(self) -> str:
        """The name of the cluster's node. Raises WireError where there is none."""
        return self._pods.node

    @property
    def namespaces(self) -> tuple[str, ...]:
        """The namespaces that cases were given, sorted; on a shared cluster this run has made all of them."""
        return tuple(sorted(self._namespaces))

    def create(self, manifest: Mapping[str, Any]) -> None:
        """Create an object and wait until it is in force; one that is there already is left as it is.

        Raises WireError with the server's own message where it refuses, and on a shared cluster where the object
        belongs to another team; TimedOut where it does not come into force.
        """
        key = json.dumps(manifest, sort_keys=True)
        if key in self._created:
            return
        located = self._pods.located(fill(manifest, self._cluster.stand_in_url, self._cluster.ca))
        collection = self._collection(located)
        if manifest["kind"] == "Pod":
            self.ensure_default_account(str(manifest["metadata"].get("namespace", "")))
        kind = (str(manifest["apiVersion"]), str(manifest["kind"]))
        make = self._apply if kind in self._defined else self._admin.post
        if make(collection, self.labelled(located)).status == 409:
            self._must_be_ours(manifest, f"{collection}/{manifest['metadata']['name']}")
        if manifest["kind"] == "Namespace":
            self._namespaces.add(str(manifest["metadata"]["name"]))
            self.ensure_default_account(str(manifest["metadata"]["name"]))
        if manifest["kind"] == "CustomResourceDefinition":
            self._await_definition(manifest)
        if manifest["kind"] == "APIService":
            self._await_api_service(manifest, f"{collection}/{manifest['metadata']['name']}")
        self._pods.settle(manifest, located)
        # Last: an object whose set-up failed is tried again for the next case.
        self._created.add(key)

    def ensure_namespace(self, name: str) -> None:
        """Create a namespace unless it exists, no matter who created it. Raises WireError if the server refuses."""
        if self._admin.send("GET", f"/api/v1/namespaces/{name}").status != 200:
            self.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    def ensure_default_account(self, namespace: str) -> None:
        """Make the service account ``default`` of a namespace, without which admission refuses every Pod in it.

        The service account controller does so where one runs, which is everywhere but on an embedded cluster (see
        pkg/controller/serviceaccount/serviceaccounts_controller.go). A namespace that does not exist is left to the
        request that names it.
        """
        if self._cluster.is_shared or Capability.RUNS_PODS in self._cluster.capabilities:
            return
        if namespace not in self._with_account:
            account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
            response = self._admin.send("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", account)
            if response.status in WRITTEN:
                self._with_account.add(namespace)

    def labelled(self, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
        """The object with the labels by which ``auditproof cleanup`` finds it, where the cluster is shared."""
        if self._cluster.shared_run_id is None:
            return manifest
        metadata = manifest.get("metadata", {})
        marked = {**metadata.get("labels", {}), **labels(self._cluster.shared_run_id)}
        return {**manifest, "metadata": {**metadata, "labels": marked}}

    def owner(self, path: str) -> str | None:
        """Who else has made the object at ``path``, in words; None where it does not exist, or this run has made it."""
        if not self._cluster.is_shared:
            return None
        response = self._admin.send("GET", path)
        found = response.json().get("metadata", {}).get("labels", {}) if response.status == 200 else {}
        if response.status == 404 or found.get(RUN) == self._cluster.shared_run_id:
            return None
        return f"the run {found[RUN]}, whose leftovers auditproof cleanup removes" if RUN in found else "another user"

    def _must_be_ours(self, manifest: Mapping[str, Any], path: str) -> None:
        """Touch nothing but what this run has made, and what controllers put into the namespaces that it has made."""
        if manifest["metadata"].get("namespace") in self._namespaces:
            return
        if owner := self.owner(path):
            raise WireError(f"set-up: {path} is there already, made by {owner}: nothing else than its own is touched")

    def aggregated(self, groups: Iterable[str]) -> set[str]:
        """Those of the API groups that another server serves; all of them where the server does not say."""
        response = self._admin.send("GET", "/apis/apiregistration.k8s.io/v1/apiservices")
        if response.status != 200:
            return set(groups)
        specs = [item["spec"] for item in response.json()["items"]]
        # An APIService without a service is one that the API server itself serves.
        own = {str(spec.get("group", "")) for spec in specs if not spec.get("service")}
        return set(groups) - own

    def _collection(self, manifest: Mapping[str, Any]) -> str:
        """The collection that a manifest is to be POSTed to; the server is asked about a kind that is not built in."""
        namespace = str(manifest.get("metadata", {}).get("namespace", ""))
        with suppress(UnknownResource):
            return resource_of(manifest).path(namespace)
        group, _, version = str(manifest["apiVersion"]).rpartition("/")
        response = self._admin.send("GET", f"/apis/{group}/{version}" if group else f"/api/{version}")
        for served in _served(response):
            if served["kind"] == manifest["kind"] and "/" not in served["name"]:
                found = Resource(group, version, served["name"], served["kind"], bool(served["namespaced"]))
                return found.path(namespace)
        raise WireError(f"set-up: the API server serves no {manifest['kind']} of {manifest['apiVersion']}")

    def _apply(self, collection: str, manifest: Mapping[str, Any]) -> Response:
        """As a POST, for an object of a custom resource that was just defined.

        For two seconds after the definition a server sleeps for two seconds before it takes a POST, which other servers
        may know nothing about yet (k8s.io/apiextensions-apiserver pkg/apiserver/customresource_handler.go). All servers
        know of the resource by now (see _await_definition), and an apply does not sleep.
        """
        uri = f"{collection}/{manifest['metadata']['name']}"
        there = self._admin.send("GET", uri)
        if there.status == 200:
            return there
        # JSON is YAML; before 1.37 a server at level Request loses the event of an apply whose body is not JSON
        body = json.dumps(dict(manifest)).encode()
        return self._admin.write("PATCH", f"{uri}?fieldManager=auditproof", body, "application/apply-patch+yaml")

    def _await_definition(self, definition: Mapping[str, Any]) -> None:
        """Wait until custom resources can be listed, and are in the discovery that gives the name of their kind.

        A server serves them by its watch of the definitions; a controller adds them to the discovery, before that or
        after (k8s.io/apiextensions-apiserver pkg/apiserver/customresource_discovery_controller.go).
        """
        spec = definition["spec"]
        plural = spec["names"]["plural"]
        version = next(version["name"] for version in spec["versions"] if version["served"])
        uri = f"/apis/{spec['group']}/{version}"

        def look() -> bool | None:
            responses = self._admin.everywhere("GET", uri)
            known = all(plural in (str(served["name"]) for served in _served(response)) for response in responses)
            return (known and self._admin.all_return(200, "GET", f"{uri}/{plural}?limit=1")) or None

        what = f"the API server to serve {plural}.{spec['group']}"
        wait_until(look, what=what, timeout_s=DEFINITION_TIMEOUT_S)
        if not self._cluster.is_shared:  # there the admin may have no right to PATCH
            self._defined.add((f"{spec['group']}/{version}", spec["names"]["kind"]))

    def _await_api_service(self, service: Mapping[str, Any], path: str) -> None:
        """Wait until every API server calls the one behind it available, and passes requests on to it.

        It does the second only once it has read back the first (k8s.io/kube-aggregator pkg/apiserver/handler_proxy.go).
        """
        uri = f"/apis/{service['spec']['group']}/{service['spec']['version']}"

        def look() -> bool | None:
            conditions = self._admin.send("GET", path).json().get("status", {}).get("conditions", [])
            available = any(each["type"] == "Available" and each["status"] == "True" for each in conditions)
            return (available and self._admin.all_return(200, "GET", uri)) or None

        wait_until(look, what=f"{path} to be available", timeout_s=DEFINITION_TIMEOUT_S)

    def await_admission(self, created: Iterable[Mapping[str, Any]]) -> None:
        """Wait until the webhooks and admission policies among the objects that were created are in force.

        Raises TimedOut where they do not come into force.
        """
        for marker in markers(created, self._cluster.stand_in_url, self._cluster.ca):
            for manifest in marker.manifests:
                self.create(manifest)
            what = f"the admission that was set up to be in force ({marker.words})"
            wait_until(functools.partial(self._warned, marker), what=what, timeout_s=ADMISSION_TIMEOUT_S)

    def _warned(self, marker: Marker) -> bool | None:
        responses = self._admin.everywhere("POST", PROBE, marker.probe)
        warnings = ([value for name, value in each.headers if name.lower() == "warning"] for each in responses)
        return all(any(marker.words in value for value in found) for found in warnings) or None


def _served(response: Response) -> list[dict[str, Any]]:
    """The resources of a response of the discovery; none where the server does not know the version."""
    return response.json().get("resources", []) if response.status == 200 else []
