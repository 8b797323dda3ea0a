"""Keys and certificates: what a strict client and the API server ask of them."""

from __future__ import annotations

import ssl
import stat
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from auditproof.clusters.pki import x509 as pki

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def authority() -> pki.Authority:
    return pki.Authority.create("auditproof")


def read(pair: pki.KeyPair) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pair.certificate)


def values(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> list[str | bytes]:
    return [attribute.value for attribute in certificate.subject.get_attributes_for_oid(oid)]


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> ssl.SSLObject:
    """Shake hands in memory; answers the server's side."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for end in ends * 3:
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return ends[1]


def contexts(folder: Path, authority: pki.Authority, user: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Server and client as strict as Python 3.13 makes them by default."""
    ca, _ = authority.pair().write(folder, "ca")
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=ca)
    client = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=ca)
    server.load_cert_chain(*authority.server("kube-apiserver").write(folder, "server"))
    client.load_cert_chain(*authority.client(user, ["developers"]).write(folder, "client"))
    server.verify_mode = ssl.CERT_REQUIRED
    for context in (server, client):
        context.verify_flags |= ssl.VERIFY_X509_STRICT
    return server, client


@pytest.mark.parametrize("name", ["127.0.0.1", "::1", "localhost"])
def test_both_ends_verify_each_other_strictly(authority: pki.Authority, tmp_path: Path, name: str) -> None:
    """Python's VERIFY_X509_STRICT refuses certificates that Go would accept."""
    server, client = contexts(tmp_path, authority, "alice")

    seen = handshake(server, client, name).getpeercert()

    assert seen is not None
    assert seen["subject"] == ((("organizationName", "developers"),), (("commonName", "alice"),))


def test_a_server_of_another_name_is_not_trusted(authority: pki.Authority, tmp_path: Path) -> None:
    server, client = contexts(tmp_path, authority, "alice")

    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(server, client, "kubernetes.example")


def test_a_certificate_of_another_authority_is_not_trusted(authority: pki.Authority, tmp_path: Path) -> None:
    """The other authority has the same name, so only its key tells them apart."""
    server, _ = contexts(tmp_path, authority, "alice")
    _, client = contexts(tmp_path, pki.Authority.create("auditproof"), "alice")

    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(server, client, "127.0.0.1")


def test_user_and_groups_are_common_name_and_organizations(authority: pki.Authority) -> None:
    """The API server takes user and groups from there; an event shows the groups in this order."""
    certificate = read(authority.client("system:serviceaccount:shop:cart", ["dev", "system:masters", "ops"]))

    assert values(certificate, NameOID.COMMON_NAME) == ["system:serviceaccount:shop:cart"]
    assert values(certificate, NameOID.ORGANIZATION_NAME) == ["dev", "system:masters", "ops"]


@pytest.mark.parametrize("user", ["a" * 200, "système:ü" * 20, "alice=admin,O=system:masters", 'a"b/c d'])
def test_a_user_may_be_called_anything(authority: pki.Authority, tmp_path: Path, user: str) -> None:
    """A Kubernetes user name is any text; the 64 bytes of X.520 are not asked for by Go's crypto/x509."""
    server, client = contexts(tmp_path, authority, user)

    seen = handshake(server, client, "127.0.0.1").getpeercert()

    assert seen is not None
    assert seen["subject"] == ((("organizationName", "developers"),), (("commonName", user),))


def test_a_certificate_is_of_use_for_one_end_only(authority: pki.Authority) -> None:
    """A client's certificate must not serve as a server's."""
    usages = [
        list(read(pair).extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
        for pair in (authority.server("kube-apiserver"), authority.client("alice"))
    ]

    assert usages == [[ExtendedKeyUsageOID.SERVER_AUTH], [ExtendedKeyUsageOID.CLIENT_AUTH]]


def test_a_server_is_named_by_loopback_and_nothing_else(authority: pki.Authority) -> None:
    names = read(authority.server("kube-apiserver")).extensions.get_extension_for_class(x509.SubjectAlternativeName)

    assert names.value.get_values_for_type(x509.DNSName) == ["localhost"]
    assert names.value.get_values_for_type(x509.IPAddress) == [ip_address("127.0.0.1"), ip_address("::1")]


def test_only_the_authority_may_sign(authority: pki.Authority) -> None:
    client = read(authority.client("alice"))
    constraints = authority.certificate.extensions.get_extension_for_class(x509.BasicConstraints)

    assert (constraints.critical, constraints.value) == (True, x509.BasicConstraints(ca=True, path_length=0))
    assert not client.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    client.verify_directly_issued_by(authority.certificate)


def test_a_certificate_is_valid_now_and_not_for_long(authority: pki.Authority) -> None:
    """It begins minutes ago, for a clock that is behind, and outlives no forgotten run for long."""
    now = datetime.now(UTC)

    for certificate in (authority.certificate, read(authority.client("alice"))):
        assert timedelta(minutes=4) < now - certificate.not_valid_before_utc < timedelta(minutes=10)
        assert timedelta(days=6) < certificate.not_valid_after_utc - now <= timedelta(days=7)


def test_no_two_certificates_share_key_or_number(authority: pki.Authority) -> None:
    pairs = [authority.client("alice") for _ in range(3)]

    assert len({pair.key for pair in pairs}) == len({read(pair).serial_number for pair in pairs}) == 3


def test_a_key_belongs_to_its_certificate(authority: pki.Authority) -> None:
    pair = authority.client("alice")

    assert load_pem_private_key(pair.key, None).public_key() == read(pair).public_key()


def test_files_are_for_their_owner_alone_also_where_they_were_there_before(
    authority: pki.Authority, tmp_path: Path
) -> None:
    """An existing file with mode 0644 must not keep its mode when a key is written."""
    (tmp_path / "ca.key").touch(mode=0o644)

    written = authority.pair().write(tmp_path, "ca")

    assert [path.name for path in written] == ["ca.crt", "ca.key"]
    assert [stat.S_IMODE(path.stat().st_mode) for path in written] == [0o600, 0o600]


def test_an_authority_is_read_back(authority: pki.Authority, tmp_path: Path) -> None:
    loaded = pki.Authority.load(*authority.pair().write(tmp_path, "ca"))

    assert loaded.certificate == authority.certificate
    read(loaded.client("alice")).verify_directly_issued_by(authority.certificate)


def test_an_authority_may_have_an_rsa_key(tmp_path: Path) -> None:
    """The authority of an existing cluster is often RSA, unlike those made here."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kubernetes")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    pki.Authority(builder.sign(key, hashes.SHA256()), key).pair().write(tmp_path, "ca")

    loaded = pki.Authority.load(tmp_path / "ca.crt", tmp_path / "ca.key")

    assert isinstance(loaded.key, rsa.RSAPrivateKey)
    read(loaded.client("alice")).verify_directly_issued_by(loaded.certificate)


def test_an_authority_needs_a_key_that_signs_certificates(authority: pki.Authority, tmp_path: Path) -> None:
    certificate, key = authority.pair().write(tmp_path, "ca")
    other = x25519.X25519PrivateKey.generate()
    key.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    with pytest.raises(ValueError, match=r"ca\.key: expected an elliptic-curve or RSA key, found X25519PrivateKey"):
        pki.Authority.load(certificate, key)


def test_a_signing_key_comes_with_its_public_half() -> None:
    private, public = pki.signing_key()

    key = load_pem_private_key(private, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.public_key() == load_pem_public_key(public)
