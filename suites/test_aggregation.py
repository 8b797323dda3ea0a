"""An aggregated API, served by a second real API server: what the one in front records, and what the one behind.

The one in front passes requests on with the user in headers and with the Audit-ID of the client, so both record events
under one ID (k8s.io/kube-aggregator pkg/apiserver/handler_proxy.go, apimachinery pkg/util/proxy).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from auditproof import Action, Expectation, Identity, Level, Stage
from auditproof.testing import IdentityKind, Resource, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from auditproof.testing import Audit, Recorded

pytestmark = pytest.mark.audit_policy(
    "../fixtures/policies/levels.yaml", sabotage="../fixtures/policies/broken/levels.yaml"
)
WHERE, GROUP = "aggregated", "aggregated.example.com"
GADGETS = Resource(GROUP, "v1", "gadgets", "Gadget", namespaced=True)
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": WHERE}}
SCHEMA = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
DEFINITION: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"gadgets.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"plural": "gadgets", "singular": "gadget", "kind": "Gadget"},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": SCHEMA}],
    },
}


def api_service(group: str, service: str, port: int) -> tuple[Mapping[str, Any], ...]:
    """What leads requests for ``group`` to a port of this machine."""
    return (
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": service, "namespace": WHERE},
            "spec": {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": port}]},
        },
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": f"v1.{group}"},
            "spec": {
                "group": group,
                "version": "v1",
                "groupPriorityMinimum": 1000,
                "versionPriority": 10,
                "insecureSkipTLSVerify": True,
                "service": {"namespace": WHERE, "name": service, "port": port},
            },
        },
    )


def gadget(verb: str, name: str = "", **options: Any) -> Action:
    return Action(verb, Target(GADGETS, WHERE, name), **options)


@pytest.fixture
def behind(audit: Audit, audit_beside: Callable[[str], Audit]) -> Audit:
    """The server that serves gadgets; the one of ``audit`` forwards to it."""
    server = audit_beside("../fixtures/policies/stages.yaml")
    server.given(NAMESPACE, DEFINITION)
    audit.given(NAMESPACE, *api_service(GROUP, "behind", int(server.url.rpartition(":")[2])))
    return server


def events_behind(behind: Audit, recorded: Recorded) -> list[Mapping[str, Any]]:
    """The events of an action on the server behind; an action of its own shows that they are all there."""
    behind(Identity.x509("gadgeteer"), gadget("list"))
    audit_id = recorded.event["auditID"]
    return [event.raw for event in behind.events() if event.audit_id == audit_id]


@pytest.mark.covers("T41")
def test_both_servers_record_a_request_and_only_the_one_behind_its_bodies(
    audit: Audit, behind: Audit, alice: Identity
) -> None:
    """The one in front, at RequestResponse, has neither body, and not even the name out of the body."""
    behind(alice, gadget("create", "direct"))  # so that alice has her rights there, too
    front = audit(alice, gadget("create", "passed-on", body={"colour": "red"}))
    received, complete = events_behind(behind, front)

    assert (front.status, front.level, front.stages) == (201, Level.REQUEST_RESPONSE, (Stage.RESPONSE_COMPLETE,))
    assert {"requestObject", "responseObject"} & front.event.keys() == set()
    assert front.event["objectRef"] == {
        "resource": "gadgets",
        "namespace": WHERE,
        "apiGroup": GROUP,
        "apiVersion": "v1",
    }
    assert (received["stage"], complete["stage"]) == ("RequestReceived", "ResponseComplete")
    assert complete["requestObject"]["colour"] == complete["responseObject"]["colour"] == "red"
    assert complete["objectRef"]["name"] == "passed-on"


def test_the_server_behind_knows_the_user_and_not_by_which_credential(
    audit: Audit, behind: Audit, alice: Identity
) -> None:
    """User, groups and extra are passed on as they are; the certificate of the one in front stays out."""
    behind(alice, gadget("list"))
    front = audit(alice, gadget("list"))
    complete = events_behind(behind, front)[-1]

    assert complete["user"]["username"] == front.event["user"]["username"] == "alice"
    assert complete["user"]["groups"] == front.event["user"]["groups"]
    assert complete["user"]["extra"] == front.event["user"]["extra"]
    assert complete["userAgent"] == front.event["userAgent"]


def test_one_request_has_one_event_by_audit_id_stage_and_server(audit: Audit, behind: Audit, alice: Identity) -> None:
    """A collector of both logs sees an Audit-ID and a stage twice, and needs the server to tell them apart."""
    behind(alice, gadget("list"))
    front = audit(alice, gadget("list"))
    gathered = [("front", event.raw) for event in front.events]
    gathered += [("behind", event) for event in events_behind(behind, front)]

    by_id = [(event["auditID"], event["stage"]) for _, event in gathered]
    assert len(set(by_id)) < len(by_id)
    assert len({(server, event["auditID"], event["stage"]) for server, event in gathered}) == len(gathered)


def test_what_the_server_in_front_refuses_does_not_reach_the_one_behind(audit: Audit, behind: Audit) -> None:
    """A 403 from the forwarding server is its own response, and is in its event."""
    nobody = Identity(IdentityKind.X509, "gadget-stranger", without_rights=True)
    front = audit(nobody, gadget("list"), Expectation(status=403))

    assert front.event["annotations"]["authorization.k8s.io/decision"] == "forbid"
    assert front.event["responseObject"]["reason"] == "Forbidden"
    assert events_behind(behind, front) == []


def test_what_the_server_behind_refuses_was_allowed_in_front(audit: Audit, behind: Audit) -> None:
    """Each server has an authorizer: the decision in front says nothing about the one behind."""
    half = Identity.x509("gadget-half-trusted")  # with rights in front alone
    front = audit(half, gadget("list"), Expectation(status=403))
    complete = events_behind(behind, front)[-1]

    decision = "authorization.k8s.io/decision"
    assert (front.event["annotations"][decision], complete["annotations"][decision]) == ("allow", "forbid")
    assert "responseObject" not in front.event
    assert complete["responseObject"]["reason"] == "Forbidden"
