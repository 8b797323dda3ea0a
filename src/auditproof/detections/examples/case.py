"""The cases of examples: who sends them, and what has to be there before. Pure.

Objects are auditproof's own, in its own namespace; of system namespaces only dry runs ask anything.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from auditproof.analysis.space.client_request import identity_of
from auditproof.cases.case import Case, Source
from auditproof.cases.expectation import NODE, Expectation
from auditproof.detections.examples.candidates import NAMESPACE, OF_RUNNING, SYSTEM_NAMESPACES, own_account
from auditproof.detections.examples.draft import UPGRADED, method_of
from auditproof.detections.examples.forecast import Answer
from auditproof.kube.action import JSON, PATCH_TYPES, Request
from auditproof.kube.capability import Capability
from auditproof.kube.identity import AccessRule
from auditproof.kube.minimal_objects import NOTHING, minimal_body
from auditproof.kube.resources import RBAC, RESOURCES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.detections.examples.firing import Firing
    from auditproof.detections.examples.forecast import Draft
    from auditproof.errors import Position
    from auditproof.kube.attributes import Attributes

# To bind a role with rights that its user does not have (pkg/registry/rbac/escalation_check.go, BindingAuthorized).
_BINDS = (AccessRule(("bind",), (RBAC,), ("roles", "clusterroles")),)
_RUNNING_POD = {
    "nodeName": "<node>",
    "terminationGracePeriodSeconds": 0,
    "automountServiceAccountToken": False,
    "containers": [{"name": "main", "image": "<pod-image>", "ports": [{"containerPort": 80}]}],
}


def example_case(
    name: str, draft: Draft, firing: Firing, *, title: str, position: Position, status: int | None
) -> Case:
    """The case with the id ``name`` that sends a draft; ``status`` is the response on which the rule depends.

    Raises NotPerformable if no credential authenticates such a user.
    """
    identity = identity_of(draft.attributes.user)
    if draft.answer is not Answer.FORBIDDEN:
        binds = draft.attributes.resource in ("rolebindings", "clusterrolebindings") and draft.body is not None
        identity = replace(identity, without_rights=False, access=_BINDS if binds else ())
    if account := own_account(draft.attributes.user):
        identity = replace(identity, pod=account)
    if draft.impersonates is not None:
        identity = replace(identity, impersonates=draft.impersonates)
    return Case(
        name,
        identity,
        request_of(draft),
        Expectation(status=status, watcher=firing),
        tuple(_given(draft)),
        title=title,
        needs=identity.needs | frozenset(_needs(draft, firing)),
        source=Source(position, made=True),
    )


def _needs(draft: Draft, firing: Firing) -> Iterator[Capability]:
    if _runs(draft.attributes):
        yield Capability.KUBELET
    if firing.through is not None:
        yield Capability.CONTROLLERS


def request_of(draft: Draft) -> Request:
    """The HTTP request of a draft."""
    asked = draft.attributes
    method = method_of(asked)
    headers: tuple[tuple[str, str], ...] = ()
    body = None
    if draft.body is not None:
        built_in = (asked.api_group, asked.resource) in RESOURCES
        patch = PATCH_TYPES["strategic" if built_in else "merge"]
        headers = (("Content-Type", patch if asked.verb == "patch" else JSON),)
        body = json.dumps(draft.body).encode()
    if draft.user_agent:
        headers += (("User-Agent", draft.user_agent),)
    upgrade = ""
    if asked.subresource in UPGRADED:
        upgrade = "websocket" if method == "GET" else "spdy"
    return Request(method, draft.uri, headers, body, upgrade)


def _given(draft: Draft) -> Iterator[dict[str, Any]]:
    """What has to exist, so that the server responds as forecast."""
    asked = draft.attributes
    if not asked.resource_request or asked.user is None:
        return
    if asked.namespace and asked.namespace not in SYSTEM_NAMESPACES:
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": asked.namespace}}
    if asked.resource == "pods" and asked.namespace:
        metadata = {"name": "default", "namespace": asked.namespace}
        yield {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
    if draft.answer is Answer.CONFLICT and asked.resource == "namespaces" and draft.body is not None:
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": draft.body["metadata"]["name"]}}
    reference = (draft.body or {}).get("roleRef", {})
    if reference.get("name") == NOTHING:
        yield _object(reference["kind"], f"{RBAC}/v1", NOTHING, asked.namespace if reference["kind"] == "Role" else "")
    resource = RESOURCES.get((asked.api_group, asked.resource))
    if resource is None or asked.resource == "namespaces" or asked.verb == "list":
        return
    name = asked.name
    if draft.answer is Answer.CONFLICT and draft.body is not None:
        name = draft.body["metadata"]["name"]
    if name and name != NODE and (draft.answer is Answer.CONFLICT or draft.answer is Answer.ACCEPTED):
        namespace = asked.namespace if resource.namespaced else ""
        yield _object(resource.kind, resource.api_version, name, namespace, runs=_runs(asked))


def _runs(asked: Attributes) -> bool:
    """Whether the request is for a kubelet: about a Pod that has to run, or the node itself."""
    return asked.name == NODE or (asked.resource == "pods" and asked.subresource in OF_RUNNING)


def _object(kind: str, api_version: str, name: str, namespace: str, *, runs: bool = False) -> dict[str, Any]:
    body = minimal_body(kind)
    if kind == "Pod":
        body["spec"] = dict(_RUNNING_POD) if runs else {**body["spec"], "schedulerName": "nobody"}
    if kind == "Event":
        body["involvedObject"] = {"apiVersion": "v1", "kind": "Namespace", "namespace": namespace, "name": NAMESPACE}
    metadata = {**body.get("metadata", {}), "name": name}
    if namespace:
        metadata["namespace"] = namespace
    return {"apiVersion": api_version, "kind": kind, **body, "metadata": metadata}
