"""Canaries: words that are planted where secrets stand, and that no byte of the audit log may then hold."""

from __future__ import annotations

import base64
import json
import secrets
from typing import TYPE_CHECKING, Any

import pytest

from auditproof.action import act

if TYPE_CHECKING:
    from auditproof.identity import Identity
    from auditproof.plugin.fixtures import Audit

pytestmark = pytest.mark.audit_policy(
    "../fixtures/policies/baseline.yaml", sabotage="../fixtures/policies/broken/baseline.yaml"
)
WHERE = "secrecy"


@pytest.fixture
def canary(audit: Audit) -> str:
    """A word that stands nowhere else, with letters that every encoding writes in its own way."""
    audit.given(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": WHERE}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": WHERE}},
    )
    return f"canary & <{secrets.token_hex(8)}>"


def assert_nowhere(audit: Audit, canary: str) -> None:
    assert [str(leak) for leak in audit.leaks(canary)] == []


@pytest.mark.covers("U21")
@pytest.mark.parametrize("field", ["data", "stringData"])
def test_what_a_secret_holds_is_nowhere_in_the_log(audit: Audit, alice: Identity, canary: str, field: str) -> None:
    """A secret is created, read, listed, patched and deleted: its contents are in no event of anybody."""
    value = base64.b64encode(canary.encode()).decode() if field == "data" else canary
    name = f"secrets/{field.lower()}"
    audit(alice, act("create", name, WHERE, body={field: {"password": value}}))
    audit(alice, act("get", name, WHERE))
    audit(alice, act("list", "secrets", WHERE))
    audit(alice, act("patch", name, WHERE, body={field: {"again": value}}))
    audit(alice, act("delete", name, WHERE))
    assert_nowhere(audit, canary)


def test_what_a_config_map_holds_is_nowhere_in_the_log(audit: Audit, alice: Identity, canary: str) -> None:
    """A config map is created, replaced and read: people keep passwords in them."""
    audit(alice, act("create", "configmaps/settings", WHERE, body={"data": {"password": canary}}))
    audit(alice, act("update", "configmaps/settings", WHERE, body={"data": {"password": f"{canary}!"}}))
    audit(alice, act("get", "configmaps/settings", WHERE))
    assert_nowhere(audit, canary)


@pytest.mark.covers("U24")
def test_what_was_last_applied_to_a_secret_is_nowhere_in_the_log(audit: Audit, alice: Identity, canary: str) -> None:
    """Kubectl apply keeps the whole secret in an annotation: a text within a text."""
    applied = {"kubectl.kubernetes.io/last-applied-configuration": f'{{"stringData":{{"password":"{canary}"}}}}'}
    audit(alice, act("create", "secrets/applied", WHERE, body={"metadata": {"annotations": applied}}))
    audit(alice, act("get", "secrets/applied", WHERE))
    assert_nowhere(audit, canary)


def test_a_malformed_secret_is_nowhere_in_the_log(audit: Audit, alice: Identity, canary: str) -> None:
    """A secret that is refused is as secret: the value is no base64, and the refusal must not quote it."""
    refused = audit(alice, act("create", "secrets/odd", WHERE, body={"data": {"password": canary}}))
    assert refused.status == 400
    assert_nowhere(audit, canary)


@pytest.mark.covers("U20")
def test_an_issued_token_is_nowhere_in_the_log(audit: Audit, alice: Identity, canary: str) -> None:
    """A token that the API server issues stands in its answer to the client, and in no event."""
    body: dict[str, Any] = {"spec": {"audiences": [canary.split("<")[1].rstrip(">")]}}
    issued = audit(alice, act("create", "serviceaccounts/default/token", WHERE, body=body))
    assert_nowhere(audit, json.loads(issued.body)["status"]["token"])


@pytest.mark.covers("U22")
def test_a_reviewed_token_is_nowhere_in_the_log(audit: Audit, alice: Identity, canary: str) -> None:
    """A token that somebody asks about may be a good one."""
    body = {"spec": {"token": canary}}
    audit(alice, act("create", "tokenreviews", body=body))
    assert_nowhere(audit, canary)


@pytest.mark.covers("T45", "U25")
def test_the_command_of_an_exec_is_in_the_log(audit: Audit, alice: Identity, canary: str) -> None:
    """What is typed into a container's command line is recorded, at every level: it stands in the URI."""
    audit(alice, act("create", "pods/web/exec", WHERE, query={"command": ["login", canary]}))
    assert {leak.disguise for leak in audit.leaks(canary)} == {"URL-escaped"}
