"""Batch mode: what waits in the buffer, what overflows, and what is left of it when the server ends."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from auditproof.testing import require

if TYPE_CHECKING:
    from auditproof.testing import BackendServer

pytestmark = [pytest.mark.backends, pytest.mark.audit_policy("../../fixtures/policies/backends.yaml")]

WAITING = {"mode": "batch", "batch-max-size": "1000", "batch-max-wait": "60s"}
PROMPT = {"mode": "batch", "batch-max-size": "1000", "batch-max-wait": "100ms"}
THROTTLED = {
    "mode": "batch",
    "batch-throttle-enable": "true",
    "batch-throttle-qps": "20",
    "batch-throttle-burst": "1",
}


@pytest.mark.audit_server(audit_log={**PROMPT, "batch-max-wait": "1s"}, sabotage={"audit_log": WAITING})
def test_the_fence_waits_for_a_batch_and_proves_by_its_order(backend: BackendServer) -> None:
    """batch-max-wait: events come late, but in order, so the sentinel's event shows that all earlier ones are there."""
    begun = time.monotonic()
    account = backend.perform(20, patience_s=5)

    require(account, recorded=20, lost=0, unproven=0)
    assert not account.doubts, account.doubts[0]
    backend.say(f"proven after {time.monotonic() - begun:.1f} s, with batch-max-wait=1s")


@pytest.mark.audit_spoils
@pytest.mark.audit_server(audit_log=WAITING, sabotage={"audit_log": PROMPT})
def test_sigterm_flushes_what_waits(backend: BackendServer) -> None:
    """SIGTERM: what waits is unproven, never a pass by waiting; the end of the server writes it all."""
    waiting = backend.perform(20, patience_s=0.5)
    backend.terminate()
    flushed = backend.again()

    require(waiting, recorded=0, unproven=20, lost=0)
    assert any("the fence was not seen" in doubt for doubt in waiting.doubts), waiting.doubts
    require(flushed, recorded=20, lost=0, unproven=0)


@pytest.mark.audit_spoils
@pytest.mark.audit_server(audit_log=WAITING, sabotage={"audit_log": {"mode": "blocking"}})
def test_sigkill_loses_what_waits(backend: BackendServer) -> None:
    """SIGKILL: what waits in the buffer is lost, and the counters that could say so die with the server."""
    account = backend.perform(20, then=backend.kill, patience_s=0.5)

    require(account, recorded=0, lost=20, unproven=0)
    assert account.events is None, "a dead server has no counters"


@pytest.mark.covers("T32")
@pytest.mark.audit_server(
    audit_log={**THROTTLED, "batch-buffer-size": "10"},
    sabotage={"audit_log": {**THROTTLED, "batch-throttle-enable": "false"}},
)
def test_an_overflow_loses_events_and_counts_every_one(backend: BackendServer) -> None:
    """Buffer full: what finds no room is lost, every event is counted, no request notices, and nothing is proven."""
    meanwhile = backend.perform(40, patience_s=0.5)
    backend.wait_until_settled()
    account = backend.again()

    assert account.lost, f"{account.text()}; expected some lost: 80 events for a buffer of 10, written at 20 a second"
    require(account, unproven=0, refused=0)
    assert account.errors.keys() == {"buffered"}, account.errors
    assert account.lines == (account.events or 0) - account.written_off
    assert meanwhile.doubts, "the fence proved something although events were lost"
    backend.say(f"{account.events} events = {account.lines} lines + {account.written_off} written off by the buffer")


SLOWER = {**THROTTLED, "batch-throttle-qps": "5"}  # a busy machine cannot be as slow by itself


@pytest.mark.audit_server(audit_log=SLOWER, sabotage={"audit_log": {**SLOWER, "batch-throttle-enable": "false"}})
def test_a_throttle_delays_events_and_no_request(backend: BackendServer) -> None:
    """Throttle (5 batches of one event a second): everything arrives, later; no request waits."""
    begun = time.monotonic()
    account = backend.perform(10, patience_s=15)
    seconds = time.monotonic() - begun

    require(account, recorded=10, lost=0, unproven=0)
    assert seconds > 3.5, f"21 events arrived after {seconds:.1f} s, expected 4 s at 5 a second: nothing was throttled"
    assert account.slowest < 1, f"a request took {account.slowest:.1f} s: it has waited for the throttle"
    backend.say(f"21 events arrived after {seconds:.1f} s; the slowest request took {account.slowest * 1000:.0f} ms")


WEBHOOK = {"audit-webhook-config-file": "{receiver}", "audit-webhook-batch-max-wait": "1s"}


@pytest.mark.audit_server(
    audit_log={"path": None},
    flags={**WEBHOOK, "audit-webhook-batch-max-size": "3", "audit-webhook-batch-throttle-qps": "1000"},
    sabotage={"audit_log": {"path": None}, "flags": {**WEBHOOK, "audit-webhook-batch-max-size": "400"}},
)
def test_a_full_batch_does_not_wait(backend: BackendServer) -> None:
    """batch-max-size (webhook): a batch goes when it has 3 events, or when batch-max-wait is over."""
    account = backend.perform(20, patience_s=10)

    require(account, recorded=20, lost=0)
    sizes = [attempt.events for attempt in backend.receiver.attempts()]
    assert max(sizes) == 3, f"the largest of {len(sizes)} batches had {max(sizes)} events, expected 3"
