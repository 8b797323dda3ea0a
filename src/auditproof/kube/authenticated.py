"""The user that an API server's authentication makes of a credential: what ``user`` of its events must say. Pure.

Sources, all in staging/src/k8s.io/apiserver unless said otherwise: pkg/authentication/request/x509/x509.go,
pkg/authentication/serviceaccount/util.go, pkg/authentication/group/authenticated_group_adder.go,
pkg/authentication/request/headerrequest/requestheader.go, plugin/pkg/authenticator/token/oidc/oidc.go.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from auditproof.kube.identity import OIDC_EXTRA, STATIC_UID, IdentityKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditproof.kube.identity import Identity

CREDENTIAL_ID = "authentication.kubernetes.io/credential-id"
_PREFIX = "authentication.kubernetes.io/"


@dataclass(frozen=True, slots=True)
class AuthenticatedUser:
    """A user as an event has it; all empty after a failed authentication. ``groups`` are in the server's order."""

    name: str = ""
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()


NOBODY = AuthenticatedUser()


def authenticated(identity: Identity, *, fingerprint: str = "", token: str = "") -> AuthenticatedUser:
    """The user that the server makes of ``identity``.

    ``fingerprint`` is the SHA-256 of its client certificate (DER) in hexadecimal digits, ``token`` the bearer token,
    whichever it shows. Raises ValueError where the token of a service account is none.
    """
    info = identity.user_info()
    if info is None:
        return NOBODY
    uid, extra = identity.uid, dict[str, tuple[str, ...]]()
    if identity.kind is IdentityKind.X509:
        extra[CREDENTIAL_ID] = (f"X509SHA256={fingerprint}",)
    elif identity.kind is IdentityKind.SERVICE_ACCOUNT:
        uid, extra = _service_account(token_claims(token))
    elif identity.kind is IdentityKind.LEGACY_TOKEN:
        uid = str(token_claims(token)["kubernetes.io/serviceaccount/service-account.uid"])
    elif identity.kind is IdentityKind.STATIC_TOKEN:
        uid = STATIC_UID
    elif identity.kind is IdentityKind.FRONT_PROXY:
        uid = ""  # --requestheader-uid-headers is not set
        for key, value in identity.extra:
            # The server lower-cases the keys (headerrequest/requestheader.go), so two spellings are one key.
            extra[key.lower()] = (*extra.get(key.lower(), ()), value)
    elif identity.kind is IdentityKind.OIDC:
        extra = {OIDC_EXTRA: tuple(value for _, value in identity.extra)} if identity.extra else {}
        extra[CREDENTIAL_ID] = (f"JTI={token_claims(token)['jti']}",)
    return AuthenticatedUser(info.name, info.groups, uid, tuple(sorted(extra.items())))


def token_claims(token: str) -> Mapping[str, Any]:
    """The claims of a JSON Web Token, unverified: it is one of our own. Raises ValueError where it is none."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError, binascii.Error):
        raise ValueError("the token of a service account is not a JSON Web Token") from None
    if not isinstance(claims, dict):
        raise ValueError("the claims of a token are not an object")
    return claims


def _service_account(claims: Mapping[str, Any]) -> tuple[str, dict[str, tuple[str, ...]]]:
    """Uid and extra of a token from TokenRequest (pkg/authentication/serviceaccount/util.go, ServiceAccountInfo)."""
    private = claims["kubernetes.io"]
    extra: dict[str, tuple[str, ...]] = {}
    if claims.get("jti"):
        extra[CREDENTIAL_ID] = (f"JTI={claims['jti']}",)
    for bound in ("pod", "node"):
        if bound in private:
            extra[f"{_PREFIX}{bound}-name"] = (private[bound]["name"],)
            extra[f"{_PREFIX}{bound}-uid"] = (private[bound]["uid"],)
    return str(private["serviceaccount"]["uid"]), extra
