"""The receiver of audit events: what it keeps, whom it lets in, that it can be killed. A real process on loopback."""

from __future__ import annotations

import http.client
import json
import ssl
from typing import TYPE_CHECKING, Any

import pytest

from auditproof.clusters.run.run_directory import RunDirectory
from auditproof.clusters.stand_ins.event_receiver import Behaviour, EventReceiver
from auditproof.clusters.stand_ins.event_receiver_process import events_of

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def run() -> Iterator[RunDirectory]:
    directory = RunDirectory.create()
    yield directory
    directory.close()


@pytest.fixture(scope="module")
def receiver(run: RunDirectory) -> Iterator[EventReceiver]:
    receiver = EventReceiver(run, "receiver")
    receiver.start()
    yield receiver
    receiver.close()


def event(audit_id: str) -> dict[str, str]:
    return {"auditID": audit_id, "level": "Metadata", "stage": "ResponseComplete"}


def post(receiver: EventReceiver, *audit_ids: str, token: str = "", certificate: bool = True) -> int:
    """Send a batch as the API server does, by the receiver's own kubeconfig; answers the status."""
    config: dict[str, Any] = json.loads(receiver.kubeconfig.read_text())
    user = config["users"][0]["user"]
    context = ssl.create_default_context(cafile=config["clusters"][0]["cluster"]["certificate-authority"])
    if certificate and "client-certificate" in user:
        context.load_cert_chain(user["client-certificate"], user["client-key"])
    connection = http.client.HTTPSConnection("127.0.0.1", receiver.port, context=context, timeout=10)
    body = json.dumps({"kind": "EventList", "items": [event(name) for name in audit_ids]})
    try:
        connection.request("POST", "/audit", body, {"Authorization": f"Bearer {token}"} if token else {})
        return connection.getresponse().status
    finally:
        connection.close()


def ids(receiver: EventReceiver) -> list[str]:
    log = receiver.log(in_order=True)
    return [event.audit_id for event in log.read(log.beginning(), lambda _: True).events]


def test_what_is_answered_200_stands_in_the_log_once(receiver: EventReceiver) -> None:
    """A server sends a batch again if the response was lost; the repeated event is counted, not written."""
    assert [post(receiver, "a", "b"), post(receiver, "b", "c")] == [200, 200]

    assert ids(receiver) == ["a", "b", "c"]
    assert [(attempt.events, attempt.again) for attempt in receiver.attempts()] == [(2, 0), (2, 1)]


def test_an_event_of_any_depth_costs_the_others_of_its_batch_nothing() -> None:
    """The batch is cut into lines without decoding, which a body of 5,000 levels would break."""
    items = ['{"auditID":"a","level":"Metadata"}', '{"auditID":"b}]","requestObject":' + "[" * 5000 + "]" * 5000 + "}"]
    text = '{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[' + ",\n".join(items) + "]}"

    head = '{"kind":"Event","apiVersion":"audit.k8s.io/v1",'
    assert [line.decode() for line in events_of(text.encode())] == [head + item[1:] for item in items]
    assert events_of(b'{"items": null}') == events_of(b'{"items": []}') == events_of(b"{}") == []


@pytest.mark.parametrize(
    "body", ["", "[]", "1", '{"items": [1]}', '{"items": {}}', '{"items": [{}', '{"items": [{}]]', "[[{}]]"]
)
def test_what_is_no_list_of_events_is_refused(body: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        events_of(body.encode())


def test_what_is_refused_is_not_kept_and_only_so_often(receiver: EventReceiver) -> None:
    """``first`` limits the misbehaviour, so that the server's retry is accepted."""
    receiver.behave(Behaviour(status=503, first=2))

    assert [post(receiver, "d") for _ in range(3)] == [503, 503, 200]
    assert ids(receiver).count("d") == 1


def test_a_receiver_can_hang_up(receiver: EventReceiver) -> None:
    receiver.behave(Behaviour(hang_up=True))
    with pytest.raises(http.client.RemoteDisconnected):
        post(receiver, "e")
    receiver.behave(Behaviour())

    assert "e" not in ids(receiver)


def test_a_client_without_a_certificate_is_not_let_in(receiver: EventReceiver) -> None:
    """Another process of the machine must not be able to add events."""
    with pytest.raises((ssl.SSLError, OSError)):
        post(receiver, "f", certificate=False)


def test_it_is_killed_and_comes_back_on_the_same_port(receiver: EventReceiver) -> None:
    """It remembers which events it has written, also across the restart."""
    post(receiver, "g")
    receiver.kill()
    with pytest.raises(ConnectionRefusedError):
        post(receiver, "h")
    receiver.start()

    assert [post(receiver, "g"), post(receiver, "i")] == [200, 200]
    assert ids(receiver)[-2:] == ["g", "i"]


def test_a_token_is_checked(run: RunDirectory) -> None:
    receiver = EventReceiver(run, "with-token", token="right")
    receiver.start()

    assert [post(receiver, "a", token="wrong"), post(receiver, "a", token="right")] == [401, 200]
    receiver.close()
