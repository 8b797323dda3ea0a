"""What the given user may do on a shared cluster, asked of the server before anything is made there.

Source: staging/src/k8s.io/api/authorization/v1/types.go (SelfSubjectAccessReview).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from auditproof.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from auditproof.client.probe import Probe

SIGNER = "kubernetes.io/kube-apiserver-client"
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_RBAC, _CERTIFICATES, _REVIEW = "rbac.authorization.k8s.io", "certificates.k8s.io", "authorization.k8s.io"


@dataclass(frozen=True, slots=True)
class Right:
    """Something to be allowed: a verb on a resource (``resource/subresource``), or on a ``path``; and what for."""

    verb: str
    resource: str = ""
    group: str = ""
    name: str = ""
    path: str = ""
    why: str = ""

    def spec(self) -> dict[str, Any]:
        """As a SelfSubjectAccessReview asks for it."""
        if self.path:
            return {"nonResourceAttributes": {"path": self.path, "verb": self.verb}}
        resource, _, subresource = self.resource.partition("/")
        asked = {"group": self.group, "resource": resource, "subresource": subresource, "name": self.name}
        return {"resourceAttributes": {"verb": self.verb, **{key: value for key, value in asked.items() if value}}}

    def __str__(self) -> str:
        full = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{self.verb} {self.path or full}{f' {self.name}' if self.name else ''}: {self.why}"


def _some(verbs: str, group: str, resource: str, why: str) -> Iterator[Right]:
    return (Right(verb, resource, group, why=why) for verb in verbs.split())


NEEDED = (
    *_some("create get delete", "", "namespaces", "to act in namespaces of its own, and remove them"),
    *_some("create get list delete", "", "serviceaccounts", "to act as service accounts"),
    *_some("create", "", "serviceaccounts/token", "to act as service accounts"),
    *_some("create list delete escalate bind", _RBAC, "clusterroles", "to give its identities rights"),
    *_some("create list delete", _RBAC, "rolebindings", "to give its identities rights in its own namespaces"),
    *_some("create", _REVIEW, "subjectaccessreviews", "to see that the rights are in force"),
    *_some("create", "", "configmaps", "to make what the actions are about"),
    *_some("create", "", "secrets", "to make what the actions are about"),
    *_some("create", "", "pods", "to make what the actions are about"),
)
ON_CLUSTER = tuple(_some("create list delete", _RBAC, "clusterrolebindings", "to give rights on the whole cluster"))
FOR_CERTIFICATES = (
    *_some("create get list delete", _CERTIFICATES, "certificatesigningrequests", "to act as x509 users"),
    *_some("update", _CERTIFICATES, "certificatesigningrequests/approval", "to act as x509 users"),
    Right("approve", "signers", _CERTIFICATES, SIGNER, why="to act as x509 users"),
)
METRICS = Right("get", path="/metrics", why="to see that no audit event was lost")


def who_am_i(probe: Probe) -> str:
    """The name of the user as which the server knows us; empty where it does not say (before Kubernetes 1.28)."""
    answer = probe.request("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", _SELF)
    return str(answer.json().get("status", {}).get("userInfo", {}).get("username", ""))


_SELF = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}


def missing_rights(probe: Probe, rights: Iterable[Right]) -> list[Right]:
    """Those of ``rights`` that the user does not have.

    Raises ClusterError where the server does not answer, or not even that.
    """
    # For an administrator, two requests instead of one for each right.
    if _allowed(probe, Right("*", "*", "*")) and _allowed(probe, Right("*", path="*")):
        return []
    return [right for right in rights if not _allowed(probe, right)]


def _allowed(probe: Probe, right: Right) -> bool:
    review = {"apiVersion": f"{_REVIEW}/v1", "kind": "SelfSubjectAccessReview", "spec": right.spec()}
    answer = probe.request("POST", _REVIEWS, review)
    if answer.status == 401:
        raise ClusterError(f"{probe.url} does not know the user of the kubeconfig: {answer.message}")
    if answer.status not in (200, 201):
        raise ClusterError(
            f"{probe.url} does not say what the user of the kubeconfig may do: POST {_REVIEWS} was answered "
            f"{answer.status}: {answer.message}"
        )
    return bool(answer.json().get("status", {}).get("allowed"))
