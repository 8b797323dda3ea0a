"""The fence at work: what it closes, and everything that leaves a doubt.

The server is a fake at a seam: it answers what a test tells it to, counts, and writes a real audit log, which is read
by the real FileLog. The same on real servers stands in tests/live/test_prover.py.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from auditproof.audit.decide import decided_by
from auditproof.audit.policy.load import parse_policy
from auditproof.auditlog.file_log import FileLog
from auditproof.client.connection import Response
from auditproof.client.exchange import Exchange
from auditproof.errors import AuditproofError, LogUnreadable, WireError
from auditproof.kube.action import Request
from auditproof.kube.attributes import UserInfo, attributes_of
from auditproof.kube.identity import Identity
from auditproof.proof.fence.fence import FOLLOW_UP, ServerFence
from auditproof.proof.fence.result import Fence, Sent
from auditproof.proof.fence.sentinel import Sentinel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ALICE = Identity.x509("alice")
SENTINEL = Sentinel(Identity.x509("auditproof-fence"), Request("GET", "/sentinel"))
POLICY = parse_policy(
    b"apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: None\n- level: Metadata\n", "policy.yaml"
)  # which of its rules decides is up to the fake server
READ = Request("GET", "/api/v1/pods")


@dataclass
class FakeServer:
    """What stands behind wires and admin: a log, four counters, and what a test lets go wrong."""

    log: Path
    events: int = 0
    lost: int = 0
    rejected: int = 0
    excluded: int = 5  # its own requests, to be ready
    start: float = 7.0
    metrics_status: int = 200
    dead: str = ""
    unread: str = ""
    silent: set[str] = field(default_factory=set)
    forged: set[str] = field(default_factory=set)  # what a proxy answers in its name
    meanwhile: list[str] = field(default_factory=list)  # others' requests, each while the counters are read
    changes: int = 0  # of the events, those at level Request
    connection: int = 1
    now: datetime = NOW
    sent: list[tuple[str, str]] = field(default_factory=list)

    def record(self, audit_id: str, moment: str = "", level: str = "Metadata") -> None:
        self.events += 1
        self.changes += level == "Request"
        moment = moment or (self.now + timedelta(microseconds=self.events)).isoformat()
        event = {"kind": "Event", "auditID": audit_id, "level": level, "stage": "ResponseComplete"}
        event |= {"requestReceivedTimestamp": moment, "stageTimestamp": moment}
        with self.log.open("a") as file:
            file.write(json.dumps(event) + "\n")

    def answer(self, request: Request, audit_id: str) -> Response:
        """As Connection.send: what is not in ``silent`` is recorded."""
        self.sent.append((request.uri, audit_id))
        if request.uri in self.silent:
            self.excluded += 1
        elif not self.dead and request.uri not in self.forged:
            self.record(audit_id)
        echo = () if self.dead else (("Audit-Id", audit_id),)
        return Response(0 if self.dead else 200, echo, b"", self.connection, NOW, NOW, self.dead, audit_id)

    def metrics(self) -> Response:
        """As AdminClient.send: an error is raised there."""
        if self.dead:
            raise WireError(f"GET /metrics (set-up): {self.dead}")
        self.now += timedelta(milliseconds=20)
        begun, middle = self.now, self.now + timedelta(milliseconds=1)
        self.now += timedelta(milliseconds=2)
        name = self.meanwhile.pop() if self.meanwhile else ""
        record = partial(self.record, name, middle.isoformat(), "Request" if "change" in name else "Metadata")
        if name and "late" not in name:
            record()
        text = (
            f"apiserver_audit_event_total {self.events}\n"
            f'apiserver_audit_error_total{{plugin="log"}} {self.lost}\n'
            f'apiserver_audit_level_total{{level="None"}} {self.excluded}\n'
            f'apiserver_audit_level_total{{level="Metadata"}} {self.events - self.changes}\n'
            f'apiserver_audit_level_total{{level="Request"}} {self.changes}\n'
            f"apiserver_audit_requests_rejected_total {self.rejected}\n"
            f"process_start_time_seconds {self.start}\n"
        )
        if "late" in name:
            record()
        return Response(self.metrics_status, (), text.encode(), 1, begun, self.now, audit_id="setup-1")


class FakeWire:
    """A connection to the fake server."""

    def __init__(self, server: FakeServer) -> None:
        self.server = server
        self.closed = False

    def send(self, request: Request, *, audit_id: str, user_agent: str) -> Response:
        assert user_agent == "auditproof/fence"
        return self.server.answer(request, audit_id)

    def close(self) -> None:
        self.closed = True


class FakeAdmin:
    """An admin of the fake server."""

    def __init__(self, server: FakeServer) -> None:
        self.server = server

    def send(self, method: str, uri: str) -> Response:
        assert (method, uri) == ("GET", "/metrics")
        return self.server.metrics()

    def everywhere(self, method: str, uri: str) -> list[Response]:
        return [self.send(method, uri)]

    def unread_servers(self) -> str | None:
        return self.server.unread or None

    def user(self) -> UserInfo | None:
        return None

    def take_asked(self) -> list[tuple[str, str, str]]:
        return []

    def reach_again(self) -> None:
        raise AssertionError("one server is reached by one connection")


@pytest.fixture
def server(tmp_path: Path) -> FakeServer:
    (tmp_path / "audit.log").touch()
    return FakeServer(tmp_path / "audit.log")


@pytest.fixture
def make(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ServerFence]:
    """Makes a fence on the fake server; a sentinel that is not recorded is given up at once."""
    close = ServerFence.close
    monkeypatch.setattr(ServerFence, "close", lambda self, sent: close(self, sent, patience_s=0.05))
    monkeypatch.setattr(
        "auditproof.proof.fence.fence.decide",
        lambda _, attributes: decided_by(POLICY, POLICY.rules[attributes.path not in server.silent]),
    )

    def make(sentinel: Sentinel | None = SENTINEL, *, in_order: bool = True) -> ServerFence:
        numbers = iter(range(1000))
        view = SimpleNamespace(
            log=FileLog(server.log, in_order=in_order),
            cluster=SimpleNamespace(servers=1, is_shared=False, capabilities=()),
            failure=lambda: f"kube-apiserver has ended: {server.dead}" if server.dead else None,
            request_log=lambda: "",
        )
        connections = SimpleNamespace(new=lambda _: FakeWire(server), next_id=lambda: f"fence-{next(numbers)}")
        return ServerFence(
            cast("Any", view), cast("Any", FakeAdmin(server)), POLICY, sentinel, cast("Any", connections)
        )

    return make


def act(server: FakeServer, audit_id: str = "id-1", request: Request = READ, **changed: Any) -> Sent:
    """An action that was sent on a separate connection."""
    wire = cast("Any", FakeWire(server))
    answer = server.answer(request, audit_id)
    attributes = attributes_of(request.method, request.uri, ALICE.user_info())
    response = {"status": answer.status, "headers": answer.headers, "body": answer.body, "error": answer.error}
    exchange = Exchange(
        audit_id, ALICE, request, attributes, started=NOW, finished=NOW, **cast("Any", response | changed)
    )
    return Sent(exchange, wire, answer.connection)


def close(fence: ServerFence, *sent: Sent) -> Fence:
    return fence.close(sent)


def test_what_was_recorded_is_found_and_nothing_is_in_doubt(
    server: FakeServer, make: Callable[..., ServerFence]
) -> None:
    """A recorded and an excluded action in one batch: the fence closes both without a doubt."""
    server.silent.add("/api/v1/quiet")
    fence_of = make()
    fence_of.open()

    sent = act(server), act(server, "id-2", Request("GET", "/api/v1/quiet"))
    fence = fence_of.close(sent)

    assert [fence.doubts_about(item) for item in sent] == [(), ()]
    assert [event.audit_id for event in fence.events["id-1"]] == ["id-1"]
    assert "id-2" not in fence.events
    assert "GET /sentinel by auditproof-fence" in fence.text


def test_the_follow_up_comes_after_the_actions_and_the_sentinel_last(
    server: FakeServer, make: Callable[..., ServerFence]
) -> None:
    """The order is what makes the fence one: the sentinel's event follows every other event in the log."""
    fence_of = make()
    fence_of.open()

    close(fence_of, act(server))

    assert [uri for uri, _ in server.sent] == [READ.uri, FOLLOW_UP.uri, SENTINEL.request.uri]
    assert len({audit_id for _, audit_id in server.sent}) == 3


def test_a_wire_is_followed_up_once(server: FakeServer, make: Callable[..., ServerFence]) -> None:
    """One follow-up settles all requests that were sent on the same connection before it."""
    fence_of = make()
    fence_of.open()
    first = act(server)
    second = Sent(act(server, "id-2").exchange, first.wire, first.connection)

    fence = fence_of.close([first, second])

    assert [uri for uri, _ in server.sent].count(FOLLOW_UP.uri) == 1
    assert fence.doubts_about(second) == ()


def test_events_of_before_are_not_this_batchs(server: FakeServer, make: Callable[..., ServerFence]) -> None:
    """An event with the same Audit-ID that was in the log before the batch proves nothing about it."""
    server.record("id-1")
    server.silent.add(READ.uri)
    fence_of = make()
    fence_of.open()

    assert close(fence_of, act(server)).events.get("id-1", ()) == ()


def test_a_sentinel_that_is_not_recorded_is_a_doubt(server: FakeServer, make: Callable[..., ServerFence]) -> None:
    """The events that were read stay evidence; only absence proves nothing without the sentinel's event."""
    server.silent.add(SENTINEL.request.uri)
    fence_of = make()
    fence_of.open()
    sent = act(server)

    fence = close(fence_of, sent)

    (doubt,) = fence.doubts_about(sent)
    assert "the fence was not seen: timed out after 0.05 s waiting for the event of the sentinel" in doubt
    assert fence.text == ""
    assert "id-1" in fence.events


@pytest.mark.parametrize(
    ("change", "doubt"),
    [
        ({"lost": 2}, "the server counts 2 lost audit events and 0 rejected requests"),
        ({"rejected": 1}, "the server counts 0 lost audit events and 1 rejected requests"),
        ({"start": 8.0}, "the API server was restarted in between"),
        ({"metrics_status": 403}, "GET /metrics got HTTP 403: the audit counters cannot be read"),
    ],
)
def test_what_the_counters_say_is_a_doubt(
    server: FakeServer, make: Callable[..., ServerFence], change: dict[str, Any], doubt: str
) -> None:
    """Lost events, rejected requests, a restart and unreadable counters each leave exactly one doubt."""
    fence_of = make()
    fence_of.open()
    sent = act(server)
    for key, value in change.items():
        setattr(server, key, value)

    doubts = close(fence_of, sent).doubts_about(sent)

    assert len(doubts) == 1
    assert doubt in doubts[0]


def test_an_exclusion_that_the_server_has_not_counted_is_in_doubt(
    server: FakeServer, make: Callable[..., ServerFence]
) -> None:
    """A proxy that answered in place of the server would look like a policy that excludes the request."""
    server.silent.add("/api/v1/quiet")
    fence_of = make()
    fence_of.open()
    excluded = act(server, "id-1", Request("GET", "/api/v1/quiet"))
    recorded = act(server, "id-2")
    server.excluded -= 1

    fence = fence_of.close([excluded, recorded])

    assert fence.doubts_about(excluded) == ("the server counted 0 requests at level None, sent: 1",)
    assert fence.doubts_about(recorded) == ()


def test_another_request_during_the_reading_of_the_counters_does_not_make_up_for_one_that_never_came(
    server: FakeServer, make: Callable[..., ServerFence]
) -> None:
    server.forged.add(READ.uri)
    fence_of = make()
    fence_of.open()
    server.meanwhile.append("others-1")

    sent = act(server)
    fence = fence_of.close([sent])

    assert not server.meanwhile
    assert "never reached the policy" in " ".join(fence.doubts_about(sent))


@pytest.mark.parametrize("read", ["before", "after"])
def test_another_request_during_the_reading_of_the_counters_does_not_hide_a_changed_level(
    server: FakeServer, make: Callable[..., ServerFence], read: str
) -> None:
    """It may be in the difference of the counters or not: they are read again, without it."""
    fence_of = make()
    if read == "before":
        server.meanwhile.append("late-change-1")
    fence_of.open()
    sent = act(server)
    lines = server.log.read_text().splitlines(keepends=True)
    server.log.write_text("".join([*lines[:-1], lines[-1].replace("Metadata", "Request")]))
    if read == "after":
        server.meanwhile.append("change-1")

    fence = close(fence_of, sent)

    assert not server.meanwhile
    assert "something changed the log" in " ".join(fence.faults_of(sent.exchange))


def test_a_doubt_of_one_batch_is_not_the_next_ones(server: FakeServer, make: Callable[..., ServerFence]) -> None:
    """The counters are compared with those at the beginning of the batch, not with zero."""
    fence_of = make()
    fence_of.open()
    server.lost = 1
    assert close(fence_of, act(server)).doubts

    fence_of.open()

    assert close(fence_of, act(server, "id-2")).doubts == ()


def test_a_server_that_dies_is_a_doubt_with_its_last_words(
    server: FakeServer, make: Callable[..., ServerFence]
) -> None:
    """``close`` does not raise: the batch keeps the evidence that it has, and every absence is in doubt."""
    fence_of = make()
    fence_of.open()
    sent = act(server)
    server.dead = "connection refused"

    fence = close(fence_of, sent)

    assert fence.doubts == (
        "the fence was not seen: the sentinel got no response: connection refused",
        "kube-apiserver has ended: connection refused",
    )
    assert fence.closed == frozenset()


def test_nothing_begins_on_a_server_that_does_not_answer(server: FakeServer, make: Callable[..., ServerFence]) -> None:
    """``open`` raises, so that no action is performed whose verdict could only be UNPROVEN."""
    server.dead = "connection refused"

    with pytest.raises(WireError, match="connection refused"):
        make().open()


def test_nothing_begins_without_a_log(server: FakeServer, make: Callable[..., ServerFence]) -> None:
    server.log.unlink()

    with pytest.raises(LogUnreadable):
        make().open()


def test_nothing_begins_where_the_counters_cannot_be_read(server: FakeServer, make: Callable[..., ServerFence]) -> None:
    server.metrics_status = 401

    with pytest.raises(AuditproofError, match="GET /metrics got HTTP 401"):
        make().open()


def test_what_may_stand_in_another_log_is_in_doubt_where_it_is_absent(
    server: FakeServer, make: Callable[..., ServerFence]
) -> None:
    """With more servers than logs a recorded action is shown; an absent one may be in a log that is not read."""
    server.unread = "more API servers answer"
    server.silent.add("/excluded")
    fence_of = make()
    fence_of.open()
    recorded, absent = act(server, "id-1"), act(server, "id-2", Request("GET", "/excluded"))

    fence = close(fence_of, recorded, absent)

    assert fence.doubts_about(recorded) == ()
    assert (fence.doubts_about(absent), fence.unclear) == ((), "more API servers answer")


def test_a_line_that_is_no_event_is_a_doubt(server: FakeServer, make: Callable[..., ServerFence]) -> None:
    """The line may have been the event that is missing."""
    fence_of = make()
    fence_of.open()
    sent = act(server)
    with server.log.open("a") as file:
        file.write("this is no event\n")

    (doubt,) = close(fence_of, sent).doubts_about(sent)

    assert "this line is not an audit event" in doubt


def test_two_lines_of_one_event_that_differ_are_a_doubt(server: FakeServer, make: Callable[..., ServerFence]) -> None:
    """A server writes an event once: of two different lines at least one is not the server's."""
    fence_of = make()
    fence_of.open()

    sent = act(server)
    line = server.log.read_text().splitlines()[-1]
    with server.log.open("a") as file:
        file.write(line.replace("Metadata", "Request") + "\n")
    fence = fence_of.close([sent])

    assert any(
        "two different lines for ResponseComplete of request id-1" in doubt for doubt in fence.doubts_about(sent)
    )


def test_a_log_that_is_cut_is_a_doubt(server: FakeServer, make: Callable[..., ServerFence]) -> None:
    """A log that was truncated during the batch may have lost any event."""
    server.record("earlier")
    fence_of = make()
    fence_of.open()
    server.log.write_text("")
    server.silent.add(SENTINEL.request.uri)

    (doubt,) = close(fence_of).doubts

    assert "truncated" in doubt


@pytest.mark.parametrize(
    ("changed", "method", "sure"),
    [
        ({}, "GET", True),
        ({"headers": (("Content-Length", "2048"),)}, "GET", True),
        ({"headers": (("content-length", "2049"),)}, "GET", False),
        ({"status": 101}, "GET", False),
        ({"status": 504}, "GET", False),
        ({"error": "broken"}, "GET", False),
        ({}, "HEAD", False),
    ],
)
def test_a_connection_that_was_not_followed_up_needs_an_answer_that_shows_its_end(
    server: FakeServer, make: Callable[..., ServerFence], changed: dict[str, Any], method: str, sure: bool
) -> None:
    """Only a response that net/http ended after the handler had returned shows that the request is over."""
    server.silent.add(READ.uri)  # no last event shows it
    fence_of = make()
    fence_of.open()
    sent = act(server, request=Request(method, READ.uri), **changed)
    server.connection = 2  # the follow-up comes over another one

    doubts = close(fence_of, sent).doubts_about(sent)

    assert doubts == () if sure else re.search("before a follow-up request could show|answered 504", doubts[-1])


def test_an_answer_to_a_request_for_another_protocol_does_not_show_the_end(
    server: FakeServer, make: Callable[..., ServerFence]
) -> None:
    """After a switch of protocol the stream goes on, and its last event comes later."""
    server.silent.add(READ.uri)
    fence_of = make()
    fence_of.open()
    sent = act(server, request=Request("GET", READ.uri, upgrade="websocket"))
    server.connection = 2

    (doubt,) = close(fence_of, sent).doubts_about(sent)

    assert "before a follow-up request could show" in doubt


def test_the_last_event_of_a_request_shows_its_end_whatever_became_of_its_connection(
    server: FakeServer, make: Callable[..., ServerFence]
) -> None:
    fence_of = make()
    fence_of.open()
    sent = act(server, request=Request("GET", READ.uri, upgrade="websocket"))
    server.connection = 2

    assert close(fence_of, sent).doubts_about(sent) == ()


def test_a_policy_that_records_nothing_is_fenced_by_the_counter(
    server: FakeServer, make: Callable[..., ServerFence]
) -> None:
    """Without any event there is no sentinel: a counter that did not move proves that nothing was recorded."""
    server.silent |= {READ.uri, FOLLOW_UP.uri}
    fence_of = make(None)
    fence_of.open()
    sent = act(server)

    fence = close(fence_of, sent)

    assert fence.doubts_about(sent) == ()
    assert fence.text == "this policy records nothing: apiserver_audit_event_total did not move"


def test_the_sentinels_connection_is_kept_and_closed_at_the_end(
    server: FakeServer, make: Callable[..., ServerFence], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two fences share one connection: a new one for each would cost a TLS handshake."""
    wires: list[FakeWire] = []
    fence_of = make()
    monkeypatch.setattr(fence_of._connections, "new", lambda _: wires.append(FakeWire(server)) or wires[-1])
    for _ in range(2):
        fence_of.open()
        close(fence_of)

    fence_of.end()

    assert [wire.closed for wire in wires] == [True]


def test_nothing_begins_on_a_server_that_audits_nothing(server: FakeServer, make: Callable[..., ServerFence]) -> None:
    """A server without a policy has evaluated none, so its empty log must not count as a proof of exclusion."""
    server.excluded = 0

    with pytest.raises(AuditproofError, match="audit is off: this API server has no policy"):
        make().open()


def test_a_log_in_no_order_is_complete_when_it_holds_all_that_the_server_counts(
    server: FakeServer, make: Callable[..., ServerFence]
) -> None:
    """A webhook in batch mode delivers out of order, so a sentinel alone closes nothing."""
    server.record("before")
    fence = make(in_order=False)

    fence.open()
    first = fence.close([act(server)])
    fence.open()
    second = fence.close([act(server, "id-2")])

    assert (first.doubts, second.doubts) == ((), ())
    assert first.text.endswith("all 4 events that the server counts are there")
    assert list(second.events) == ["id-2", "fence-3"]


def test_an_event_that_may_still_come_is_a_doubt_though_the_sentinel_is_there(
    server: FakeServer, make: Callable[..., ServerFence]
) -> None:
    """In an unordered log the sentinel's event may overtake that of an action."""
    fence = make(in_order=False)
    fence.open()
    server.events += 1  # counted, and on its way

    (doubt,) = fence.close([act(server)]).doubts

    assert doubt == (
        "the fence was not seen: this log is unordered and holds 3 of the 4 events that the server counts: "
        "the others may still arrive"
    )


def test_without_counters_what_is_absent_is_in_doubt(server: FakeServer, make: Callable[..., ServerFence]) -> None:
    """Without /metrics lost events go unnoticed: only what was recorded is shown."""
    server.metrics_status = 403
    server.silent.add("/excluded")
    fence_of = make()
    fence_of.open()
    recorded, absent = act(server, "id-1"), act(server, "id-2", Request("GET", "/excluded"))

    fence = close(fence_of, recorded, absent)

    assert fence.doubts_about(recorded) == ()
    assert "lost events would go unnoticed" in fence.unclear
    assert fence.doubts_about(absent) == ()


@pytest.mark.parametrize(("more", "words"), [(2, "holds 2 fewer events"), (-1, "holds 1 more events")])
def test_a_log_that_does_not_hold_what_was_counted_is_not_sound(
    server: FakeServer, make: Callable[..., ServerFence], more: int, words: str
) -> None:
    """A log with more or fewer lines than the server counted is not evidence, not even for what it holds."""
    fence_of = make()
    fence_of.open()
    sent = act(server)
    server.events += more

    (why,) = close(fence_of, sent).faults_of(sent.exchange)

    assert words in why


def test_a_follow_up_that_somebody_else_answers_closes_nothing(
    server: FakeServer, make: Callable[..., ServerFence], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A response without the Audit-ID that was sent may be a proxy's, which knows nothing about the request."""
    fence_of = make()
    fence_of.open()
    sent = act(server, headers=(("Content-Length", "9999"),))
    answer = FakeServer.answer

    def without_echo(self: FakeServer, request: Request, audit_id: str) -> Response:
        given = answer(self, request, audit_id)
        return replace(given, headers=()) if request == FOLLOW_UP else given

    monkeypatch.setattr(FakeServer, "answer", without_echo)

    assert close(fence_of, sent).closed == frozenset()
