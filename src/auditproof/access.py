"""Which RBAC rights identities need for their own requests. Pure.

An impersonator needs the right to impersonate, and the user it asks for needs the right to act: authorization looks at
the impersonated user (staging/src/k8s.io/apiserver/pkg/endpoints/filters/impersonation). Anonymous and unauthenticated
requests get nothing.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from auditproof.identity import UNAUTHENTICATED_KINDS, IdentityKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from auditproof.attributes import Attributes
    from auditproof.identity import Identity, Impersonation

RBAC = "/apis/rbac.authorization.k8s.io/v1"
MASTERS = "system:masters"
_STREAMS = {"exec", "attach", "portforward"}  # a WebSocket GET needs "create" as well since 1.35
_ESCALATING = {"roles": "escalate", "clusterroles": "escalate", "rolebindings": "bind", "clusterrolebindings": "bind"}


@dataclass(frozen=True, slots=True)
class SubjectRules:
    """The RBAC rules (rbac.authorization.k8s.io/v1 PolicyRule) that one user gets, on the whole cluster."""

    user: str
    rules: tuple[dict[str, Any], ...]

    def manifests(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The ClusterRole and its ClusterRoleBinding, each with the collection to POST it to."""
        name = f"auditproof-{self._digest()}"
        head = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": name}}
        rules = [*self.rules, {"nonResourceURLs": [self._mark()], "verbs": ["get"]}]
        yield f"{RBAC}/clusterroles", {**head, "kind": "ClusterRole", "rules": rules}
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
        subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": self.user}
        binding = {**head, "kind": "ClusterRoleBinding", "roleRef": reference, "subjects": [subject]}
        yield f"{RBAC}/clusterrolebindings", binding

    def review(self) -> dict[str, Any]:
        """A SubjectAccessReview that is allowed once exactly this ClusterRole and its binding are in force."""
        spec = {"user": self.user, "nonResourceAttributes": {"path": self._mark(), "verb": "get"}}
        return {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}

    def _digest(self) -> str:
        return hashlib.sha256(json.dumps([self.user, *self.rules]).encode()).hexdigest()[:16]

    def _mark(self) -> str:
        """A path that is granted by this role alone and leads nowhere: it tells when the role is in force."""
        return f"/auditproof-{self._digest()}"


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
        yield identity.user, _extra_rule(access)
    if identity.without_rights or MASTERS in identity.groups:
        return
    asked = identity.impersonates
    if asked is not None:
        yield from ((identity.user, rule) for rule in _impersonate_rules(asked))
        if asked.user == "system:anonymous":
            return
    yield from ((asked.user if asked else identity.user, rule) for rule in _action_rules(attributes))


def _action_rules(attributes: Attributes) -> Iterator[dict[str, Any]]:
    if not attributes.resource_request:
        yield {"nonResourceURLs": [attributes.path], "verbs": [attributes.verb]}
        return
    verbs = [attributes.verb] if attributes.verb else []
    if attributes.subresource in _STREAMS:
        verbs = ["get", "create"]
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


def _extra_rule(access: Any) -> dict[str, Any]:
    named = {
        "apiGroups": access.api_groups,
        "resources": access.resources,
        "resourceNames": access.resource_names,
        "nonResourceURLs": access.non_resource_urls,
    }
    return {"verbs": list(access.verbs), **{key: list(value) for key, value in named.items() if value}}
