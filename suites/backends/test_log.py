"""The log backend: what its modes and formats carry to the reader, and what becomes of it when the file goes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from auditproof import act
from auditproof.testing import (
    NO_LEVEL,
    ClusterError,
    FileLog,
    UnexpectedDelivery,
    legacy_line_of,
    parse_legacy,
    require,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditproof.testing import BackendServer

pytestmark = [pytest.mark.backends, pytest.mark.audit_policy("../../fixtures/policies/backends.yaml")]

FULL = {"path": "{disk:1m}/audit.log"}
NOWHERE = {"audit_log": {"path": "/dev/null"}}
UNHARMED = {"v": "0{unharmed}"}


@pytest.mark.audit_server(audit_log={"path": "-"}, sabotage=NOWHERE)
def test_what_goes_to_standard_output_is_read_between_the_servers_own_words(backend: BackendServer) -> None:
    """--audit-log-path=-: every event is in the server's output, between its own words."""
    account = backend.perform(20)

    require(account, recorded=20, lost=0, unproven=0)
    assert not account.doubts, account.doubts[0]
    own_words = len(backend.log.read_bytes().splitlines()) - (account.lines or 0)
    assert own_words > 0, "the server itself said nothing: this is not its output"


@pytest.mark.audit_server(
    audit_log={"format": "legacy"},
    flags={"audit-webhook-config-file": "{receiver}", "audit-webhook-mode": "blocking"},
    sabotage={
        "audit_log": {"format": "json"},
        "flags": {"audit-webhook-config-file": "{receiver}", "audit-webhook-mode": "blocking"},
    },
)
def test_the_legacy_format_shows_who_and_what_but_no_level(backend: BackendServer) -> None:
    """Legacy: every line says of its event what it can say, and nothing is proven by it, for it has no level."""
    account = backend.perform(20)

    require(account, recorded=0, unproven=20, lost=0)
    assert NO_LEVEL in " ".join(account.doubts), "the reader does not say what the format cannot show"
    lines = [parse_legacy(line).fields for line in backend.log.read_text().splitlines()]
    events = backend.read(backend.receiver.log(in_order=True))
    assert lines == [legacy_line_of(event.raw) for event in events]
    assert len(lines) == account.events


@pytest.mark.audit_spoils
@pytest.mark.audit_server(
    audit_log={"mode": "blocking", **FULL}, sabotage={"audit_log": {"mode": "blocking-strict", **FULL}}
)
def test_a_full_disk_loses_events_in_blocking_mode_and_no_request_notices(backend: BackendServer) -> None:
    """Full disk, blocking: requests are served, their events are lost, every loss is counted."""
    account = backend.perform(20, midway=backend.fill_disk)

    require(account, recorded=10, lost=10, refused=0)
    assert account.errors.keys() == {"log"}, account.errors


@pytest.mark.audit_spoils
@pytest.mark.audit_server(
    audit_log={"mode": "batch", **FULL}, sabotage={"audit_log": {"mode": "blocking-strict", **FULL}}
)
def test_a_full_disk_loses_events_in_batch_mode_and_no_request_notices(backend: BackendServer) -> None:
    """Full disk, batch: requests are served, their events are lost, every loss is counted."""
    account = backend.perform(20, midway=backend.fill_disk)

    require(account, recorded=10, lost=10, refused=0)
    assert account.errors.keys() == {"log"}, account.errors


@pytest.mark.covers("T30")
@pytest.mark.audit_spoils
@pytest.mark.audit_server(
    audit_log={"mode": "blocking-strict", **FULL}, sabotage={"audit_log": {"mode": "blocking", **FULL}}
)
def test_a_full_disk_stops_requests_in_strict_mode_but_not_those_whose_beginning_is_not_recorded(
    backend: BackendServer,
) -> None:
    """Full disk, blocking-strict: requests are refused, but where RequestReceived is omitted they are served unseen."""
    refused = backend.perform(20, midway=backend.fill_disk)
    omitted = backend.perform(actions=[act("get", f"secrets/number-{n}", "backends") for n in range(10)])
    (backend.disk / "filler").unlink()
    again = backend.perform(10)

    require(refused, recorded=10, lost=10, refused=10)
    require(omitted, recorded=0, lost=10, refused=0)
    require(again, recorded=10, refused=0)
    if again.lines is None:
        backend.say(
            "the full disk left a cut line, and the next event stands glued to it: no reader of lines can use either"
        )


@pytest.mark.audit_spoils
@pytest.mark.audit_server(sabotage={"flags": UNHARMED})
def test_a_deleted_log_is_written_on_and_no_counter_says_so(backend: BackendServer) -> None:
    """Log deleted: the server writes on where nobody can read, and counts no error; nothing is proven."""
    account = backend.perform(20, midway=backend.harm(backend.log.unlink))

    require(account, recorded=0, lost=0, unproven=20, written_off=0)
    assert "cannot read the audit log" in " ".join(account.doubts), account.doubts


@pytest.mark.audit_spoils
@pytest.mark.audit_server(sabotage={"flags": UNHARMED})
def test_a_truncated_log_has_lost_what_stood_there_and_no_counter_says_so(backend: BackendServer) -> None:
    """Log truncated: what stood there is gone, and no counter says so; nothing is proven."""
    backend.perform(2)
    account = backend.perform(20, midway=backend.harm(lambda: os.truncate(backend.log, 0)))

    require(account, recorded=10, unproven=10, written_off=0)
    assert "was truncated" in " ".join(account.doubts), account.doubts
    assert account.events is not None and account.lines is not None
    backend.say(f"{account.events - account.lines} events stood in the file, and no counter knows that they are gone")


@pytest.mark.audit_server(audit_log={"path": "/proc/audit.log"}, sabotage={"audit_log": {}})
def test_a_log_that_cannot_be_opened_keeps_the_server_down(start_backend: Callable[[], BackendServer]) -> None:
    """Log cannot be opened: the API server does not start, and says why."""
    try:
        start_backend()
    except ClusterError as error:
        assert "ensureLogFile: open /proc/audit.log" in str(error), error
    else:
        raise UnexpectedDelivery("the API server started, although its log cannot be opened")


BOTH = {"audit-webhook-config-file": "{receiver}", "audit-webhook-mode": "blocking"}
SMALL_EVENTS = {"audit-webhook-truncate-enabled": "true", "audit-webhook-truncate-max-event-size": "900"}


@pytest.mark.audit_server(
    flags=BOTH,
    sabotage={"flags": {**BOTH, **SMALL_EVENTS}},
)
def test_log_and_webhook_get_the_same_events(backend: BackendServer) -> None:
    """Log and webhook at once: the same events, field by field, in the same order."""
    account = backend.perform(20)

    require(account, recorded=20, lost=0, unproven=0)
    received = [event.raw for event in backend.read(backend.receiver.log(in_order=True))]
    logged = [event.raw for event in backend.read(FileLog(backend.log))]
    assert len(received) == len(logged), f"{len(logged)} events in the log, {len(received)} came by the webhook"
    assert received == logged
