"""Subresources that change their object: what is left in the log is the subresource's own event, and no other.

A search for updates of an object misses changes made through these.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from auditproof import Expectation, Identity, act
from auditproof.testing import AccessRule, IdentityKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditproof.testing import Audit

pytestmark = pytest.mark.audit_policy(
    "../fixtures/policies/levels.yaml", sabotage="../fixtures/policies/broken/levels.yaml"
)
WHERE = "effects"
WRITES = {"create", "update", "patch", "delete"}
POD: dict[str, Any] = {
    "schedulerName": "nobody",
    "automountServiceAccountToken": False,
    "containers": [{"name": "main", "image": "registry.invalid/web:1"}],
}
APPROVER = AccessRule(("approve",), ("certificates.k8s.io",), ("signers",))
APPROVAL = "certificatesigningrequests/effects-approved/approval"


def clerk(*access: AccessRule) -> Identity:
    """A user whose requests about cluster-scoped objects are recorded with both bodies."""
    user = "effects-approver" if access else "effects-clerk"
    return Identity(IdentityKind.X509, user, ("fields",), access=access)


def manifest(kind: str, name: str, api: str = "v1", **content: Any) -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": WHERE} if kind not in ("Namespace", "Node") else {})}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **content}


@pytest.fixture
def where(audit: Audit) -> str:
    audit.given(manifest("Namespace", WHERE), manifest("ServiceAccount", "default"), manifest("Node", "effects-node"))
    return WHERE


def written(audit: Audit, plural: str, name: str, user: str) -> list[str]:
    """The subresource of every event by which ``user`` has written an object; the object itself is no subresource."""
    refs = [
        (event.raw["verb"], event.raw.get("objectRef", {}))
        for event in audit.events()
        if event.username == user and event.raw["stage"] == "ResponseComplete"
    ]
    return [
        ref.get("subresource", "")
        for verb, ref in refs
        if verb in WRITES and (ref.get("resource"), ref.get("name")) == (plural, name)
    ]


def body(recorded: Any) -> Mapping[str, Any]:
    return dict(json.loads(recorded.body))


@pytest.mark.covers("T39")
def test_a_binding_changes_a_pod_without_an_event_of_the_pod(audit: Audit, alice: Identity, where: str) -> None:
    """A pod that is bound has a node, and the only event is that of its binding."""
    audit.given(manifest("Pod", "bound", spec=POD))
    target = {"target": {"apiVersion": "v1", "kind": "Node", "name": "effects-node"}}
    bound = audit(alice, act("create", "pods/bound/binding", where, body=target))
    pod = body(audit(alice, act("get", "pods/bound", where)))

    assert pod["spec"]["nodeName"] == "effects-node"
    assert written(audit, "pods", "bound", "alice") == ["binding"]
    assert bound.event["requestObject"]["kind"] == "Binding"
    assert bound.event["responseObject"]["kind"] == "Status"


def test_a_scale_changes_a_deployment_without_an_event_of_the_deployment(
    audit: Audit, alice: Identity, where: str
) -> None:
    """A deployment that is scaled has more replicas, and its event holds a Scale."""
    labels = {"app": "scaled"}
    template = {"metadata": {"labels": labels}, "spec": POD}
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
    audit.given(manifest("Deployment", "scaled", "apps/v1", spec=spec))
    scaled = audit(alice, act("update", "deployments/scaled/scale", where, body={"spec": {"replicas": 3}}))
    deployment = body(audit(alice, act("get", "deployments/scaled", where)))

    assert deployment["spec"]["replicas"] == 3
    assert written(audit, "deployments", "scaled", "alice") == ["scale"]
    assert scaled.event["requestObject"]["kind"] == scaled.event["responseObject"]["kind"] == "Scale"
    assert scaled.event["requestObject"]["apiVersion"] == "autoscaling/v1"


def test_a_debug_container_changes_a_pod_without_an_event_of_the_pod(audit: Audit, alice: Identity, where: str) -> None:
    """A pod that is debugged has one container more, whose image is in the event."""
    audit.given(manifest("Pod", "debugged", spec=POD))
    container = {"name": "debug", "image": "registry.invalid/debug:1"}
    change = {"spec": {"ephemeralContainers": [container]}}
    action = act("patch", "pods/debugged/ephemeralcontainers", where, patch="strategic", body=change)
    debugged = audit(alice, action)
    pod = body(audit(alice, act("get", "pods/debugged", where)))

    assert pod["spec"]["ephemeralContainers"][0]["image"] == container["image"]
    assert written(audit, "pods", "debugged", "alice") == ["ephemeralcontainers"]
    assert debugged.event["requestObject"] == change


def test_a_finalizer_changes_a_namespace_without_an_event_of_the_namespace(
    audit: Audit, alice: Identity, where: str
) -> None:
    """What keeps a namespace from going is changed by its subresource alone."""
    finalizers = ["kubernetes", "example.com/effects"]
    audit(alice, act("update", f"namespaces/{where}/finalize", body={"spec": {"finalizers": finalizers}}))
    namespace = body(audit(alice, act("get", f"namespaces/{where}")))
    audit(alice, act("update", f"namespaces/{where}/finalize", body={"spec": {"finalizers": finalizers[:1]}}))

    assert namespace["spec"]["finalizers"] == finalizers
    assert written(audit, "namespaces", where, "alice") == ["finalize", "finalize"]


def test_a_token_is_known_by_its_id_from_its_issue_to_its_use(audit: Audit, where: str) -> None:
    """The annotation at the issue is repeated in the events of every request made with the token."""
    audit.given(manifest("ServiceAccount", "robot"))
    issued = audit(clerk(), act("create", "serviceaccounts/robot/token", where))
    token = str(body(issued)["status"]["token"])
    claims = token.split(".")[1]
    jti = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["jti"]
    review = body(audit(clerk(), act("create", "tokenreviews", body={"spec": {"token": token}})))

    credential = "authentication.kubernetes.io/issued-credential-id"
    assert issued.event["annotations"][credential] == f"JTI={jti}"
    assert review["status"]["user"]["extra"]["authentication.kubernetes.io/credential-id"] == [f"JTI={jti}"]


def request_for_a_certificate(name: str) -> dict[str, Any]:
    path = Path(__file__).parent.parent / "fixtures" / "manifests" / "certificate.yaml"
    asked = yaml.safe_load(path.read_text())
    return {**asked, "metadata": {"name": name}}


def approval(name: str) -> dict[str, Any]:
    asked = request_for_a_certificate(name)
    condition = {"type": "Approved", "status": "True", "reason": "Test", "message": "approved"}
    return {**asked, "status": {"conditions": [condition]}}


def test_an_approval_changes_a_request_for_a_certificate_without_an_event_of_it(audit: Audit) -> None:
    """A certificate is given by an update of approval: the event names who gave it, and to what."""
    audit.given(request_for_a_certificate("effects-approved"))
    approver = clerk(APPROVER)
    approved = audit(approver, act("update", APPROVAL, body=approval("effects-approved")))
    asked = body(audit(approver, act("get", "certificatesigningrequests/effects-approved")))

    assert asked["status"]["conditions"][0]["type"] == "Approved"
    assert written(audit, "certificatesigningrequests", "effects-approved", "effects-approver") == ["approval"]
    assert approved.event["requestObject"]["status"]["conditions"][0]["reason"] == "Test"


@pytest.mark.covers("T28")
def test_who_may_not_approve_for_a_signer_is_refused_after_the_decision_to_allow(audit: Audit) -> None:
    """The right to approve for a signer is looked at in admission (plugin/pkg/admission/certificates/approval)."""
    audit.given(request_for_a_certificate("effects-refused"))
    action = act("update", APPROVAL.replace("approved", "refused"), body=approval("effects-refused"))
    refused = audit(clerk(), action, Expectation(status=403))

    assert refused.event["annotations"]["authorization.k8s.io/decision"] == "allow"
    assert "approve" in refused.event["responseStatus"]["message"]
