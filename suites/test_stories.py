"""What has an "and then": actions whose meaning lies in what an earlier one left behind."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from auditproof import Identity, Level, Stage, act, path_request
from auditproof.testing import IdentityKind, Impersonation

if TYPE_CHECKING:
    from auditproof.testing import Audit

pytestmark = pytest.mark.audit_policy(
    "../fixtures/policies/baseline.yaml", sabotage="../fixtures/policies/broken/baseline.yaml"
)


@pytest.fixture
def shop(audit: Audit) -> str:
    """A namespace, as the admin makes it."""
    audit.given({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "story-shop"}})
    return "story-shop"


def test_a_secret_leaves_no_trace_of_its_contents_in_its_whole_life(audit: Audit, alice: Identity, shop: str) -> None:
    """A secret that is created, read, changed and deleted is seen four times, and never its contents."""
    canary = "story-canary-7c1f"
    recorded = [
        audit(alice, act("create", "secrets/life", shop, body={"stringData": {"password": canary}})),
        audit(alice, act("get", "secrets/life", shop)),
        audit(alice, act("patch", "secrets/life", shop, body={"stringData": {"password": f"{canary}-2"}})),
        audit(alice, act("delete", "secrets/life", shop)),
    ]

    assert [each.event["verb"] for each in recorded] == ["create", "get", "patch", "delete"]
    assert [each.level for each in recorded] == [Level.METADATA] * 4
    assert not any(canary in str(event.raw) for each in recorded for event in each.events)


@pytest.mark.covers("T29")
def test_a_refusal_is_recorded_and_so_is_the_success_that_follows(
    audit: Audit, alice: Identity, stranger: Identity, shop: str
) -> None:
    """The same request is recorded with decision forbid for one user, and allow for another."""
    refused = audit(stranger, act("list", "pods", shop))
    allowed = audit(alice, act("list", "pods", shop))

    decision = "authorization.k8s.io/decision"
    assert (refused.status, refused.event["annotations"][decision]) == (403, "forbid")
    assert (allowed.status, allowed.event["annotations"][decision]) == (200, "allow")


@pytest.mark.covers("T1")
def test_a_failed_login_is_recorded_without_a_user(audit: Audit, intruder: Identity, shop: str) -> None:
    """A 401 has a single event, at ResponseStarted, and nobody in it."""
    recorded = audit(intruder, act("list", "secrets", shop))

    assert recorded.status == 401
    assert recorded.stages == (Stage.RESPONSE_STARTED,)
    assert recorded.event["user"] == {}


@pytest.mark.covers("T13", "U17")
def test_an_impersonator_is_recorded_with_everybody_whom_it_asked_to_be(
    audit: Audit, deputy: Identity, shop: str
) -> None:
    """The event names both people, and all groups that were asked for."""
    recorded = audit(deputy, act("list", "configmaps", shop))

    assert recorded.event["user"]["username"] == "deputy"
    assert recorded.event["impersonatedUser"]["username"] == "bob"
    assert recorded.event["impersonatedUser"]["groups"] == ["ops", "oncall", "system:authenticated"]


@pytest.mark.covers("T23")
def test_a_generated_name_stands_in_the_answer_only(audit: Audit, alice: Identity, shop: str) -> None:
    """The event of a create with generateName has no object name: the name has to be looked for elsewhere."""
    body = {"metadata": {"generateName": "story-"}, "rules": []}
    recorded = audit(alice, act("create", "roles", shop, body=body))

    assert "name" not in recorded.event["objectRef"]
    assert recorded.event["responseObject"]["metadata"]["name"].startswith("story-")


def test_what_was_created_is_refused_a_second_time_and_both_are_recorded(
    audit: Audit, alice: Identity, shop: str
) -> None:
    """A conflict is recorded like the success before it, with the same object in it."""
    first = audit(alice, act("create", "services/twice", shop))
    second = audit(alice, act("create", "services/twice", shop))

    assert (first.status, second.status) == (201, 409)
    assert [each.event["objectRef"]["name"] for each in (first, second)] == ["twice", "twice"]
    assert [each.level for each in (first, second)] == [Level.REQUEST] * 2


@pytest.mark.covers("U16")
@pytest.mark.audit_policy("../fixtures/policies/stages.yaml", sabotage="../fixtures/policies/broken/stages.yaml")
def test_an_impersonated_user_is_not_known_when_the_request_arrives(audit: Audit, deputy: Identity) -> None:
    """The impersonated user is in the last event, and not yet in the first."""
    first, last = audit(deputy, act("list", "configmaps", "stage-all")).events

    assert (first.stage, last.stage) == (Stage.REQUEST_RECEIVED, Stage.RESPONSE_COMPLETE)
    assert "impersonatedUser" not in first.raw
    assert last.raw["impersonatedUser"]["username"] == "bob"


@pytest.mark.covers("T36")
def test_an_ampersand_is_escaped_in_the_file(audit: Audit, alice: Identity, shop: str) -> None:
    """Who searches the file for a URI as it was sent does not find it."""
    uri = f"/api/v1/namespaces/{shop}/pods?limit=1&labelSelector=a%3Db"
    recorded = audit(alice, path_request("GET", uri))

    assert recorded.event["requestURI"] == uri
    assert uri.encode() not in recorded.events[-1].line
    assert uri.encode().replace(b"&", b"\\u0026") in recorded.events[-1].line


@pytest.mark.covers("T34")
def test_the_echo_of_an_audit_id_proves_no_event(audit: Audit, alice: Identity, shop: str) -> None:
    """The server answers with the Audit-ID that it was sent, whether the request is recorded or not."""
    asked = [audit(alice, path_request("GET", "/version")), audit(alice, act("list", "pods", shop))]

    exchanges = [each.proof.verdict.evidence.exchange for each in asked]
    assert [dict(each.headers)["Audit-Id"] for each in exchanges] == [each.audit_id for each in exchanges]
    assert [each.level for each in asked] == [Level.NONE, Level.METADATA]


POD = {
    "schedulerName": "nobody",
    "automountServiceAccountToken": False,
    "containers": [{"name": "main", "image": "registry.invalid/web:1"}],
}
INDIRECT = {
    "pods": act("create", "pods/indirect/eviction", "story-shop"),
    "configmaps": act("deletecollection", "configmaps", "story-shop", query={"labelSelector": "story=indirect"}),
}


@pytest.mark.covers("T39")
@pytest.mark.parametrize("plural", INDIRECT)
def test_what_is_changed_indirectly_has_no_event_of_its_own(
    audit: Audit, alice: Identity, shop: str, plural: str
) -> None:
    """An eviction deletes a pod, and the deletion of a collection each of its objects, without an event of it."""
    kind, more = ("Pod", {"spec": POD}) if plural == "pods" else ("ConfigMap", {})
    metadata = {"name": "indirect", "namespace": shop, "labels": {"story": "indirect"}}
    audit.given({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": shop}})
    audit.given({"apiVersion": "v1", "kind": kind, "metadata": metadata, **more})
    recorded = audit(alice, INDIRECT[plural])
    gone = audit(alice, act("get", f"{plural}/indirect", shop))

    assert (recorded.status in (200, 201), gone.status) == (True, 404)
    removed = [
        event.raw["objectRef"]
        for event in audit.events()
        if event.raw["verb"] in ("delete", "update", "patch")
        and event.raw.get("objectRef", {}).get("namespace") == shop
    ]
    assert removed == []


@pytest.mark.covers("T40")
def test_a_service_makes_the_server_itself_act(audit: Audit, alice: Identity, shop: str) -> None:
    """The address of a new Service is an object that the API server creates, under its own name and Audit-ID."""
    created = audit(alice, act("create", "services/addressed", shop))

    own = [
        event.audit_id
        for event in audit.events()
        if event.raw["user"].get("username") == "system:apiserver"
        and event.raw["verb"] == "create"
        and event.raw["objectRef"]["resource"] == "ipaddresses"
        and event.raw["requestObject"]["spec"]["parentRef"]["name"] == "addressed"  # others are repaired at any time
    ]
    assert len(own) == 1
    assert own[0] not in {event.audit_id for event in created.events}


@pytest.mark.covers("T15")
def test_how_a_master_was_let_impersonate_depends_on_what_it_did_before(audit: Audit, shop: str) -> None:
    """A member of system:masters has every right of impersonation: the one that worked last is tried first.

    A search for impersonation by its constraint misses these (apiserver pkg/endpoints/filters/impersonation,
    cache.go): the user who was played is in all of the events.
    """
    plain, odd = Impersonation("mia"), Impersonation("mia", extra=(("reason", "incident"),))
    master = Identity(IdentityKind.X509, "story-master", ("system:masters",), impersonates=plain)
    read = act("list", "configmaps", shop)

    first = audit(master, read)
    if "authenticationMetadata" not in first.event:
        pytest.skip("this API server knows one right of impersonation only")
    legacy = audit(replace(master, impersonates=odd), read)  # the new rights take no extra without a domain
    again = audit(master, read)

    assert first.event["authenticationMetadata"] == {"impersonationConstraint": "impersonate:user-info"}
    assert "authenticationMetadata" not in legacy.event
    assert "authenticationMetadata" not in again.event
    assert [each.event["impersonatedUser"]["username"] for each in (first, legacy, again)] == ["mia"] * 3


@pytest.mark.covers("T35")
@pytest.mark.audit_policy("../fixtures/policies/stages.yaml", sabotage="../fixtures/policies/broken/stages.yaml")
def test_the_answer_to_an_upgrade_names_no_audit_id(audit: Audit, alice: Identity) -> None:
    """Who opens a shell is not told the Audit-ID: the answer is the kubelet's, passed on as it is."""
    namespace = "story-upgrade"
    container = {"name": "main", "image": "<pod-image>"}
    spec = {"nodeName": "<node>", "terminationGracePeriodSeconds": 0, "containers": [container]}
    audit.given(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": namespace}},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": namespace}, "spec": spec},
    )
    query = {"command": "id", "container": "main", "stdout": "true"}
    opened = audit(alice, act("create", "pods/web/exec", namespace, query=query, upgrade="spdy"))

    assert opened.status == opened.event["responseStatus"]["code"] == 101
    assert "audit-id" not in {name.lower() for name, _ in opened.proof.verdict.evidence.exchange.headers}
