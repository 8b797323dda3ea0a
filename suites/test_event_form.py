"""Every event has the form of audit.k8s.io/v1, whatever was asked and however it ended (fixtures/event.schema.json)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from auditproof import Identity, act, path_request

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from auditproof.testing import Audit

pytestmark = pytest.mark.audit_policy(
    "../fixtures/policies/stages.yaml", sabotage="../fixtures/policies/broken/stages.yaml"
)
SCHEMA = json.loads((Path(__file__).parent.parent / "fixtures" / "event.schema.json").read_text())
WHERE = "stage-all"
USER_AGENT_LIMIT, TRUNCATED = 1024, "...TRUNCATED"


def wrong(events: Iterable[Mapping[str, Any]]) -> list[str]:
    """What is wrong with the form of events, each with its Audit-ID."""
    validator = jsonschema.Draft202012Validator(SCHEMA)
    return [
        f"{event['auditID']} at {event['stage']}: {'.'.join(map(str, error.absolute_path))}: {error.message}"
        for event in events
        for error in validator.iter_errors(dict(event))
    ]


def raw(audit: Audit) -> list[Mapping[str, Any]]:
    return [event.raw for event in audit.events()]


def test_events_of_all_stages_and_outcomes_have_the_form_that_is_promised(
    audit: Audit, alice: Identity, stranger: Identity, intruder: Identity, deputy: Identity
) -> None:
    """Reads, writes, watches, refusals, failed logins and paths: each of their events is a valid Event."""
    audit.given({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": WHERE}})
    for identity, action in (
        (alice, act("create", "configmaps/form", WHERE)),
        (alice, act("create", "configmaps/form", WHERE)),
        (alice, act("list", "configmaps", WHERE)),
        (alice, act("watch", "configmaps", WHERE)),
        (alice, act("patch", "configmaps/form", WHERE, patch="json")),
        (alice, act("get", "pods/nobody/log", WHERE)),
        (alice, act("delete", "configmaps/form", WHERE)),
        (alice, path_request("GET", "/version")),
        (stranger, act("get", "secrets/none", WHERE)),
        (intruder, act("get", "secrets/none", WHERE)),
        (deputy, act("get", "configmaps/none", WHERE)),
        (Identity.anonymous(), path_request("GET", "/nowhere?a=b")),
    ):
        audit(identity, action)

    events = raw(audit)
    assert len(events) > 20
    assert wrong(events) == []


def test_the_stages_of_a_request_follow_each_other_in_time(audit: Audit, alice: Identity) -> None:
    """A request is received once, and each of its stages comes after the one before; the first is when it came."""
    events = [event.raw for event in audit(alice, act("watch", "configmaps", WHERE)).events]

    assert [event["stage"] for event in events] == ["RequestReceived", "ResponseStarted", "ResponseComplete"]
    times = [event["stageTimestamp"] for event in events]
    assert times == sorted(times)
    assert {event["requestReceivedTimestamp"] for event in events} == {times[0]}


@pytest.mark.parametrize("length", [USER_AGENT_LIMIT, USER_AGENT_LIMIT + 1])
def test_a_long_user_agent_is_cut(audit: Audit, alice: Identity, length: int) -> None:
    """What is longer than 1024 bytes is cut there, and says so (apiserver pkg/audit/request.go)."""
    agent = "a" * length
    recorded = audit(alice, act("list", "configmaps", WHERE, headers=(("User-Agent", agent),)))

    cut = length > USER_AGENT_LIMIT
    assert recorded.event["userAgent"] == (agent[:USER_AGENT_LIMIT] + TRUNCATED if cut else agent)
