"""Tokens as an identity provider issues them, and service accounts' from before TokenRequest: JSON Web Tokens, ES256.

Source: RFC 7515 (signature), 7517 (keys), 7518 (ES256), 7519 (claims). By hand: PyJWT would replace a dozen of these
lines, since the key IDs are Kubernetes' own, at the price of a dependency; the signature itself is cryptography's.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

if TYPE_CHECKING:
    from collections.abc import Mapping

COORDINATE_BYTES = 32  # of P-256


def sign(claims: Mapping[str, Any], private: bytes) -> str:
    """A signed token with ``claims``; ``private`` is an elliptic-curve key (P-256) in PEM.

    Raises ValueError where it is none.
    """
    key = serialization.load_pem_private_key(private, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError(f"expected an elliptic-curve key, found {type(key).__name__}")
    head = {"alg": "ES256", "typ": "JWT", "kid": _key_id(key.public_key())}
    signed = f"{_text(json.dumps(head).encode())}.{_text(json.dumps(claims).encode())}"
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{signed}.{_text(_number(r) + _number(s))}"


def key_set(public: bytes) -> dict[str, Any]:
    """The JWKS of an issuer with one key, given in PEM. Raises ValueError where it is no elliptic-curve key."""
    key = serialization.load_pem_public_key(public)
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise ValueError(f"expected an elliptic-curve key, found {type(key).__name__}")
    point = key.public_numbers()
    coordinates = {"x": _text(_number(point.x)), "y": _text(_number(point.y))}
    return {"keys": [{"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": _key_id(key), **coordinates}]}


def _key_id(key: ec.EllipticCurvePublicKey) -> str:
    """As kube-apiserver names its own keys (pkg/serviceaccount/jwt.go, keyIDFromPublicKey)."""
    encoded = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return _text(hashlib.sha256(encoded).digest())


def _number(value: int) -> bytes:
    return value.to_bytes(COORDINATE_BYTES, "big")


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
