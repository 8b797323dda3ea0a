"""Who acts. An Identity is a description; credentials for it on a cluster are made in ``credentials``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from auditproof.kube.attributes import UserInfo
from auditproof.kube.capability import Capability

ANONYMOUS = "system:anonymous"
MASTERS = "system:masters"
AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"


class IdentityKind(StrEnum):
    """How an identity proves who it is."""

    X509 = "x509"
    SERVICE_ACCOUNT = "serviceAccount"
    ANONYMOUS = "anonymous"
    BAD_TOKEN = "badToken"  # noqa: S105 - the name of a kind, not a token
    EXPIRED_CERTIFICATE = "expiredCertificate"
    UNTRUSTED_CERTIFICATE = "untrustedCertificate"
    STATIC_TOKEN = "staticToken"  # noqa: S105 - a kind
    BOOTSTRAP_TOKEN = "bootstrapToken"  # noqa: S105 - a kind
    FRONT_PROXY = "frontProxy"
    LEGACY_TOKEN = "legacyToken"  # noqa: S105 - a kind
    OIDC = "oidc"
    OIDC_EXPIRED = "oidcExpired"
    OIDC_FOREIGN = "oidcForeign"


UNAUTHENTICATED_KINDS = frozenset(
    {
        IdentityKind.BAD_TOKEN,
        IdentityKind.EXPIRED_CERTIFICATE,
        IdentityKind.UNTRUSTED_CERTIFICATE,
        IdentityKind.OIDC_EXPIRED,
        IdentityKind.OIDC_FOREIGN,
    }
)
SERVICE_ACCOUNT_KINDS = frozenset({IdentityKind.SERVICE_ACCOUNT, IdentityKind.LEGACY_TOKEN})
OIDC_KINDS = frozenset({IdentityKind.OIDC, IdentityKind.OIDC_EXPIRED, IdentityKind.OIDC_FOREIGN})
# What the API server puts before the names of the local issuer, the audience that it is, and the extra that it knows.
OIDC_PREFIX, OIDC_AUDIENCE, OIDC_EXTRA = "oidc:", "auditproof", "example.com/team"
STATIC_USER, STATIC_GROUP, STATIC_UID = "auditproof-static", "static-users", "auditproof-static-uid"
FRONT_PROXY = "auditproof-front-proxy"  # the common name of the proxy's certificate
BOOTSTRAP_ID, BOOTSTRAP_GROUP = "audpro", "system:bootstrappers:auditproof"
_NEEDS = {
    IdentityKind.X509: Capability.MINTS_X509,
    IdentityKind.EXPIRED_CERTIFICATE: Capability.SIGNS_CERTIFICATES,
    IdentityKind.STATIC_TOKEN: Capability.STATIC_TOKENS,
    IdentityKind.BOOTSTRAP_TOKEN: Capability.BOOTSTRAP_TOKENS,
    IdentityKind.FRONT_PROXY: Capability.FRONT_PROXY,
    IdentityKind.LEGACY_TOKEN: Capability.LEGACY_TOKENS,
    **dict.fromkeys(OIDC_KINDS, Capability.OIDC),
}


@dataclass(frozen=True, slots=True)
class Impersonation:
    """The user that an identity asks to be taken for; the audit policy never sees it."""

    user: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class AccessRule:
    """A right in addition to those that an identity's own actions need (rbac.authorization.k8s.io/v1 PolicyRule)."""

    verbs: tuple[str, ...]
    api_groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()
    non_resource_urls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Identity:
    """Who acts.

    ``user`` and ``groups`` are those of the credential: for a service account ``user`` is
    ``system:serviceaccount:<namespace>:<name>``, and ``pod`` or ``node`` is what its token is bound to, if anything.
    Names of the local issuer begin with OIDC_PREFIX. ``uid`` and ``extra`` are what certificate, issuer or proxy says
    in addition to the name.
    ``without_rights`` means that no RBAC rights are granted, so that its requests are forbidden (403); otherwise it
    gets the rights its own actions need, and ``access``.

    >>> from auditproof import Identity
    >>> Identity.service_account("shop", "web").user_info().groups
    ('system:serviceaccounts', 'system:serviceaccounts:shop', 'system:authenticated')
    """

    kind: IdentityKind
    user: str = ""
    groups: tuple[str, ...] = ()
    impersonates: Impersonation | None = None
    without_rights: bool = False
    access: tuple[AccessRule, ...] = ()
    pod: str = ""
    node: str = ""
    uid: str = ""
    extra: tuple[tuple[str, str], ...] = ()

    @property
    def needs(self) -> frozenset[Capability]:
        """What a cluster must be capable of, so that cases can act as this identity."""
        return frozenset({_NEEDS[self.kind]}) if self.kind in _NEEDS else frozenset()

    @staticmethod
    def named(name: str) -> Identity:
        """One of the identities that need no declaration, such as ``alice``, ``admin`` or ``robot`` (docs/cases.md).

        Raises Misuse, with the names that there are.

        >>> from auditproof import Identity
        >>> str(Identity.named("deputy"))
        'deputy impersonating bob'
        """
        from auditproof.kube.ready_made import ready_made

        return ready_made(name)

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
        if self.kind in UNAUTHENTICATED_KINDS:
            return None
        if self.kind is IdentityKind.ANONYMOUS:
            return UserInfo(ANONYMOUS, (UNAUTHENTICATED,))
        if self.kind in SERVICE_ACCOUNT_KINDS:
            namespace = self.user.split(":")[2]
            return UserInfo(self.user, ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED))
        if self.kind is IdentityKind.STATIC_TOKEN:
            return UserInfo(STATIC_USER, (STATIC_GROUP, AUTHENTICATED))
        if self.kind is IdentityKind.BOOTSTRAP_TOKEN:
            return UserInfo(self.user, ("system:bootstrappers", BOOTSTRAP_GROUP, AUTHENTICATED))
        # The adder leaves a user as it is who is anonymous, or in one of the two groups already.
        known = self.user == ANONYMOUS or {AUTHENTICATED, UNAUTHENTICATED} & set(self.groups)
        added = () if known else (AUTHENTICATED,)
        return UserInfo(self.user, self.groups + added)

    def __str__(self) -> str:
        """One readable name, e.g. ``alice (groups: dev, ops) as bob``."""
        info = self.user_info()
        name = f"nobody ({self.kind})" if info is None else info.name
        text = f"{name} (groups: {', '.join(self.groups)})" if self.groups else name
        return f"{text} impersonating {self.impersonates.user}" if self.impersonates else text
