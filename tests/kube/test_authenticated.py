"""Who the server takes a credential for: what an event must say of its user, beside name and groups."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from auditproof.kube.authenticated import CREDENTIAL_ID, NOBODY, AuthenticatedUser, authenticated
from auditproof.kube.identity import Identity, IdentityKind


def token(**claims: Any) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{payload}.signature"


BOUND = {"serviceaccount": {"uid": "u1"}, "pod": {"name": "web", "uid": "u2"}, "node": {"name": "n1", "uid": "u3"}}


def test_a_certificate_is_told_by_its_fingerprint() -> None:
    """The server adds the credential's id to extra, which an event of an X.509 user must show."""
    who = replace(Identity.x509("alice", "dev"), uid="7")

    assert authenticated(who, fingerprint="ab12") == AuthenticatedUser(
        "alice", ("dev", "system:authenticated"), "7", ((CREDENTIAL_ID, ("X509SHA256=ab12",)),)
    )


def test_a_token_of_a_service_account_says_what_it_is_bound_to() -> None:
    user = authenticated(Identity.service_account("shop", "web"), token=token(jti="j1", **{"kubernetes.io": BOUND}))

    assert (user.name, user.uid) == ("system:serviceaccount:shop:web", "u1")
    assert dict(user.extra) == {
        CREDENTIAL_ID: ("JTI=j1",),
        "authentication.kubernetes.io/pod-name": ("web",),
        "authentication.kubernetes.io/pod-uid": ("u2",),
        "authentication.kubernetes.io/node-name": ("n1",),
        "authentication.kubernetes.io/node-uid": ("u3",),
    }


def test_who_failed_to_log_in_is_nobody() -> None:
    """A failed authentication has no user, and no group."""
    assert authenticated(Identity.bad_token(), token="x") == NOBODY


def test_a_proxy_names_extra_keys_in_lower_case() -> None:
    """Header names have no case, so two spellings of a key are one key with both values."""
    who = Identity(IdentityKind.FRONT_PROXY, "carol", extra=(("Team", "a"), ("team", "b")))

    assert authenticated(who).extra == (("team", ("a", "b")),)


@pytest.mark.parametrize("text", ["", "no-token", "a.%%%.b", "e30.W10.x"])
def test_what_is_no_token_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="token"):
        authenticated(Identity.service_account("shop", "web"), token=text)
