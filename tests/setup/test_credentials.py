"""Credentials: what a connection shows is what the event is expected to name."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from auditproof.clusters.pki.x509 import Authority, fingerprint
from auditproof.kube.authenticated import CREDENTIAL_ID
from auditproof.kube.identity import Identity, IdentityKind, Impersonation
from auditproof.setup.credentials import Credentials

if TYPE_CHECKING:
    from pathlib import Path

ROOT = Identity.x509("root", "system:masters")


@pytest.fixture
def credentials(tmp_path: Path) -> Credentials:
    """Credentials on a cluster of which there is nothing but the authorities."""
    certificate, key = Authority.create("authority").pair().write(tmp_path, "authority")
    files = SimpleNamespace(certificate=certificate, key=key)
    cluster: Any = SimpleNamespace(authorities=SimpleNamespace(client=files, front_proxy=files))
    nothing: Any = None
    return Credentials(cluster, nothing, nothing, tmp_path)


@pytest.mark.parametrize(
    "other",
    [replace(ROOT, without_rights=True), replace(ROOT, impersonates=Impersonation("bob"))],
    ids=["rights", "impersonation"],
)
def test_the_certificate_of_an_identity_stays_when_another_one_of_the_same_name_is_made(
    credentials: Credentials, other: Identity
) -> None:
    """A connection that is opened again reads the file once more."""
    named = dict(credentials.user(ROOT).extra)[CREDENTIAL_ID]

    credentials.user(other)

    cert = credentials.of(ROOT).cert
    assert cert is not None
    assert named == (f"X509SHA256={fingerprint(cert)}",)


def test_what_a_certificate_says_has_a_file_of_its_own(credentials: Credentials) -> None:
    """Identities that differ in kind or groups alone must not share a certificate."""
    kinds = (IdentityKind.X509, IdentityKind.EXPIRED_CERTIFICATE, IdentityKind.UNTRUSTED_CERTIFICATE)
    people = [replace(ROOT, kind=kind, groups=groups) for kind in kinds for groups in ((), ("dev",))]

    assert len({credentials.of(one).cert for one in people}) == len(people)


def test_the_proxys_certificate_stays_when_another_user_comes_through_it(credentials: Credentials) -> None:
    """The user is in a header; a new certificate would break connections that are open."""
    first, second = (Identity(IdentityKind.FRONT_PROXY, user) for user in ("alice", "bob"))
    cert = credentials.of(first).cert
    assert cert is not None
    before = fingerprint(cert)

    assert credentials.of(second).cert == cert
    assert fingerprint(cert) == before
