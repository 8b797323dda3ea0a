"""Tokens of the local issuer: what is signed verifies by the key set, and nothing else does."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from auditproof.clusters.pki import jwt as oidc
from auditproof.clusters.pki import x509 as pki


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def verify(token: str, key: dict[str, Any]) -> None:
    """As RFC 7515 says, out of the key set alone."""
    x, y = (int.from_bytes(decoded(key[name])) for name in ("x", "y"))
    head, claims, signature = token.split(".")
    r, s = int.from_bytes(decoded(signature)[:32]), int.from_bytes(decoded(signature)[32:])
    public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    public.verify(encode_dss_signature(r, s), f"{head}.{claims}".encode(), ec.ECDSA(hashes.SHA256()))


def test_a_token_is_signed_by_the_key_that_it_names() -> None:
    """The API server chooses the key out of the set by ``kid``."""
    private, public = pki.signing_key()
    (key,) = oidc.key_set(public)["keys"]

    token = oidc.sign({"sub": "jane"}, private)

    verify(token, key)
    head, claims, _ = token.split(".")
    assert json.loads(decoded(head)) == {"alg": "ES256", "typ": "JWT", "kid": key["kid"]}
    assert json.loads(decoded(claims)) == {"sub": "jane"}


def test_a_token_of_another_issuer_is_not() -> None:
    (key,) = oidc.key_set(pki.signing_key()[1])["keys"]

    with pytest.raises(InvalidSignature):
        verify(oidc.sign({"sub": "jane"}, pki.signing_key()[0]), key)


def test_only_an_elliptic_curve_key_signs() -> None:
    with pytest.raises(ValueError, match="PEM"):
        oidc.sign({}, b"no key")
