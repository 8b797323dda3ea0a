"""Truncation: which part of an event goes first, what marks it, and which events vanish."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditproof import Stage, act
from auditproof.testing import WRITER, FileLog, large, require

if TYPE_CHECKING:
    from auditproof.testing import BackendServer

pytestmark = [pytest.mark.backends, pytest.mark.audit_policy("../../fixtures/policies/backends.yaml")]

MARK = "audit.k8s.io/truncated"


def truncate(largest: int, mode: str = "blocking-strict") -> dict[str, str]:
    return {"mode": mode, "truncate-enabled": "true", "truncate-max-event-size": str(largest)}


@pytest.mark.audit_server(audit_log=truncate(10_000), sabotage={"audit_log": truncate(1_000_000)})
def test_both_objects_go_first_and_the_event_says_so(backend: BackendServer) -> None:
    """Event too large: request and response object go, both, the annotation says so, and no counter does."""
    account = backend.perform(actions=large(5, size=10_000), identity=WRITER)

    require(account, recorded=5, lost=0, written_off=0)
    events = [event for event in backend.read(FileLog(backend.log)) if event.username == WRITER.user]
    complete = [event.raw for event in events if event.stage is Stage.RESPONSE_COMPLETE]
    assert len(complete) == 5
    for event in complete:
        assert not {"requestObject", "responseObject"} & event.keys(), "the objects are still there"
        assert event["annotations"].get(MARK) == "true", event["annotations"]
    received = [event.raw for event in events if event.stage is Stage.REQUEST_RECEIVED]
    assert not any(MARK in event.get("annotations", {}) for event in received)


@pytest.mark.covers("T31")
@pytest.mark.audit_server(audit_log=truncate(2_000), sabotage={"audit_log": truncate(10_000)})
def test_an_event_that_is_too_large_without_objects_vanishes_even_in_strict_mode(backend: BackendServer) -> None:
    """Event too large without its objects (a long URI): it vanishes, and is counted; even strict mode serves."""
    long = {"labelSelector": ",".join(f"label-{n}=x" for n in range(300))}
    account = backend.perform(actions=[act("list", "configmaps", "backends", query=long) for _ in range(5)])

    require(account, recorded=0, lost=5, refused=0)
    assert account.errors == {"truncate": 10}, account.errors


BATCH = {
    "audit-webhook-config-file": "{receiver}",
    "audit-webhook-batch-max-wait": "1s",
    "audit-webhook-truncate-enabled": "true",
    "audit-webhook-truncate-max-event-size": "60000",
    "audit-webhook-truncate-max-batch-size": "60000",
}


@pytest.mark.audit_server(
    audit_log={"path": None},
    flags=BATCH,
    sabotage={"audit_log": {"path": None}, "flags": {**BATCH, "audit-webhook-batch-max-size": "1"}},
)
def test_the_largest_batch_size_does_not_bound_the_batches_of_batch_mode(backend: BackendServer) -> None:
    """truncate-max-batch-size does not bound what batch mode sends: it looks at events before they are batched."""
    account = backend.perform(actions=large(10, size=20_000), identity=WRITER, patience_s=10)

    require(account, recorded=10, lost=0)
    largest = max(attempt.bytes for attempt in backend.receiver.attempts())
    assert largest > 60_000, f"the largest batch had {largest} bytes, and was not expected to be bounded by 60000"
    backend.say(f"the largest batch had {largest:,} bytes, with truncate-max-batch-size=60000")
