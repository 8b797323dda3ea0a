"""How each identity shows who it is on one cluster: certificates, tokens and headers, made when first needed."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from auditproof.client.credential import Credential
from auditproof.clusters.existing.csr import issue
from auditproof.clusters.pki import jwt as oidc
from auditproof.clusters.pki import x509 as pki
from auditproof.kube.authenticated import AuthenticatedUser, authenticated
from auditproof.kube.identity import (
    BOOTSTRAP_GROUP,
    BOOTSTRAP_ID,
    FRONT_PROXY,
    OIDC_AUDIENCE,
    OIDC_KINDS,
    OIDC_PREFIX,
    IdentityKind,
)
from auditproof.wait import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from auditproof.clusters.cluster import Cluster
    from auditproof.clusters.pki.x509 import KeyPair
    from auditproof.kube.identity import Identity
    from auditproof.setup.admin import AdminClient
    from auditproof.setup.objects import Objects

UNKNOWN_TOKEN = "a-token-that-no-authenticator-knows"  # noqa: S105 - that it is none is the point
TOKEN_TIMEOUT_S = 15.0  # an API server that has not found its issuer looks for it again after ten seconds
TOKEN_LIFETIME_S = 3600


class Credentials:
    """The credentials of the identities on one cluster; ``folder`` is private and takes their files."""

    def __init__(self, cluster: Cluster, admin: AdminClient, objects: Objects, folder: Path) -> None:
        self._cluster = cluster
        self._admin = admin
        self._objects = objects
        self._folder = folder
        self._pairs: dict[str, tuple[Path, Path]] = {}
        self._made: dict[Identity, Credential] = {}
        self._users: dict[Identity, AuthenticatedUser] = {}

    def of(self, identity: Identity) -> Credential:
        """The credential of ``identity``, made at the first call.

        Raises WireError where the server does not issue a token, TimedOut where it does not come to know one.
        """
        if identity not in self._made:
            self._made[identity] = self._make(identity)
        return self._made[identity]

    def user(self, identity: Identity) -> AuthenticatedUser:
        """The user that the server makes of the credential of ``identity``. Raises as ``of``."""
        if identity not in self._users:
            credential = self.of(identity)
            fingerprint = pki.fingerprint(credential.cert) if credential.cert else ""
            self._users[identity] = authenticated(identity, fingerprint=fingerprint, token=credential.token or "")
        return self._users[identity]

    def _make(self, identity: Identity) -> Credential:
        headers = _impersonation_headers(identity)
        if identity.kind is IdentityKind.FRONT_PROXY:
            files = self._cluster.authorities.front_proxy
            assert files is not None, "a cluster that is capable of a front proxy has its authority"
            authority = pki.Authority.load(files.certificate, files.key)
            cert, key = self._written(FRONT_PROXY, lambda: authority.client(FRONT_PROXY))
            groups = tuple(("X-Remote-Group", group) for group in identity.groups)
            extra = tuple((f"X-Remote-Extra-{quote(key, safe='')}", value) for key, value in identity.extra)
            return Credential(cert, key, headers=(("X-Remote-User", identity.user), *groups, *extra, *headers))
        if identity.kind in _CERTIFICATES:
            # By what the certificate says: identities that differ only in what they impersonate share it.
            identifying = (identity.kind, identity.user, identity.groups, identity.uid)
            name = hashlib.sha256(repr(identifying).encode()).hexdigest()[:16]
            cert, key = self._written(name, lambda: self._issued_pair(identity, name))
            return Credential(cert, key, headers=headers)
        if identity.kind is IdentityKind.ANONYMOUS:
            return Credential(headers=headers)
        return Credential(token=self._token(identity), headers=headers)

    def _written(self, name: str, make: Callable[[], KeyPair]) -> tuple[Path, Path]:
        """The files of a pair, made once: identities with the same certificate share them.

        If they were written again, a connection that is opened again would show another certificate than before.
        """
        if name not in self._pairs:
            self._pairs[name] = make().write(self._folder, name)
        return self._pairs[name]

    def _issued_pair(self, identity: Identity, name: str) -> KeyPair:
        if identity.kind is IdentityKind.X509 and self._cluster.authorities.client is None:
            one = f"{name}-{secrets.token_hex(4)}"  # several processes of a run may ask for the same
            run = self._cluster.shared_run_id
            assert run is not None, "a cluster of the run's own has its authority"
            return issue(self._cluster.probe(), run, one, identity.user, identity.groups, identity.uid)
        if identity.kind is IdentityKind.UNTRUSTED_CERTIFICATE:
            authority = pki.Authority.create("somebody-else")
        else:
            files = self._cluster.authorities.client
            assert files is not None, "a cluster that signs certificates has its authority"
            authority = pki.Authority.load(files.certificate, files.key)
        expired = identity.kind is IdentityKind.EXPIRED_CERTIFICATE
        return authority.client(identity.user, identity.groups, uid=identity.uid, expired=expired)

    def _token(self, identity: Identity) -> str:
        if identity.kind is IdentityKind.SERVICE_ACCOUNT:
            return self._service_account_token(identity)
        if identity.kind is IdentityKind.LEGACY_TOKEN:
            return self._legacy_token(identity)
        if identity.kind in OIDC_KINDS:
            return self._issued_token(identity)
        if identity.kind is IdentityKind.BOOTSTRAP_TOKEN:
            return self._bootstrap_token()
        if identity.kind is IdentityKind.STATIC_TOKEN:
            token = self._cluster.authorities.static_token
            assert token is not None, "a cluster that is capable of static tokens has one"
            return token
        return UNKNOWN_TOKEN

    def _service_account(self, identity: Identity) -> tuple[str, str]:
        """Namespace and name of a service account, which is there now."""
        _, _, namespace, name = identity.user.split(":")
        self._objects.ensure_namespace(namespace)
        metadata = {"name": name, "namespace": namespace}
        self._objects.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
        return namespace, name

    def _service_account_token(self, identity: Identity) -> str:
        namespace, name = self._service_account(identity)
        spec: dict[str, Any] = {}
        # TokenRequest looks up the object that a token is bound to, and takes its uid into the claims.
        if identity.pod:
            spec = {"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": identity.pod}}
            metadata = {"name": identity.pod, "namespace": namespace}
            containers = [{"name": "main", "image": "registry.invalid/none:1"}]
            pod = {"serviceAccountName": name, "containers": containers}
            self._objects.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod})
        if identity.node:
            spec = {"boundObjectRef": {"apiVersion": "v1", "kind": "Node", "name": identity.node}}
            self._objects.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": identity.node}})
        uri = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        return str(self._admin.post(uri, request).json()["status"]["token"])

    def _legacy_token(self, identity: Identity) -> str:
        """A token out of a Secret, as the token controller would write it (pkg/serviceaccount/legacy.go)."""
        namespace, name = self._service_account(identity)
        key = self._cluster.authorities.service_account_key
        assert key is not None, "a cluster that is capable of legacy tokens has the key that signs them"
        account = self._admin.send("GET", f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}").json()
        claims = {
            "iss": "kubernetes/serviceaccount",
            "sub": identity.user,
            "kubernetes.io/serviceaccount/namespace": namespace,
            "kubernetes.io/serviceaccount/secret.name": f"{name}-token",
            "kubernetes.io/serviceaccount/service-account.name": name,
            "kubernetes.io/serviceaccount/service-account.uid": account["metadata"]["uid"],
        }
        token = oidc.sign(claims, key.read_bytes())
        notes = {
            "kubernetes.io/service-account.name": name,
            "kubernetes.io/service-account.uid": account["metadata"]["uid"],
        }
        metadata = {"name": f"{name}-token", "namespace": namespace, "annotations": notes}
        kind = "kubernetes.io/service-account-token"
        self._objects.create(
            {"apiVersion": "v1", "kind": "Secret", "type": kind, "metadata": metadata, "stringData": {"token": token}}
        )
        stored = self._admin.send("GET", f"/api/v1/namespaces/{namespace}/secrets/{name}-token").json()
        return base64.b64decode(stored["data"]["token"]).decode()  # another process of the run may have been first

    def _issued_token(self, identity: Identity) -> str:
        """A token of the local issuer; one that is good is waited for until the server knows the issuer's keys."""
        key = self._cluster.authorities.issuer_key
        assert key is not None, "a cluster that is capable of OpenID Connect has the issuer's key"
        expired, foreign = identity.kind is IdentityKind.OIDC_EXPIRED, identity.kind is IdentityKind.OIDC_FOREIGN
        now = int(time.time())
        claims = {
            "iss": self._cluster.stand_in_url,
            "aud": "somebody-else" if foreign else OIDC_AUDIENCE,
            "sub": identity.user.removeprefix(OIDC_PREFIX),
            "groups": [group.removeprefix(OIDC_PREFIX) for group in identity.groups],
            "jti": str(uuid.uuid4()),
            # Before the expiry of a token that has expired, too.
            "iat": now - 2 * TOKEN_LIFETIME_S,
            "exp": now + TOKEN_LIFETIME_S * (-1 if expired else 1),
            **({"uid": identity.uid} if identity.uid else {}),
            **({"team": [value for _, value in identity.extra]} if identity.extra else {}),
        }
        token = oidc.sign(claims, key.read_bytes())
        # The server fetches the issuer's keys in the background; only a valid token shows that it has them.
        if identity.kind is IdentityKind.OIDC:
            wait_until(lambda: self._knows(token), what="the issuer to be known", timeout_s=TOKEN_TIMEOUT_S)
        return token

    def _bootstrap_token(self) -> str:
        """A token by which a node may join; every process of a run computes the same one."""
        files = self._cluster.authorities.client
        assert files is not None, "a cluster that is capable of bootstrap tokens has its authority"
        secret = hashlib.sha256(files.key.read_bytes()).hexdigest()[:16]
        # The keys are those of staging/src/k8s.io/cluster-bootstrap/token/api/types.go.
        data = {
            "token-id": BOOTSTRAP_ID,
            "token-secret": secret,
            "usage-bootstrap-authentication": "true",
            "auth-extra-groups": BOOTSTRAP_GROUP,
        }
        metadata = {"name": f"bootstrap-token-{BOOTSTRAP_ID}", "namespace": "kube-system"}
        kind = "bootstrap.kubernetes.io/token"
        self._objects.create(
            {"apiVersion": "v1", "kind": "Secret", "type": kind, "metadata": metadata, "stringData": data}
        )
        token = f"{BOOTSTRAP_ID}.{secret}"
        wait_until(lambda: self._knows(token), what="the bootstrap token to be known", timeout_s=TOKEN_TIMEOUT_S)
        return token

    def _knows(self, token: str) -> bool | None:
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
        answer = self._admin.post("/apis/authentication.k8s.io/v1/tokenreviews", review).json()
        return True if answer["status"].get("authenticated") else None


_CERTIFICATES = (IdentityKind.X509, IdentityKind.EXPIRED_CERTIFICATE, IdentityKind.UNTRUSTED_CERTIFICATE)


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
