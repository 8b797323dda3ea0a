"""An event held against the request that was sent: every field that differs is told, and no field that does not."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from auditproof.audit.event import AuditEvent, Level, Stage
from auditproof.client.exchange import Exchange
from auditproof.kube.action import Request
from auditproof.kube.attributes import attributes_of
from auditproof.kube.authenticated import AuthenticatedUser
from auditproof.kube.identity import Identity
from auditproof.proof.clock import Clock
from auditproof.proof.event_match import claimed_addresses, contradictions, out_of_time

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ALICE = Identity.x509("alice", "developers")
READ = Request("GET", "/api/v1/namespaces/shop/secrets/db")
USER = AuthenticatedUser("alice", ("developers", "system:authenticated"), "7", (("team", ("a", "b")),))
SENT = Exchange(
    "id-1",
    ALICE,
    READ,
    attributes_of(READ.method, READ.uri, ALICE.user_info()),
    200,
    (("Audit-Id", "id-1"),),
    b"",
    NOW,
    NOW + timedelta(seconds=1),
    user=USER,
    user_agent="auditproof/case",
    client="127.0.0.1",
)
WHOLE: dict[str, Any] = {
    "user": {
        "username": "alice",
        "uid": "7",
        "groups": ["developers", "system:authenticated"],
        "extra": {"team": ["a", "b"]},
    },
    "verb": "get",
    "requestURI": READ.uri,
    "objectRef": {"resource": "secrets", "namespace": "shop", "name": "db", "apiVersion": "v1"},
    "sourceIPs": ["127.0.0.1"],
    "userAgent": "auditproof/case",
    "responseStatus": {"code": 200},
    "requestReceivedTimestamp": (NOW + timedelta(milliseconds=1)).isoformat(),
    "stageTimestamp": (NOW + timedelta(milliseconds=3)).isoformat(),
}


def event(stage: Stage = Stage.RESPONSE_COMPLETE, **changed: Any) -> AuditEvent:
    """The whole event; a dotted key changes a part of it, None takes it away."""
    raw = copy.deepcopy(WHOLE)
    for path, value in changed.items():
        *way, last = path.split("__")
        place = raw
        for step in way:
            place = place[step]
        place[last] = value
        if value is None:
            del place[last]
    return AuditEvent("id-1", Level.METADATA, stage, raw)


def test_a_whole_event_of_the_request_contradicts_nothing() -> None:
    """The sample that the other tests change is itself free of contradictions."""
    assert list(contradictions(event(), SENT)) == []
    assert list(out_of_time((event(),), SENT, Clock())) == []


@pytest.mark.parametrize(
    ("changed", "names"),
    [
        ({"user__username": "mallory"}, "user"),
        ({"user": None}, "user"),
        ({"user__groups": ["system:authenticated", "developers"]}, "groups"),
        ({"user__groups": ["developers", "system:authenticated", "system:masters"]}, "groups"),
        ({"user__groups": None}, "groups"),
        ({"user__uid": "8"}, "uid"),
        ({"user__uid": None}, "uid"),
        ({"user__extra": None}, "extra"),
        ({"user__extra__team": ["a"]}, "extra"),
        ({"verb": "list"}, "verb"),
        ({"verb": None}, "verb"),
        ({"requestURI": "/api/v1/namespaces/shop/secrets/db?x=1"}, "requestURI"),
        ({"requestURI": None}, "requestURI"),
        ({"objectRef__resource": "pods"}, "resource"),
        ({"objectRef__namespace": "bank"}, "namespace"),
        ({"objectRef__name": "key"}, "name"),
        ({"objectRef__apiVersion": "v2"}, "apiVersion"),
        ({"objectRef__apiGroup": "apps"}, "apiGroup"),
        ({"objectRef__subresource": "status"}, "subresource"),
        ({"sourceIPs": ["10.0.0.1"]}, "sourceIPs"),
        ({"sourceIPs": ["10.0.0.1", "127.0.0.1"]}, "sourceIPs"),
        ({"sourceIPs": None}, "sourceIPs"),
        ({"userAgent": "curl/8"}, "userAgent"),
        ({"userAgent": None}, "userAgent"),
        ({"responseStatus__code": 403}, "code 403"),
        ({"responseStatus": None}, "code None"),
    ],
    ids=str,
)
def test_every_field_that_differs_is_told(changed: dict[str, Any], names: str) -> None:
    """One changed field causes exactly one reason, which names the field."""
    (reason,) = contradictions(event(**changed), SENT)

    assert names in reason


@pytest.mark.parametrize(("code", "count"), [(500, 0), (200, 1), (None, 1)])
def test_a_panic_is_recorded_with_500(code: int | None, count: int) -> None:
    """An event that was put at stage Panic afterwards keeps the code of its real stage."""
    assert len(list(contradictions(event(Stage.PANIC, responseStatus__code=code), SENT))) == count


def test_keys_beside_their_place_do_not_stand_for_others() -> None:
    """What objectRef calls user or verb is neither."""
    forged = event(user__username="mallory", verb="list")
    forged.raw["objectRef"].update(user="alice", verb="get")

    assert len(list(contradictions(forged, SENT))) == 2


def test_an_impersonated_user_must_be_the_one_that_was_asked_for() -> None:
    """An impersonated user in an event of a request that impersonates none is a contradiction."""
    found = event()
    found.raw["impersonatedUser"] = {"username": "root"}

    assert "the request impersonates none" in next(contradictions(found, SENT))


def test_nothing_was_answered_when_the_request_came() -> None:
    """At RequestReceived there is no response yet, so a responseStatus there is no server's."""
    assert "there was none yet" in next(contradictions(event(Stage.REQUEST_RECEIVED), SENT))


def test_a_request_for_no_resource_has_no_reference() -> None:
    request = Request("GET", "/version")
    sent = replace(SENT, request=request, attributes=attributes_of("GET", "/version", ALICE.user_info()))

    assert any("objectRef" in reason for reason in contradictions(event(requestURI="/version"), sent))


@pytest.mark.parametrize(
    ("headers", "addresses"),
    [
        ((), []),
        ((("X-Forwarded-For", "10.0.0.1, nobody, ::ffff:10.0.0.2"),), ["10.0.0.1", "10.0.0.2"]),
        ((("X-Forwarded-For", "10.0.0.1"), ("X-Forwarded-For", "10.0.0.9")), ["10.0.0.1"]),
        ((("x-real-ip", "10.0.0.1"), ("X-Forwarded-For", "10.0.0.1")), ["10.0.0.1"]),
        ((("X-Real-IP", "010.0.0.1"),), ["10.0.0.1"]),
        ((("X-Real-IP", "2001:DB8::1"),), ["2001:db8::1"]),
    ],
    ids=str,
)
def test_the_addresses_that_a_request_names_itself(headers: tuple[tuple[str, str], ...], addresses: list[str]) -> None:
    """As SourceIPs of k8s.io/apimachinery pkg/util/net/http.go takes them."""
    assert claimed_addresses(headers) == addresses


def test_behind_something_unknown_only_the_claimed_addresses_are_compared() -> None:
    """A proxy may append its own addresses, but the ones that the client claimed come first."""
    sent = replace(SENT, client="", request=replace(READ, headers=(("X-Forwarded-For", "10.0.0.1"),)))

    assert list(contradictions(event(sourceIPs=["10.0.0.1", "192.0.2.7"]), sent)) == []
    assert "sourceIPs" in next(contradictions(event(sourceIPs=["192.0.2.7"]), sent))


def test_a_clock_that_is_ahead_by_a_known_time_is_allowed_for() -> None:
    """The same event is of another time if the offset of the server's clock is not known."""
    hour = timedelta(hours=1)
    late = event(
        requestReceivedTimestamp=(NOW + hour).isoformat(), stageTimestamp=(NOW + hour + timedelta(0, 0, 1)).isoformat()
    )

    assert list(out_of_time((late,), SENT, Clock(hour, hour))) == []
    assert "but this one was sent between" in next(out_of_time((late,), SENT, Clock()))
