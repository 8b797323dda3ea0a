"""Requests that were sent are compared with the server's counters: an action that was not evaluated shows nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from auditproof.audit.decide import decide
from auditproof.audit.event import Level
from auditproof.audit.policy.load import parse_policy
from auditproof.auditlog.metrics import AuditMetrics
from auditproof.client.exchange import Exchange
from auditproof.kube.action import Request
from auditproof.kube.attributes import attributes_of
from auditproof.kube.identity import Identity
from auditproof.proof.fence.uncounted import Counted, miscounted, uncounted

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ALICE, BOB = Identity.x509("alice"), Identity.x509("bob")
POLICY = parse_policy(
    b"apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- {level: None, users: [bob]}\n- level: Metadata\n",
    "policy.yaml",
)
VERSION = attributes_of("GET", "/version", BOB.user_info())


def sent(identity: Identity, name: str = "id-1", status: int = 200) -> Exchange:
    request = Request("GET", "/api/v1/pods")
    attributes = attributes_of(request.method, request.uri, identity.user_info())
    return Exchange(name, identity, request, attributes, status, (("Audit-Id", name),), b"", NOW, NOW)


def counters(none: int = 0, metadata: int = 0) -> AuditMetrics:
    return AuditMetrics(0, 0, 7.0, levels={"None": none, "Metadata": metadata})


def doubts(*exchanges: Exchange, counted: Counted, recorded: tuple[str, ...] = ()) -> dict[str, str]:
    return uncounted(exchanges, recorded, counted, lambda attributes: decide(POLICY, attributes))


def test_what_was_evaluated_is_not_in_doubt() -> None:
    assert doubts(sent(BOB), counted=Counted(counters(), counters(none=1))) == {}


def test_an_excluded_action_that_was_not_evaluated_is_in_doubt() -> None:
    """No event and no evaluation: the request never reached the policy, so nothing shows that it is excluded."""
    (why,) = doubts(sent(BOB), counted=Counted(counters(), counters(metadata=1))).values()

    assert why == "the server counted 0 requests at level None, sent: 1"


def test_our_own_follow_up_does_not_make_up_for_an_action() -> None:
    """It is excluded like the action, and it did come."""
    one = Counted(counters(), counters(none=1), extra=[VERSION])

    assert doubts(sent(BOB), counted=one)
    assert not doubts(sent(BOB), counted=replace(one, after=counters(none=2)))


def test_an_action_that_should_be_recorded_and_was_never_evaluated_is_in_doubt() -> None:
    """Whoever has answered it, with the Audit-ID that was sent: the server has seen one request less."""
    (why,) = doubts(sent(ALICE), counted=Counted(counters(), counters())).values()

    assert "some of them never reached the policy" in why


def test_what_others_have_recorded_does_not_make_up_for_it_either() -> None:
    """An evaluation of another client's request must not be taken for that of the action."""
    counted = Counted(counters(), counters(metadata=1), others=[Level.METADATA])

    assert doubts(sent(ALICE), counted=counted)
    assert not doubts(sent(ALICE), counted=replace(counted, after=counters(none=1, metadata=1)))


def test_what_the_log_has_is_in_no_doubt() -> None:
    assert doubts(sent(ALICE), counted=Counted(counters(), counters()), recorded=("id-1",)) == {}


@pytest.mark.parametrize("status", [429, 503, 504])
def test_what_may_not_reach_the_policy_is_not_due(status: int) -> None:
    """These responses may come from a filter before the policy, which is a doubt elsewhere."""
    assert doubts(sent(BOB, status=status), counted=Counted(counters(), counters())) == {}


def test_levels_that_the_server_never_decided_are_not_its_own() -> None:
    """A log that shows a level more often than it was decided was changed after it was written."""
    counted = Counted(counters(), counters(metadata=2))

    assert miscounted({"a": Level.METADATA, "b": Level.METADATA}, counted) is None
    assert "the log shows 1 requests at level Request" in str(miscounted({"a": Level.REQUEST}, counted))
