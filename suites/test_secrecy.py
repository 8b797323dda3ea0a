"""Canaries: words that are planted where secrets stand, and that no byte of the audit log may then hold.

The twin records everything in full: there every one of them is found.
"""

from __future__ import annotations

import base64
import json
import secrets
from typing import TYPE_CHECKING, Any

import pytest

from auditproof import Action, act
from auditproof.testing import Resource, load_manifest, parse_target, root

if TYPE_CHECKING:
    from auditproof import Identity
    from auditproof.testing import Audit, Recorded

pytestmark = pytest.mark.audit_policy(
    "../fixtures/policies/baseline.yaml", sabotage="../fixtures/policies/broken/in-full.yaml"
)
WHERE = "secrecy"
APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
FACTORIES = Resource("example.auditproof.dev", "v1", "factories", "Factory", namespaced=False)


@pytest.fixture
def canary(audit: Audit) -> str:
    """A word that stands nowhere else, with letters that every encoding writes in its own way."""
    audit.given(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": WHERE}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": WHERE}},
    )
    return f"canary & <{secrets.token_hex(8)}>"


def prove_nowhere(audit: Audit, who: Identity, canary: str, *actions: Action) -> list[Recorded]:
    """Perform the action: the canary is in no event of any user, and every action is recorded as the policy decides."""
    proofs = [audit.attempt(who, action) for action in actions]
    assert_nowhere(audit, canary)
    return [audit.judge(proof) for proof in proofs]


def assert_nowhere(audit: Audit, canary: str) -> None:
    found = [str(leak) for leak in audit.leaks(canary)]
    assert not found, f"a secret is in the log: {found[0]}; {len(found)} events hold it"


@pytest.mark.covers("U21")
@pytest.mark.parametrize("field", ["data", "stringData"])
def test_what_a_secret_holds_is_nowhere_in_the_log(audit: Audit, alice: Identity, canary: str, field: str) -> None:
    """A secret is created, read, listed, patched and deleted: its contents are in no event of anybody."""
    value = base64.b64encode(canary.encode()).decode() if field == "data" else canary
    name = f"secrets/{field.lower()}"
    prove_nowhere(
        audit,
        alice,
        canary,
        act("create", name, WHERE, body={field: {"password": value}}),
        act("get", name, WHERE),
        act("list", "secrets", WHERE),
        act("watch", "secrets", WHERE),
        act("update", name, WHERE, body={field: {"password": value, "again": value}}),
        act("patch", name, WHERE, body={field: {"thrice": value}}),
        act("delete", name, WHERE),
    )


def test_a_secret_that_begins_anywhere_is_nowhere_in_the_log(audit: Audit, alice: Identity, canary: str) -> None:
    """A secret in the middle of a longer one is in base64 three different ways."""
    values = {f"at-{n}": base64.b64encode(b"=" * n + canary.encode() + b"=").decode() for n in range(3)}
    actions = [act("create", f"secrets/{name}", WHERE, body={"data": {"a": value}}) for name, value in values.items()]
    prove_nowhere(audit, alice, canary, *actions, act("list", "secrets", WHERE))


def test_what_a_config_map_holds_is_nowhere_in_the_log(audit: Audit, alice: Identity, canary: str) -> None:
    """A config map is created, replaced and read: people keep passwords in them."""
    prove_nowhere(
        audit,
        alice,
        canary,
        act("create", "configmaps/settings", WHERE, body={"data": {"password": canary}}),
        act(
            "update",
            "configmaps/settings",
            WHERE,
            body={"binaryData": {"a": base64.b64encode(canary.encode()).decode()}},
        ),
        act("get", "configmaps/settings", WHERE),
        act("delete", "configmaps/settings", WHERE),
    )


@pytest.mark.covers("U24")
def test_what_was_last_applied_to_a_secret_is_nowhere_in_the_log(audit: Audit, alice: Identity, canary: str) -> None:
    """Kubectl apply keeps the whole secret in an annotation: a text within a text."""
    applied = {APPLIED: json.dumps({"stringData": {"password": canary}})}
    prove_nowhere(
        audit,
        alice,
        canary,
        act("create", "secrets/applied", WHERE, body={"metadata": {"annotations": applied}}),
        act("get", "secrets/applied", WHERE),
        act("delete", "secrets/applied", WHERE),
    )


@pytest.mark.covers("U23", "U24")
def test_what_a_custom_resource_holds_is_nowhere_in_the_log(audit: Audit, alice: Identity, canary: str) -> None:
    """Operators keep credentials in objects of their own, which no rule for secrets is about."""
    audit.given(*load_manifest(root() / "fixtures" / "manifests" / "widgets.yaml"))
    target = parse_target("factories/secretive", resource=FACTORIES)
    applied = {APPLIED: json.dumps({"spec": {"pullSecret": canary}})}
    factory = {"metadata": {"annotations": applied}, "spec": {"pullSecret": canary}}
    prove_nowhere(
        audit,
        alice,
        canary,
        Action("create", target, body=factory),
        Action("get", target),
        Action("patch", target, body={"spec": {"token": canary}}),
        Action("delete", target),
    )


def test_a_malformed_secret_is_nowhere_in_the_log(audit: Audit, alice: Identity, canary: str) -> None:
    """A secret that is refused is as secret: the value is no base64, and the refusal must not quote it."""
    (refused,) = prove_nowhere(
        audit, alice, canary, act("create", "secrets/odd", WHERE, body={"data": {"password": canary}})
    )
    assert refused.status == 400


@pytest.mark.covers("U20")
def test_an_issued_token_is_nowhere_in_the_log(audit: Audit, alice: Identity, canary: str) -> None:
    """A token that the API server issues is in its response to the client, and in no event."""
    body: dict[str, Any] = {"spec": {"audiences": [canary.split("<")[1].rstrip(">")]}}
    proof = audit.attempt(alice, act("create", "serviceaccounts/default/token", WHERE, body=body))
    assert_nowhere(audit, json.loads(proof.verdict.evidence.exchange.body)["status"]["token"])
    audit.judge(proof)


@pytest.mark.covers("U22")
def test_a_reviewed_token_is_nowhere_in_the_log(audit: Audit, alice: Identity, canary: str) -> None:
    """A token that is reviewed may be valid."""
    prove_nowhere(audit, alice, canary, act("create", "tokenreviews", body={"spec": {"token": canary}}))


@pytest.mark.covers("U19", "U21")
def test_a_refused_token_is_nowhere_in_the_log(audit: Audit, intruder: Identity, canary: str) -> None:
    """A token that is refused may be a good one of another cluster; so may be one in a query."""
    action = act("get", "secrets/db", WHERE, headers=(("X-Token", canary),))
    (refused,) = prove_nowhere(audit, intruder, canary, action)
    assert refused.status == 401


@pytest.mark.covers("T45", "U25")
@pytest.mark.parametrize("verb", ["create", "get"])
def test_the_command_of_an_exec_is_in_the_log(audit: Audit, alice: Identity, canary: str, verb: str) -> None:
    """What is typed into a container's command line is recorded at every level, because it is in the URI."""
    query = {"command": ["login", canary]}
    audit(alice, act(verb, "pods/web/exec", WHERE, query=query, upgrade="spdy" if verb == "create" else "websocket"))
    assert {leak.disguise for leak in audit.leaks(canary)} == {"URL-escaped"}


@pytest.mark.covers("T45")
def test_what_is_selected_by_is_in_the_log(audit: Audit, alice: Identity, canary: str) -> None:
    """A selector is in the URI, also a selector of secrets."""
    audit(alice, act("list", "secrets", WHERE, query={"fieldSelector": f"metadata.name={canary}"}))
    assert audit.leaks(canary) != []


@pytest.mark.covers("T45")
def test_what_a_refusal_quotes_is_in_the_log(audit: Audit, alice: Identity, canary: str) -> None:
    """The message of a refusal quotes what is wrong, of secrets as well: here the value of a label."""
    refused = audit(alice, act("create", "secrets/quoted", WHERE, body={"metadata": {"labels": {"key": canary}}}))
    assert refused.status == 422
    assert canary in refused.event["responseStatus"]["message"]
    assert audit.leaks(canary) != []
