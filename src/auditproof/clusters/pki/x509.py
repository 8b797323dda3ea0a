"""Keys and certificates of a run: one authority, server certificates for loopback, client certificates for identities.

Everything is written with mode 0600 and lives as long as the run directory. Cases need users with groups (O) and UIDs,
expired certificates and such without alternative names, which trustme does not make; the signatures are cryptography's.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LIFETIME = datetime.timedelta(days=7)
CLOCK_SKEW = datetime.timedelta(minutes=5)
USER_UID = x509.ObjectIdentifier("1.3.6.1.4.1.57683.2")  # k8s.io/component-helpers apimachinery/asn1, X509UID
_ENCODING = serialization.Encoding.PEM


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate with its private key, both PEM."""

    certificate: bytes
    key: bytes

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Write ``<name>.crt`` and ``<name>.key`` (0600) into ``folder``; return both paths."""
        certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
        write_private(certificate, self.certificate)
        write_private(key, self.key)
        return certificate, key


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

    @staticmethod
    def create(name: str) -> Authority:
        """A new self-signed authority with common name ``name``."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([_common_name(name)])
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        builder = _builder(subject, subject, key).add_extension(usage, critical=True)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        return Authority(builder.sign(key, hashes.SHA256()), key)

    @staticmethod
    def load(certificate: Path, key: Path) -> Authority:
        """An authority out of two PEM files.

        Raises ValueError where they do not hold a certificate and an elliptic-curve or RSA key.
        """
        loaded = serialization.load_pem_private_key(key.read_bytes(), None)
        if not isinstance(loaded, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
            raise ValueError(f"{key}: expected an elliptic-curve or RSA key, found {type(loaded).__name__}")
        return Authority(x509.load_pem_x509_certificate(certificate.read_bytes()), loaded)

    def pair(self) -> KeyPair:
        """The authority itself, as PEM."""
        return KeyPair(self.certificate.public_bytes(_ENCODING), _key_pem(self.key))

    def server(self, common_name: str, *more: str) -> KeyPair:
        """A server certificate for localhost, 127.0.0.1, ::1 and ``more`` IP addresses."""
        addresses = [ipaddress.ip_address(address) for address in ("127.0.0.1", "::1", *more)]
        names = [x509.DNSName("localhost"), *(x509.IPAddress(address) for address in addresses)]
        subject = x509.Name([_common_name(common_name)])
        return self._issue(subject, ExtendedKeyUsageOID.SERVER_AUTH, x509.SubjectAlternativeName(names))

    def client(self, user: str, groups: Sequence[str] = (), *, uid: str = "", expired: bool = False) -> KeyPair:
        """A client certificate: the API server takes the common name for the user and each organization for a group.

        ``expired``: it has been invalid for a minute.

        Source: CommonNameUserConversion in staging/src/k8s.io/apiserver/pkg/authentication/request/x509/x509.go.
        """
        organizations = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
        uids = [x509.NameAttribute(USER_UID, uid)] if uid else []
        subject = x509.Name([*organizations, *uids, _common_name(user)])
        return self._issue(subject, ExtendedKeyUsageOID.CLIENT_AUTH, end=-CLOCK_SKEW if expired else LIFETIME)

    def nameless(self, common_name: str) -> KeyPair:
        """A server certificate as they were once made: only the common name says whose it is."""
        return self._issue(x509.Name([_common_name(common_name)]), ExtendedKeyUsageOID.SERVER_AUTH)

    def _issue(
        self,
        subject: x509.Name,
        usage: x509.ObjectIdentifier,
        names: x509.SubjectAlternativeName | None = None,
        end: datetime.timedelta = LIFETIME,
    ) -> KeyPair:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(subject, self.certificate.subject, key, end)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        builder = builder.add_extension(issuer, critical=False)  # Python 3.13 trusts no certificate without it
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if names is not None:
            builder = builder.add_extension(names, critical=False)
        certificate = builder.sign(self.key, hashes.SHA256())
        return KeyPair(certificate.public_bytes(_ENCODING), _key_pem(key))


def certificate_request(user: str, groups: Sequence[str] = (), uid: str = "") -> tuple[bytes, bytes]:
    """A certificate signing request (PEM) for a client, and its private key (PEM)."""
    key = ec.generate_private_key(ec.SECP256R1())
    organizations = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    uids = [x509.NameAttribute(USER_UID, uid)] if uid else []
    subject = x509.Name([*organizations, *uids, _common_name(user)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return request.public_bytes(_ENCODING), _key_pem(key)


def fingerprint(certificate: Path) -> str:
    """The SHA-256 of the first certificate of a PEM file (of its DER form), in hexadecimal digits."""
    return x509.load_pem_x509_certificate(certificate.read_bytes()).fingerprint(hashes.SHA256()).hex()


def signing_key() -> tuple[bytes, bytes]:
    """A private key and its public key (PEM), for service account tokens."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(_ENCODING, serialization.PublicFormat.SubjectPublicKeyInfo)
    return _key_pem(key), public


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner may read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o600)  # the mode above is for a new file only
        file.write(data)


def write_whole(path: Path, data: bytes) -> None:
    """As write_private; a reader sees the whole file or none, even if its writer was killed."""
    made = path.with_name(f"{path.name}.new")
    write_private(made, data)
    made.replace(path)


def _common_name(name: str) -> x509.NameAttribute[str]:
    """A common name of any length: a user may have more than the 64 bytes of X.520, and Go does not ask for them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without validation the library warns
        return x509.NameAttribute(NameOID.COMMON_NAME, name, _validate=False)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, end: datetime.timedelta = LIFETIME
) -> x509.CertificateBuilder:
    # A certificate that has expired, too, must begin before it ends.
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(now, now + end) - CLOCK_SKEW)
        .not_valid_after(now + end)
    )


def _key_pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(_ENCODING, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
