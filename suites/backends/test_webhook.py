"""The webhook backend, with a real receiver: what each mode does when it is slow, refuses, hangs up, or is down."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from auditproof import act
from auditproof.testing import Behaviour, FileLog, require

if TYPE_CHECKING:
    from auditproof.testing import BackendServer

pytestmark = [pytest.mark.backends, pytest.mark.audit_policy("../../fixtures/policies/backends.yaml")]

NO_LOG = {"path": None}
ATTEMPTS = (
    5  # of each batch, the first included (k8s.io/apiserver pkg/util/webhook DefaultRetryBackoffWithInitialDelay)
)


def webhook(mode: str, receiver: str = "{receiver}", **more: str) -> dict[str, str]:
    """Flags of a webhook that is quick to repeat, and in batch mode quick to send."""
    quick = {"initial-backoff": "10ms"} | ({"batch-max-wait": "100ms"} if mode == "batch" else {})
    flags = {"config-file": receiver, "mode": mode, **quick, **{key.replace("_", "-"): more[key] for key in more}}
    return {f"audit-webhook-{key}": value for key, value in flags.items()}


def server(mode: str, *, receiver: str = "{receiver}", twin: dict[str, str], **more: str) -> pytest.MarkDecorator:
    """A server with this webhook and no log; ``twin`` are the flags of its sabotage twin."""
    flags = webhook(mode, receiver, **more)
    return pytest.mark.audit_server(audit_log=NO_LOG, flags=flags, sabotage={"audit_log": NO_LOG, "flags": twin})


REFUSED = "{receiver:status=503}"
UNHARMED = {**webhook("blocking"), "v": "0{unharmed}"}


@server("blocking", twin=UNHARMED)
def test_a_refusal_is_repeated_four_times(backend: BackendServer) -> None:
    """Receiver answers 503 four times, blocking: the event is delivered at the fifth attempt, the request waits."""
    before = len(list(backend.receiver.attempts()))
    backend.harm(lambda: backend.receiver.behave(Behaviour(status=503, first=ATTEMPTS - 1)))()
    account = backend.perform(1)

    require(account, recorded=1, lost=0)
    attempts = list(backend.receiver.attempts())[before:]
    assert [one.status for one in attempts[:ATTEMPTS]] == [503] * 4 + [200], "the receiver refused nothing"
    waits = [round((b.time - a.time) * 1000) for a, b in pairwise(attempts[:ATTEMPTS])]
    backend.say(f"waits between the attempts, from an initial backoff of 10 ms: {', '.join(map(str, waits))} ms")


@pytest.mark.parametrize("status", [400, 503])
@server("blocking", twin=UNHARMED)
def test_what_is_refused_five_times_is_lost_and_no_request_fails(backend: BackendServer, status: int) -> None:
    """Receiver refuses, blocking: each event is lost after five attempts, and counted; requests wait."""
    before = len(list(backend.receiver.attempts()))
    account = backend.perform(4, midway=backend.harm(lambda: backend.receiver.behave(Behaviour(status=status))))

    require(account, recorded=2, lost=2, refused=0)
    refused = sum(1 for one in list(backend.receiver.attempts())[before:] if one.status == status)
    assert refused >= 2 * 2 * ATTEMPTS, f"{refused} attempts for 4 events"
    backend.say(f"a request with two events waited {account.slowest:.2f} s (initial backoff 10 ms; 10 s by default)")


@server("blocking", twin=UNHARMED)
def test_a_receiver_that_hangs_up_loses_events(backend: BackendServer) -> None:
    """Receiver hangs up, blocking: events are lost after five attempts, and counted."""
    account = backend.perform(4, midway=backend.harm(lambda: backend.receiver.behave(Behaviour(hang_up=True))))

    require(account, recorded=2, lost=2, refused=0)


@server("blocking", twin=UNHARMED)
def test_a_receiver_that_dies_in_between_loses_events_until_it_is_back(backend: BackendServer) -> None:
    """Receiver killed in between, blocking: events are lost and counted until it is back."""
    down = backend.perform(10, midway=backend.harm(backend.receiver.kill))
    backend.receiver.start_again()
    back = backend.perform(5)

    require(down, recorded=5, lost=5, refused=0)
    require(back, recorded=5)


@server("blocking", twin=webhook("batch"))
def test_a_slow_receiver_slows_every_request_down_in_blocking_mode(backend: BackendServer) -> None:
    """Receiver slow (0.2 s), blocking: every request waits once for each of its events."""
    backend.receiver.behave(Behaviour(delay=0.2))
    account = backend.perform(3)

    require(account, recorded=3, lost=0)
    assert account.slowest >= 0.4, f"the slowest request took {account.slowest:.2f} s, expected two waits of 0.2 s"


@server("blocking-strict", twin=webhook("blocking-strict", REFUSED))
def test_strict_mode_carries_everything_to_the_receiver(backend: BackendServer) -> None:
    """Every event is delivered, in order; the other modes: test_load.py."""
    account = backend.perform(20)

    require(account, recorded=20, lost=0, unproven=0, written_off=0)
    assert not account.doubts, account.doubts[0]


@server("blocking-strict", twin=webhook("blocking"))
def test_a_receiver_that_refuses_stops_requests_in_strict_mode(backend: BackendServer) -> None:
    """Receiver refuses, blocking-strict: requests are refused, but where RequestReceived is omitted they are served."""
    backend.receiver.behave(Behaviour(status=503))
    refused = backend.perform(4)
    omitted = backend.perform(actions=[act("get", f"secrets/number-{n}", "backends") for n in range(4)])

    require(refused, recorded=0, lost=4, refused=4)
    require(omitted, recorded=0, lost=4, refused=0)


@server("batch", twin=webhook("blocking"), initial_backoff="300ms")
def test_a_slow_receiver_slows_nothing_down_in_batch_mode(backend: BackendServer) -> None:
    """Receiver slow (0.5 s), batch: no request waits, and everything arrives later."""
    backend.receiver.behave(Behaviour(delay=0.5))
    account = backend.perform(5, patience_s=10)

    require(account, recorded=5, lost=0)
    assert account.slowest < 0.5, f"the slowest request took {account.slowest:.2f} s: it has waited for the receiver"


@server("batch", twin={**webhook("batch", initial_backoff="10m"), "v": "1"}, initial_backoff="300ms")
def test_a_receiver_that_is_down_for_a_while_gets_everything_later(backend: BackendServer) -> None:
    """Receiver killed and back in time, batch: nothing is proven meanwhile, everything is delivered later."""
    require(backend.perform(10), recorded=10)
    backend.receiver.kill()
    begun = time.monotonic()
    away = backend.perform(10, patience_s=0.1)
    backend.receiver.start_again()
    backend.wait_for_receiver(away.events or 0)
    back = backend.again()

    require(away, recorded=0, lost=0, unproven=10, written_off=0)
    require(back, recorded=10, lost=0)
    backend.say(f"everything had arrived {time.monotonic() - begun:.1f} s after the first request")


@server("batch", receiver="{receiver:down}", twin=webhook("batch"), initial_backoff="20ms")
def test_a_receiver_that_is_down_at_the_start_does_not_keep_the_server_from_starting(backend: BackendServer) -> None:
    """Receiver down from the start, batch: the server starts; after five attempts events are lost, and counted."""
    lost = backend.perform(10)
    backend.receiver.start_again()
    back = backend.perform(10)

    require(lost, recorded=0, lost=10, refused=0)
    require(back, recorded=10)


TOKEN = "{receiver:token}"


@server("blocking", receiver=TOKEN, twin=webhook("blocking", "{receiver:wrong}"))
def test_a_token_lets_the_server_in(backend: BackendServer) -> None:
    """Token instead of a client certificate: every event is delivered; with another token each is lost, and counted."""
    require(backend.perform(3), recorded=3, lost=0)


SMALL_EVENTS = {"audit-webhook-truncate-enabled": "true", "audit-webhook-truncate-max-event-size": "900"}


@pytest.mark.audit_server(flags=webhook("batch"), sabotage={"flags": {**webhook("batch"), **SMALL_EVENTS}})
def test_log_and_webhook_in_batch_mode_get_the_same_events(backend: BackendServer) -> None:
    """Log and webhook in batch mode at once: the same events, field by field, in whatever order."""
    account = backend.perform(20)

    require(account, recorded=20, lost=0, unproven=0)
    logged = sorted(repr(event.raw) for event in backend.read(FileLog(backend.log)))
    backend.wait_for_receiver(len(logged))
    received = sorted(repr(event.raw) for event in backend.read(backend.receiver.log(in_order=False)))
    assert len(received) == len(logged), f"{len(logged)} events in the log, {len(received)} came by the webhook"
    assert received == logged
