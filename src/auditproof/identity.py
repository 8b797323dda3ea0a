"""Who acts. An Identity is a description; credentials for it on a cluster are made in ``credentials``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from auditproof.attributes import UserInfo

AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"


class IdentityKind(StrEnum):
    """How an identity proves who it is."""

    X509 = "x509"
    SERVICE_ACCOUNT = "serviceAccount"
    ANONYMOUS = "anonymous"
    BAD_TOKEN = "badToken"  # noqa: S105 - the name of a kind, not a token


@dataclass(frozen=True, slots=True)
class Impersonation:
    """The user that an identity asks to be taken for; the audit policy never sees it."""

    user: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class AccessRule:
    """A right beside those that an identity's own actions need (rbac.authorization.k8s.io/v1 PolicyRule)."""

    verbs: tuple[str, ...]
    api_groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()
    non_resource_urls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Identity:
    """Who acts.

    ``user`` and ``groups`` are those of the credential: for a service account ``user`` is
    ``system:serviceaccount:<namespace>:<name>``. ``without_rights`` means that no RBAC rights are granted, so that
    its requests are forbidden (403); otherwise it gets the rights its own actions need, and ``access``.
    """

    kind: IdentityKind
    user: str = ""
    groups: tuple[str, ...] = ()
    impersonates: Impersonation | None = None
    without_rights: bool = False
    access: tuple[AccessRule, ...] = ()

    @staticmethod
    def x509(user: str, *groups: str) -> Identity:
        """An x509 client certificate with common name ``user`` and the organizations ``groups``."""
        return Identity(IdentityKind.X509, user, groups)

    @staticmethod
    def service_account(namespace: str, name: str) -> Identity:
        """A service account, which acts with a token from TokenRequest."""
        return Identity(IdentityKind.SERVICE_ACCOUNT, f"system:serviceaccount:{namespace}:{name}")

    @staticmethod
    def anonymous() -> Identity:
        """No credential at all."""
        return Identity(IdentityKind.ANONYMOUS)

    @staticmethod
    def bad_token() -> Identity:
        """A bearer token that no authenticator accepts: every request is answered 401."""
        return Identity(IdentityKind.BAD_TOKEN)

    def user_info(self) -> UserInfo | None:
        """The user that the API server's authentication makes of this identity; None where it fails.

        Source: staging/src/k8s.io/apiserver/pkg/authentication/group/authenticated_group_adder.go and
        pkg/authentication/serviceaccount/util.go.
        """
        if self.kind is IdentityKind.BAD_TOKEN:
            return None
        if self.kind is IdentityKind.ANONYMOUS:
            return UserInfo("system:anonymous", (UNAUTHENTICATED,))
        if self.kind is IdentityKind.SERVICE_ACCOUNT:
            namespace = self.user.split(":")[2]
            return UserInfo(self.user, ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED))
        added = () if {AUTHENTICATED, UNAUTHENTICATED} & set(self.groups) else (AUTHENTICATED,)
        return UserInfo(self.user, self.groups + added)

    def __str__(self) -> str:
        """One readable name, e.g. ``alice (groups: dev, ops) as bob``."""
        info = self.user_info()
        name = "nobody (bad token)" if info is None else info.name
        text = f"{name} (groups: {', '.join(self.groups)})" if self.groups else name
        return f"{text} impersonating {self.impersonates.user}" if self.impersonates else text
