"""The account of a batch: recorded, lost, unproven; and the legacy format, read and written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from auditproof.audit.decide import decide
from auditproof.audit.event import AuditEvent, Level, Stage
from auditproof.audit.policy.load import parse_policy
from auditproof.auditlog.metrics import AuditMetrics
from auditproof.client.exchange import Exchange
from auditproof.kube.action import Request
from auditproof.kube.attributes import attributes_of
from auditproof.kube.identity import Identity
from auditproof.proof.backends import account_of, legacy_line_of, parse_legacy
from auditproof.proof.verdict import NOT_STORED, Evidence, Outcome
from auditproof.report.backends import backend_test, backends_line, backends_record
from auditproof.report.model import BackendAccount, BackendTest
from tests.report.test_report import report

POLICY = parse_policy(b"apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n", "policy.yaml")
ALICE = Identity.x509("alice")
NOON = datetime(2026, 1, 2, tzinfo=UTC)
BOTH = (Stage.REQUEST_RECEIVED, Stage.RESPONSE_COMPLETE)


def evidence(*stages: Stage, status: int = 200, body: bytes = b"", **changed: Any) -> Evidence:
    request = Request("GET", "/api/v1/pods")
    attributes = attributes_of(request.method, request.uri, ALICE.user_info())
    end = NOON + timedelta(seconds=0.5)
    exchange = Exchange("id", ALICE, request, attributes, status, (), body, NOON, end)
    events = tuple(AuditEvent("id", Level.METADATA, stage, {}) for stage in stages)
    return Evidence(exchange, events, decide(POLICY, attributes), **changed)


def counters(events: int, **lost: int) -> AuditMetrics:
    return AuditMetrics(events, 0, 1.0, lost)


def test_the_three_add_up() -> None:
    """Every action is recorded, lost or unproven; the counters show that the missing ones were written off."""
    batch = [evidence(*BOTH), evidence(Stage.REQUEST_RECEIVED), evidence()]

    account = account_of(batch, counters(6, log=3), 3)

    assert (account.performed, account.recorded, account.lost, account.unproven) == (3, 1, 2, 0)
    assert account.why == "6 events counted, 3 written off, 3 lines: nothing is on its way"
    assert account.text() == "1 recorded, 2 lost, 0 unproven of 3 actions"


def test_what_nobody_has_counted_as_lost_is_unproven() -> None:
    """A missing event that the server counted, and did not write off, may still be on its way."""
    account = account_of([evidence(*BOTH), evidence()], counters(4), 2)

    assert (account.recorded, account.lost, account.unproven) == (1, 0, 1)
    assert "may still arrive" in account.why


def test_what_a_server_that_has_ended_did_not_write_is_lost() -> None:
    """After the server has exited no event can arrive, so its counters are not needed."""
    account = account_of([evidence(*BOTH), evidence()], None, 2, ended="the server was killed")

    assert (account.recorded, account.lost, account.unproven) == (1, 1, 0)
    assert account.events is None


@pytest.mark.parametrize("ended", ["", "the server was killed"])
def test_nothing_is_certain_about_a_log_that_cannot_be_read(ended: str) -> None:
    """Neither matching counters nor the server's exit proves a loss in a log that was not read to its end."""
    account = account_of([evidence(), evidence()], counters(4, log=4), None, ended=ended)

    assert (account.lost, account.unproven) == (0, 2)


def test_without_the_counters_nothing_is_certain() -> None:
    assert account_of([evidence()], None, 0).unproven == 1


def test_losses_of_another_backend_are_none_here() -> None:
    """With a log and a webhook, only the losses of the backend under test explain a missing event."""
    account = account_of([evidence(*BOTH), evidence()], counters(4, log=2, webhook=2), 2, other="webhook")

    assert account.lost == 1
    assert account.written_off == 4


def test_a_refused_request_leaves_no_more_than_its_first_event() -> None:
    """In mode blocking-strict the server refuses what it cannot record: only RequestReceived is due."""
    refused = {"status": 500, "body": b"Internal Server Error: " + NOT_STORED}
    batch = [evidence(**refused), evidence(Stage.REQUEST_RECEIVED, **refused)]

    account = account_of(batch, counters(2, log=1), 1)

    assert (account.recorded, account.lost, account.refused) == (1, 1, 2)
    assert account.text().endswith("of 2 actions (2 refused)")


def test_the_slowest_answer_and_the_statuses_are_told() -> None:
    account = account_of([evidence(*BOTH), evidence(*BOTH, status=403)], counters(4), 4)

    assert account.answers == {"200": 1, "403": 1}
    assert account.slowest == 0.5
    assert account.why == ""


LINE = (
    '2026-11-24T10:00:00.123456Z AUDIT: id="a-1" stage="ResponseComplete" ip="127.0.0.1" method="get" user="alice" '
    'groups="\\"dev\\",\\"system:authenticated\\"" as="bob" asgroups="<lookup>" user-agent="kubectl" namespace="shop" '
    'uri="/api/v1/namespaces/shop/pods?labelSelector=a%3D%22b" response="403"\n'
)
EVENT = {
    "auditID": "a-1",
    "stage": "ResponseComplete",
    "sourceIPs": ["127.0.0.1", "10.0.0.1"],
    "verb": "get",
    "user": {"username": "alice", "groups": ["dev", "system:authenticated"]},
    "impersonatedUser": {"username": "bob"},
    "userAgent": "kubectl",
    "objectRef": {"namespace": "shop", "resource": "pods"},
    "requestURI": "/api/v1/namespaces/shop/pods?labelSelector=a%3D%22b",
    "responseStatus": {"code": 403},
}


def test_a_legacy_line_says_what_the_event_says() -> None:
    """A line in the legacy format, parsed, has the same fields as the event written in that format."""
    line = parse_legacy(LINE)

    assert (line.audit_id, line.stage) == ("a-1", Stage.RESPONSE_COMPLETE)
    assert line.fields == legacy_line_of(EVENT)
    assert line.fields["groups"] == '"dev","system:authenticated"'


def test_what_is_not_there_has_a_word_of_its_own() -> None:
    """An absent field has a placeholder of its own, as in the server's EventString, and is never empty."""
    fields = legacy_line_of({"auditID": "a", "stage": "RequestReceived", "user": {}})

    assert (fields["user"], fields["groups"], fields["as"], fields["asgroups"]) == (
        "<none>",
        "<none>",
        "<self>",
        "<lookup>",
    )
    assert (fields["ip"], fields["namespace"], fields["response"]) == ("<unknown>", "<none>", "<deferred>")


@pytest.mark.parametrize("line", ["", "hello", '{"kind":"Event"}', LINE.replace("stage=", "stge="), LINE[:-3]])
def test_what_is_no_legacy_line_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="not in the legacy format"):
        parse_legacy(line)


def record(name: str, verdict: Outcome, *accounts: BackendAccount) -> BackendTest:
    return backend_test(
        id=name,
        title="T",
        suite="s.py",
        line=1,
        flags={},
        verdict=verdict,
        reason="",
        accounts=accounts,
        facts=[],
    )


def test_the_report_sums_up_and_names_what_was_not_reached() -> None:
    account = BackendAccount.model_validate(account_of([evidence(*BOTH), evidence()], counters(4), 2).record())

    tests = [record("b", Outcome.PROVEN, account, account), record("a", Outcome.NOT_SUPPORTED)]
    part = backends_record(tests, [], ["a", "b", "c"])

    assert (part.performed, part.recorded, part.lost, part.unproven) == (4, 2, 0, 2)
    assert part.not_performed == ("c",)
    assert backends_line(report(parts={"backends": part})) == (
        "backends: 1 of 3 tests show what they say (1 not supported here); 4 actions: 2 recorded, 0 lost, 2 unproven"
    )
