"""One line of a log against the types of audit.k8s.io/v1 Event."""

import json
import sys
from typing import Any

import pytest

from auditproof.audit.event_form import DEEPEST, NOT_READ, decode
from auditproof.audit.redact import redact, removed_texts
from auditproof.auditlog.file_log import event_of

EVENT = {
    "kind": "Event",
    "apiVersion": "audit.k8s.io/v1",
    "level": "Request",
    "auditID": "a",
    "stage": "ResponseComplete",
    "requestURI": "/api/v1/namespaces/shop/pods?limit=1",
    "verb": "create",
    "user": {"username": "alice", "uid": "1", "groups": ["dev"], "extra": {"scopes": ["a", "b"]}},
    "impersonatedUser": {"username": "bob"},
    "authenticationMetadata": {"impersonationConstraint": "impersonate:user-info"},
    "sourceIPs": ["10.0.0.1", "::1"],
    "userAgent": "kubectl",
    "objectRef": {"resource": "pods", "namespace": "shop", "name": "web", "apiVersion": "v1"},
    "responseStatus": {
        "metadata": {},
        "status": "Failure",
        "reason": "Forbidden",
        "details": {"kind": "pods"},
        "code": 403,
    },
    "requestReceivedTimestamp": "2026-11-23T10:00:00.000000Z",
    "stageTimestamp": "2026-11-23T10:00:00.100000Z",
    "annotations": {"authorization.k8s.io/decision": "forbid"},
}


def changed(path: str, value: Any) -> dict[str, Any]:
    event = json.loads(json.dumps(EVENT))
    *parents, last = path.split(".")
    place = event
    for step in parents:
        place = place[step]
    place[last] = value
    return dict(event)


def read(text: str) -> Any:
    return event_of(decode(text.encode()), "audit.log", 0)


def test_an_event_as_the_server_writes_it_is_taken_as_it_is() -> None:
    """An unknown field of a later Kubernetes version is kept, not refused."""
    text = json.dumps({**EVENT, "aFieldOfTomorrow": {"a": [1]}})

    assert read(text).raw == json.loads(text)


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("kind", "Pod", "kind is \"Pod\", not 'Event'"),
        ("apiVersion", "v1", "apiVersion is \"v1\", not 'audit.k8s.io/v1'"),
        ("level", "None at all", "there is no level"),
        ("stage", [], "stage is a list, not a string"),
        ("auditID", 5, "auditID is 5, not a string"),
        ("requestURI", 5, "requestURI is 5, not a string"),
        ("user", "alice", 'user is "alice", not an object'),
        ("user.username", ["alice"], "user.username is a list, not a string"),
        ("user.groups", "dev", 'user.groups is "dev", not a list'),
        ("user.groups", ["dev", 1], "user.groups is 1, not a string"),
        ("user.extra", {"scopes": "a"}, 'user.extra.scopes is "a", not a list'),
        ("impersonatedUser", True, "impersonatedUser is true, not an object"),
        ("impersonatedUser.groups", [None], "impersonatedUser.groups is null, not a string"),
        ("authenticationMetadata", [], "authenticationMetadata is a list, not an object"),
        ("sourceIPs", [{}], "sourceIPs is an object, not a string"),
        ("userAgent", {}, "userAgent is an object, not a string"),
        ("objectRef", "pods", 'objectRef is "pods", not an object'),
        ("objectRef.name", 1, "objectRef.name is 1, not a string"),
        ("responseStatus", "OK", 'responseStatus is "OK", not an object'),
        ("responseStatus.code", "200", 'responseStatus.code is "200", not an integer'),
        ("responseStatus.code", 200.0, "responseStatus.code is 200.0, not an integer"),
        ("responseStatus.code", True, "responseStatus.code is true, not an integer"),
        ("responseStatus.code", 2**31, "responseStatus.code is 2147483648, not an integer"),
        ("responseStatus.details", [], "responseStatus.details is a list, not an object"),
        ("stageTimestamp", "yesterday", 'stageTimestamp is "yesterday", not an RFC 3339 time'),
        ("stageTimestamp", "2026-02-30T10:00:00.000000Z", "not an RFC 3339 time"),
        ("stageTimestamp", "2026-W48-4T10:00:00.000000Z", "not an RFC 3339 time"),
        ("stageTimestamp", "0001-01-01T00:00:00.000000+01:00", "not an RFC 3339 time"),
        ("requestReceivedTimestamp", 5, "requestReceivedTimestamp is 5, not an RFC 3339 time"),
        ("annotations", [], "annotations is a list, not an object"),
        ("annotations.x", 1, "annotations.x is 1, not a string"),
        (
            "aFieldOfTomorrow",
            json.loads("[" * 200 + "]" * 200),
            "aFieldOfTomorrow is a list, not of at most 100 levels",
        ),
    ],
)
def test_a_field_of_another_type_is_told(path: str, value: Any, told: str) -> None:
    with pytest.raises(ValueError) as refused:
        read(json.dumps(changed(path, value)))
    assert told in str(refused.value)


@pytest.mark.parametrize(
    "path", ["user", "user.groups", "objectRef", "responseStatus", "annotations", "stageTimestamp"]
)
def test_a_field_that_is_null_is_not_there(path: str) -> None:
    """Go reads null as the zero value, so an event with null equals one without the key."""
    event = read(json.dumps(changed(path, None)))

    assert "null" not in json.dumps(event.raw)
    assert (event.username, event.code) in {("alice", 403), ("", 403), ("alice", None)}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"level":', '"level":"Metadata","level":', 'the line has the duplicate key "level"'),
        ('"username":', '"username":"root","username":', 'user has the duplicate key "username"'),
        ('"scopes":', '"scopes":[],"scopes":', 'user.extra has the duplicate key "scopes"'),
        ('"code":', '"code":200,"code":', 'responseStatus has the duplicate key "code"'),
        ('"verb":', '"x":"\\ud800","verb":"get","verb":', 'the line has the duplicate key "verb"'),
    ],
)
def test_a_key_that_is_there_twice_is_told(old: str, new: str, told: str) -> None:
    with pytest.raises(ValueError) as refused:
        read(json.dumps(EVENT).replace(" ", "").replace(old, new, 1))
    assert told in str(refused.value)


def test_a_body_may_hold_a_key_twice_because_a_client_may_send_it_so() -> None:
    """Outside the bodies a repeated key is refused, because no server writes one there."""
    text = json.dumps(EVENT)[:-1] + ', "requestObject": {"a": 1, "a": 2}}'

    assert read(text).raw["requestObject"] == {"a": 2}


@pytest.mark.parametrize("levels", [50, DEEPEST + 1, 900, 3000, 9_000])
def test_a_body_of_any_depth_is_cut_and_nothing_else(levels: int) -> None:
    """The rest of the event stays evidence, whatever a client has nested."""
    body = '{"a":[' * (levels // 2) + '"]}"' + "]}" * (levels // 2)
    text = json.dumps(EVENT)[:-1] + f', "requestObject": {{"deep": {body}, "flat": 1}}}}'

    raw = read(text).raw

    assert raw["requestObject"]["flat"] == 1
    assert (NOT_READ in json.dumps(raw)) == (levels > DEEPEST)
    assert raw.keys() == {*EVENT, "requestObject"}
    assert "nested deeper" in json.dumps(redact(raw)) or levels < DEEPEST
    assert removed_texts(raw) is not None


@pytest.mark.parametrize(
    "body",
    ["[" * 20_000 + "]" * 20_000, "[" * 3000 + "]" * 2999, "[" * 3000 + "}" * 3000, "[" * 3000 + "x" + "]" * 3000],
    ids=["deeper than Go", "not closed", "closed otherwise", "not JSON inside"],
)
def test_what_is_deep_and_not_json_is_no_event(body: str) -> None:
    with pytest.raises(ValueError):
        read(json.dumps(EVENT)[:-1] + f', "requestObject": {body}}}')


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", "1 2", "", '{"a":1}x', "\ufeff{}"])
def test_what_python_would_take_and_go_would_not_is_no_json(text: str) -> None:
    """NaN and Infinity are accepted by Python's json, and by no API server."""
    with pytest.raises(ValueError):
        decode(text.encode())


def test_what_neither_python_nor_a_report_can_hold_stays_text() -> None:
    value = decode(f'{{"long": {"9" * 5000}, "great": 1e999, "half": "a\\ud800b", "whole": "\\ud83d\\ude00"}}'.encode())

    assert value == {"long": "9" * 5000, "great": "1e999", "half": "a\ufffdb", "whole": "\U0001f600"}


def test_reading_asks_for_no_room_on_the_stack() -> None:
    """At half of the recursion limit, reading a deep body must not raise RecursionError."""

    def at_the_bottom(frames: int) -> Any:
        return at_the_bottom(frames - 1) if frames else decode(b'{"requestObject":' + b"[" * 5000 + b"]" * 5000 + b"}")

    assert NOT_READ in json.dumps(at_the_bottom(sys.getrecursionlimit() // 2))
