"""RBAC: which rights identities need for their own requests, how they are granted, and when they are in force.

An impersonator needs the right to impersonate, and the user it asks for needs the right to act: authorization looks at
the impersonated user (staging/src/k8s.io/apiserver/pkg/endpoints/filters/impersonation). Anonymous and unauthenticated
requests get nothing.
"""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from auditproof.errors import WireError
from auditproof.kube.capability import Capability
from auditproof.kube.identity import MASTERS, UNAUTHENTICATED_KINDS, IdentityKind
from auditproof.wait import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from auditproof.clusters.cluster import Cluster
    from auditproof.kube.attributes import Attributes
    from auditproof.kube.identity import Identity, Impersonation
    from auditproof.setup.admin import AdminClient
    from auditproof.setup.objects import Objects

GROUP = "rbac.authorization.k8s.io"
RBAC = f"/apis/{GROUP}/v1"
MARK_GROUP = "auditproof.dev"
RIGHTS_TIMEOUT_S = 10.0
_STREAMS = {"exec", "attach", "portforward"}  # a WebSocket GET needs "create" as well since 1.35
_ESCALATING = {"roles": "escalate", "clusterroles": "escalate", "rolebindings": "bind", "clusterrolebindings": "bind"}


@dataclass(frozen=True, slots=True)
class SubjectRules:
    """The RBAC rules (rbac.authorization.k8s.io/v1 PolicyRule) that one user gets.

    On the whole cluster, or in ``namespaces`` alone where they are not None. ``run`` is the id of the run on a shared
    cluster, so that each run has roles of its own there, else empty.
    """

    user: str
    rules: tuple[dict[str, Any], ...]
    namespaces: tuple[str, ...] | None = None
    run: str = ""

    def manifests(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The ClusterRole and its bindings, each with the collection to POST it to."""
        head = {"apiVersion": f"{GROUP}/v1", "metadata": {"name": self._name()}}
        # What this role alone grants, and what leads nowhere: reviews() asks for it.
        marks = [
            {"nonResourceURLs": [f"/{self._name()}"], "verbs": ["get"]},
            {"apiGroups": [MARK_GROUP], "resources": [self._name()], "verbs": ["get"]},
        ]
        yield f"{RBAC}/clusterroles", {**head, "kind": "ClusterRole", "rules": [*self.rules, *marks]}
        reference = {"apiGroup": GROUP, "kind": "ClusterRole", "name": self._name()}
        subject = {"apiGroup": GROUP, "kind": "User", "name": self.user}
        binding = {**head, "roleRef": reference, "subjects": [subject]}
        if self.namespaces is None:
            yield f"{RBAC}/clusterrolebindings", {**binding, "kind": "ClusterRoleBinding"}
        for namespace in self.namespaces or ():
            yield f"{RBAC}/namespaces/{namespace}/rolebindings", {**binding, "kind": "RoleBinding"}

    def reviews(self) -> Iterator[dict[str, Any]]:
        """SubjectAccessReviews that are allowed once exactly this ClusterRole and its bindings are in force.

        They ask for what this role alone grants and what leads nowhere: a path, or a resource.
        """
        head = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview"}
        if self.namespaces is None:
            mark = {"path": f"/{self._name()}", "verb": "get"}
            yield {**head, "spec": {"user": self.user, "nonResourceAttributes": mark}}
        for namespace in self.namespaces or ():
            asked = {"namespace": namespace, "verb": "get", "group": MARK_GROUP, "resource": self._name()}
            yield {**head, "spec": {"user": self.user, "resourceAttributes": asked}}

    def _name(self) -> str:
        # The same rights have the same name in every process of a run, so the second one finds them (409).
        identifying = [self.user, *self.rules, *([self.run] if self.run else [])]
        return "auditproof-" + hashlib.sha256(json.dumps(identifying).encode()).hexdigest()[:16]


class Rights:
    """Grants rights on one cluster, as its admin; not to be shared between threads."""

    def __init__(self, cluster: Cluster, admin: AdminClient, objects: Objects) -> None:
        self._cluster = cluster
        self._admin = admin
        self._objects = objects

    def grant(self, requests: Iterable[tuple[Identity, Attributes]]) -> None:
        """Give every identity the rights that its own requests need, and wait until every API server knows of them.

        Where they may not be given on the whole cluster, they are given in the namespaces that the run has made, for
        the requests there. Raises WireError where the server refuses, TimedOut where the rights do not take effect.
        """
        everywhere = Capability.GRANTS_CLUSTER_RIGHTS in self._cluster.capabilities
        own = None if everywhere else self._objects.namespaces
        wanted = (request for request in requests if own is None or request[1].namespace in own)
        granted = [
            replace(rules, namespaces=own, run=self._cluster.shared_run_id or "") for rules in rules_needed(wanted)
        ]
        for rules in granted:
            for uri, manifest in rules.manifests():
                self._admin.post(uri, self._objects.labelled(manifest))
        for review in (review for rules in granted for review in rules.reviews()):
            what = f"the rights of {review['spec']['user']} to take effect"
            wait_until(functools.partial(self._allowed, review), what=what, timeout_s=RIGHTS_TIMEOUT_S)

    def _allowed(self, review: dict[str, Any]) -> bool | None:
        responses = self._admin.everywhere("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
        for response in responses:
            if response.status != 201:
                raise WireError(f"set-up: a SubjectAccessReview was answered {response.status}: {response.message}")
        return all(response.json()["status"]["allowed"] for response in responses) or None


def rules_needed(requests: Iterable[tuple[Identity, Attributes]]) -> tuple[SubjectRules, ...]:
    """The rights that the given requests need, one entry for each user that needs any, in order of first use."""
    rules: dict[str, dict[str, dict[str, Any]]] = {}
    for identity, attributes in requests:
        for user, rule in _needs(identity, attributes):
            rules.setdefault(user, {})[json.dumps(rule)] = rule
    return tuple(SubjectRules(user, tuple(by_text.values())) for user, by_text in rules.items())


def _needs(identity: Identity, attributes: Attributes) -> Iterator[tuple[str, dict[str, Any]]]:
    if identity.kind is IdentityKind.ANONYMOUS or identity.kind in UNAUTHENTICATED_KINDS:
        return
    for access in identity.access:
        named = {
            "apiGroups": access.api_groups,
            "resources": access.resources,
            "resourceNames": access.resource_names,
            "nonResourceURLs": access.non_resource_urls,
        }
        # An empty list is left out: the API server refuses a rule that names both resources and paths.
        yield (
            identity.user,
            {"verbs": list(access.verbs), **{key: list(value) for key, value in named.items() if value}},
        )
    if identity.without_rights or MASTERS in identity.groups:
        return
    asked = identity.impersonates
    if asked is not None:
        yield from ((identity.user, rule) for rule in _impersonate_rules(asked))
        # Rights for this user would be rights for everyone who reaches the server.
        if asked.user == "system:anonymous":
            return
    yield from ((asked.user if asked else identity.user, rule) for rule in _action_rules(attributes))


def _action_rules(attributes: Attributes) -> Iterator[dict[str, Any]]:
    if not attributes.resource_request:
        yield {"nonResourceURLs": [attributes.path], "verbs": [attributes.verb]}
        return
    verbs = [attributes.verb] if attributes.verb else []
    if attributes.subresource in _STREAMS:
        verbs = list(dict.fromkeys([*verbs, "get", "create"]))
    elif attributes.verb in ("patch", "update"):
        verbs.append("create")  # server-side apply and a PUT to a free name create
    if attributes.resource in _ESCALATING:
        verbs.append(_ESCALATING[attributes.resource])
    resource = f"{attributes.resource}/{attributes.subresource}".rstrip("/")
    if verbs:
        yield {"apiGroups": [attributes.api_group], "resources": [resource], "verbs": verbs}


def _impersonate_rules(asked: Impersonation) -> Iterator[dict[str, Any]]:
    yield {"apiGroups": [""], "resources": ["users", "groups", "serviceaccounts"], "verbs": ["impersonate"]}
    if asked.uid:
        yield {"apiGroups": ["authentication.k8s.io"], "resources": ["uids"], "verbs": ["impersonate"]}
    for key in sorted({key for key, _ in asked.extra}):
        resources = [f"userextras/{key}"]
        yield {"apiGroups": ["authentication.k8s.io"], "resources": resources, "verbs": ["impersonate"]}
