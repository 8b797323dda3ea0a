"""Whether a rule fires on recorded events, and which field is missing if it does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from auditproof import Attributes, UserInfo
from auditproof.detections import Condition, Field, Not, Operator, Test, both, either
from auditproof.detections.examples import Firing

ASKED = Attributes(UserInfo("alice", ("system:authenticated",)), "create", "shop", "", "v1", "pods")


def equals(path: str, *values: str) -> Test:
    return Test(Field.at(path), Operator.EQUALS, values)


def exists(path: str) -> Test:
    return Test(Field.at(path), Operator.EXISTS)


def firing(condition: Condition, *, fires: bool | None = True, code: int | None = None, miss: bool = False) -> Firing:
    return Firing("rule", "A rule", 1, condition, ASKED, fires, code, miss)


def event(level: str = "RequestResponse", stage: str = "ResponseComplete", **more: Any) -> dict[str, Any]:
    head = {"level": level, "stage": stage, "verb": "create", "objectRef": {"resource": "pods"}}
    return {**head, "responseStatus": {"code": 201}, **more}


HOST_PID = equals("requestObject.spec.hostPID", "true")
WITH_PID = event(requestObject={"spec": {"hostPID": True}})


@pytest.mark.parametrize(
    ("condition", "events", "why"),
    [
        (HOST_PID, [], "no event was recorded"),
        (HOST_PID, [event("Metadata")],
         "requestObject.spec.hostPID = true: the event (Metadata, ResponseComplete) has no requestObject"),
        (HOST_PID, [event(requestObject={"spec": {"hostPID": False}})],
         "requestObject.spec.hostPID = true: the event (RequestResponse, ResponseComplete) has another value"),
        (both(HOST_PID, equals("verb", "update")), [event("Metadata"), WITH_PID],
         "verb = update: the event (RequestResponse, ResponseComplete) has create"),
        (equals("stage", "ResponseStarted"), [event()],
         "stage = ResponseStarted: the event (RequestResponse, ResponseComplete) has ResponseComplete"),
        (both(equals("verb", "create"), either(HOST_PID, equals("objectRef.name", "web"))), [event("Request")],
         "requestObject.spec.hostPID = true: the event (Request, ResponseComplete) has no requestObject"),
        (equals("verb", *"abcdef"), [event()],
         "verb = one of a, b, c, d, 2 more: the event (RequestResponse, ResponseComplete) has create"),
        (Not(equals("responseStatus.code", "201")), [event()],
         "not (responseStatus.code = 201): the event (RequestResponse, ResponseComplete) has 201"),
    ],
)  # fmt: skip
def test_silence_names_the_test_that_fails_on_the_event_that_comes_closest(
    condition: Condition, events: list[dict[str, Any]], why: str
) -> None:
    found = firing(condition)

    assert found.fired(events) is None
    assert found.silence(events) == why
    assert list(found.missing(events)) == [f"the rule 'A rule' is silent, but the policy feeds it: {why}"]


def test_values_of_bodies_are_not_quoted() -> None:
    """They may be secret."""
    secret = event(requestObject={"data": {"password": "canary"}})

    assert "canary" not in firing(equals("requestObject.data.password", "x")).silence([secret])


def test_a_rule_that_matches_only_because_a_field_is_not_recorded_does_not_fire() -> None:
    """At Metadata it matches every Ingress, with TLS or without."""
    without_tls = both(equals("verb", "create"), Not(exists("requestObject.spec.tls")))

    assert firing(without_tls).fired([event(requestObject={"spec": {}})])
    assert firing(without_tls).fired([event("Metadata")]) is None
    assert firing(without_tls).silence([event("Metadata")]) == (
        "the event (Metadata, ResponseComplete) lacks requestObject.spec.tls: the rule matches it only for that, "
        "and so every such request"
    )


def test_a_rule_that_fires_although_it_cannot_or_must_not_is_a_contradiction() -> None:
    assert list(firing(HOST_PID, fires=False).unlike([WITH_PID])) == [
        "the rule 'A rule' fires on RequestResponse, ResponseComplete, but by the policy it cannot see this request"
    ]
    assert list(firing(HOST_PID, fires=False, miss=True).unlike([WITH_PID])) == [
        "the rule 'A rule' fires on RequestResponse, ResponseComplete, but this request is a near miss"
    ]
    assert list(firing(HOST_PID, fires=True).unlike([WITH_PID])) == []
    assert list(firing(HOST_PID, fires=None).unlike([WITH_PID])) == []


def test_a_response_other_than_planned_makes_a_doubt_and_no_contradiction() -> None:
    """The request was not the one that the rule is about."""
    fires = firing(HOST_PID, fires=False, code=403)
    silent = firing(equals("responseStatus.code", "403"), code=403)

    assert list(fires.unlike([WITH_PID])) == []
    assert list(fires.doubts([WITH_PID])) == [
        "the response does not have the planned code 403, and the rule 'A rule' fires"
    ]
    assert list(silent.missing([event()])) == []
    assert list(silent.doubts([event()])) == [
        (
            "the response does not have the planned code 403, and the rule 'A rule' is silent: "
            "responseStatus.code = 403: the event (RequestResponse, ResponseComplete) has 201"
        )
    ]
    assert list(firing(HOST_PID, code=403).doubts([WITH_PID])) == [], "it fires, whatever the response"
    assert list(firing(equals("responseStatus.code", "403"), code=201).missing([event()])) != []


def test_a_field_that_the_api_server_does_not_keep_is_the_fault_of_the_rule() -> None:
    """A rule about a field that its kind of object does not have can never fire, and no policy can help."""
    rule = replace(firing(HOST_PID), body={"spec": {"hostPID": True}})

    assert list(rule.missing([event(requestObject={"spec": {}})])) == []
    assert rule.silence([event(requestObject={"spec": {}})]) == (
        "requestObject.spec.hostPID = true: it was sent, but the API server does not keep it"
    )
    assert list(rule.missing([event("Metadata")])) != [], "the object was not recorded"


def test_a_rule_that_reads_the_response_is_in_doubt_if_it_is_silent() -> None:
    """What the server would return could not be known before."""
    named = firing(equals("responseObject.metadata.name", "web"), fires=None)

    assert list(named.missing([event()])) == []
    assert list(named.doubts([event()])) == [
        (
            "the rule 'A rule' is silent, maybe for the response, which it reads: responseObject.metadata.name = web: "
            "the event (RequestResponse, ResponseComplete) has no responseObject"
        )
    ]
    assert list(named.doubts([event(responseObject={"metadata": {"name": "web"}})])) == []
