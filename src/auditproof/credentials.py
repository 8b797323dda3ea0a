"""How each identity shows who it is on one cluster: certificates, tokens and headers, made when first needed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from auditproof import pki
from auditproof.identity import BOOTSTRAP_GROUP, BOOTSTRAP_ID, FRONT_PROXY, IdentityKind
from auditproof.wait import wait_until
from auditproof.wire import Credential

if TYPE_CHECKING:
    from pathlib import Path

    from auditproof.admin import Admin
    from auditproof.clusters.base import Cluster
    from auditproof.identity import Identity

UNKNOWN_TOKEN = "a-token-that-no-authenticator-knows"  # noqa: S105 - that it is none is the point
TOKEN_TIMEOUT_S = 10.0


class Credentials:
    """The credentials of the identities on one cluster; ``folder`` is private and takes their files."""

    def __init__(self, cluster: Cluster, admin: Admin, folder: Path) -> None:
        self._cluster = cluster
        self._admin = admin
        self._folder = folder
        self._made: dict[Identity, Credential] = {}

    def of(self, identity: Identity) -> Credential:
        """The credential of ``identity``, made at the first call.

        Raises WireError where the server does not issue a token, TimedOut where it does not come to know one.
        """
        if identity not in self._made:
            self._made[identity] = self._make(identity)
        return self._made[identity]

    def _make(self, identity: Identity) -> Credential:
        headers = _impersonation_headers(identity)
        if identity.kind is IdentityKind.FRONT_PROXY:
            cert, key = self._proxy_certificate()
            return Credential(cert, key, headers=(*_proxy_headers(identity), *headers))
        if identity.kind in _CERTIFICATES:
            cert, key = self._certificate(identity)
            return Credential(cert, key, headers=headers)
        if identity.kind is IdentityKind.ANONYMOUS:
            return Credential(headers=headers)
        return Credential(token=self._token(identity), headers=headers)

    def _certificate(self, identity: Identity) -> tuple[Path, Path]:
        name = hashlib.sha256(repr((identity.kind, identity.user, identity.groups)).encode()).hexdigest()[:16]
        if identity.kind is IdentityKind.UNTRUSTED_CERTIFICATE:
            authority = pki.Authority.create("somebody-else")
        else:
            authority = pki.Authority.load(self._cluster.client_ca, self._cluster.client_ca_key)
        expired = identity.kind is IdentityKind.EXPIRED_CERTIFICATE
        return authority.client(identity.user, identity.groups, expired=expired).write(self._folder, name)

    def _proxy_certificate(self) -> tuple[Path, Path]:
        ca, key = self._cluster.front_proxy_ca, self._cluster.front_proxy_ca_key
        assert ca is not None and key is not None, "a cluster that is capable of a front proxy has its authority"
        return pki.Authority.load(ca, key).client(FRONT_PROXY).write(self._folder, FRONT_PROXY)

    def _token(self, identity: Identity) -> str:
        if identity.kind is IdentityKind.SERVICE_ACCOUNT:
            return self._service_account_token(identity)
        if identity.kind is IdentityKind.BOOTSTRAP_TOKEN:
            return self._bootstrap_token()
        return self._cluster.static_token if identity.kind is IdentityKind.STATIC_TOKEN else UNKNOWN_TOKEN

    def _service_account_token(self, identity: Identity) -> str:
        _, _, namespace, name = identity.user.split(":")
        self._admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        metadata = {"name": name, "namespace": namespace}
        self._admin.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
        spec: dict[str, Any] = {}
        if identity.pod:
            spec = {"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": identity.pod}}
            self._admin.create(_pod(namespace, identity.pod, name))
        uri = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        return str(self._admin.post(uri, request).json()["status"]["token"])

    def _bootstrap_token(self) -> str:
        """A token by which a node may join; every process of a run comes to the same one."""
        secret = hashlib.sha256(self._cluster.client_ca_key.read_bytes()).hexdigest()[:16]
        self._admin.create(_bootstrap_secret(secret))
        token = f"{BOOTSTRAP_ID}.{secret}"
        wait_until(lambda: self._knows(token), what="the bootstrap token to be known", timeout_s=TOKEN_TIMEOUT_S)
        return token

    def _knows(self, token: str) -> bool | None:
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
        answer = self._admin.post("/apis/authentication.k8s.io/v1/tokenreviews", review).json()
        return True if answer["status"].get("authenticated") else None


_CERTIFICATES = (IdentityKind.X509, IdentityKind.EXPIRED_CERTIFICATE, IdentityKind.UNTRUSTED_CERTIFICATE)


def _pod(namespace: str, name: str, service_account: str) -> dict[str, Any]:
    containers = [{"name": "main", "image": "registry.invalid/none:1"}]
    spec = {"serviceAccountName": service_account, "containers": containers}
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _bootstrap_secret(secret: str) -> dict[str, Any]:
    """Source: staging/src/k8s.io/cluster-bootstrap/token/api/types.go."""
    data = {
        "token-id": BOOTSTRAP_ID,
        "token-secret": secret,
        "usage-bootstrap-authentication": "true",
        "auth-extra-groups": BOOTSTRAP_GROUP,
    }
    metadata = {"name": f"bootstrap-token-{BOOTSTRAP_ID}", "namespace": "kube-system"}
    kind = "bootstrap.kubernetes.io/token"
    return {"apiVersion": "v1", "kind": "Secret", "type": kind, "metadata": metadata, "stringData": data}


def _proxy_headers(identity: Identity) -> tuple[tuple[str, str], ...]:
    groups = tuple(("X-Remote-Group", group) for group in identity.groups)
    return (("X-Remote-User", identity.user), *groups)


def _impersonation_headers(identity: Identity) -> tuple[tuple[str, str], ...]:
    """The headers that ask for another user (k8s.io/api authentication/v1, the Impersonate* constants)."""
    asked = identity.impersonates
    if asked is None:
        return ()
    uid = (("Impersonate-Uid", asked.uid),) if asked.uid else ()
    groups = tuple(("Impersonate-Group", group) for group in asked.groups)
    # A header's name has no slash: the server decodes percent signs (transport.ImpersonationConfig encodes them alike).
    extra = tuple((f"Impersonate-Extra-{quote(key, safe='')}", value) for key, value in asked.extra)
    return (("Impersonate-User", asked.user), *groups, *uid, *extra)
