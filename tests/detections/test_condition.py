"""Conditions of detection rules on one event."""

from __future__ import annotations

import pytest

from auditproof.detections import (
    ANYWHERE,
    FALSE,
    TRUE,
    Derived,
    Field,
    Not,
    Operator,
    Test,
    both,
    either,
    matches,
    negated,
)

EVENT = {
    "verb": "create",
    "requestURI": "/api/v1/namespaces/shop/pods/web/exec?command=%2Fbin%2Fsh&command=-c",
    "responseStatus": {"code": 201},
    "requestObject": {
        "metadata": {"annotations": None},
        "spec": {
            "hostPID": True,
            "containers": [{"image": "registry.test:5000/shop/web:1.2"}, {"image": "shop/log@sha256:00"}],
            "volumes": [{"hostPath": {"path": "/etc"}}],
        },
    },
}
IMAGES = ("requestObject", "spec", "containers", "*", "image")


def one(path: str, operator: Operator, *values: str, every: bool = False, fold: bool = False) -> Test:
    return Test(Field.at(path), operator, values, every, fold)


@pytest.mark.parametrize(
    ("condition", "true"),
    [
        (one("verb", Operator.EQUALS, "get", "create"), True),
        (one("verb", Operator.EQUALS, "CREATE"), False),
        (one("verb", Operator.EQUALS, "CREATE", fold=True), True),
        (one("responseStatus.code", Operator.STARTS_WITH, "2"), True),
        (one("responseStatus.code", Operator.GREATER_OR_EQUAL, "400"), False),
        (one("responseStatus.code", Operator.LESS, "400"), True),
        (one("responseStatus.code", Operator.LESS, "ALLOW"), False),
        (one("requestObject.spec.hostPID", Operator.EQUALS, "true"), True),
        (one("requestObject.metadata.annotations", Operator.EXISTS), False),
        (one("requestObject.spec.containers.1.image", Operator.CONTAINS, "log"), True),
        (one("requestObject.spec.containers.*.image", Operator.CONTAINS, "web"), True),
        (one("requestObject.spec.containers.*.image", Operator.CONTAINS, "web", every=True), False),
        (one("requestObject.**.hostPath", Operator.WILDCARD, "*"), True),
        (one("requestObject.**.hostPath", Operator.EQUALS, "/etc"), False),
        (one("requestObject.**.path", Operator.WILDCARD, "/e?c"), True),
        (one("requestObject.**.path", Operator.WILDCARD, r"/e\?c"), False),
        (one("requestURI", Operator.REGEX, r"exec\?"), True),
        (one("impersonatedUser.username", Operator.WILDCARD, "*"), False),
    ],
    ids=str,
)
def test_a_test_is_true_of_an_event_or_not(condition: Test, true: bool) -> None:
    assert matches(condition, EVENT) is true
    assert matches(Not(condition), EVENT) is not true


def test_values_can_be_derived_from_those_at_a_path() -> None:
    assert Field(IMAGES, Derived.REPOSITORY).values(EVENT) == ["registry.test:5000/shop/web", "shop/log"]
    assert Field(("requestURI",), Derived.PARAMETER, "command").values(EVENT) == ["/bin/sh", "-c"]
    assert Field(("requestObject", "spec", "volumes"), Derived.TEXT).values(EVENT) == ['[{"hostPath":{"path":"/etc"}}]']


def test_what_falco_derives_from_an_object_can_be_derived() -> None:
    event = {
        "requestURI": "/exec?command=sh&command=-c",
        "requestObject": {
            "containers": [
                {"image": "registry.test:5000/web:1", "args": ["-c", "id"], "n": 1},
                {"image": "a@sha256:0"},
            ],
            "ports": [{"containerPort": 80}, {"hostPort": 81, "containerPort": 1}],
            "volumes": [{"name": "a", "hostPath": {}}, {"name": "b", "secret": {}}],
            "subjects": [{"kind": "User", "name": "eve"}, {"kind": "ServiceAccount", "name": "a", "namespace": "shop"}],
        },
    }

    def values(path: str, derived: Derived, parameter: str = "", **given: bool) -> list[object]:
        return Field(tuple(path.split(".")), derived, parameter, **given).values(event)

    assert values("requestObject.containers.*.image", Derived.UNTIL_COLON) == ["registry.test", "a"]
    assert values("requestObject.containers.*.args", Derived.JOINED) == ["-c id"]
    assert values("requestObject.ports.*", Derived.HOST_PORT) == [80, 81]
    assert values("requestObject.volumes.*", Derived.VOLUME_TYPE) == ["hostPath", "secret"]
    assert values("requestObject.subjects.*", Derived.SUBJECT, "User") == ["eve"]
    named = Field(("requestObject", "subjects", "*"), Derived.SUBJECT, "User")
    assert str(named) == "requestObject.subjects.* (name of a subject, User)"
    assert values("requestObject.subjects.*", Derived.SUBJECT, "NamespacedServiceAccount") == ["shop:a"]
    assert values("requestObject.containers.0.image", Derived.TEXT) == ["registry.test:5000/web:1"]
    assert values("requestURI", Derived.PARAMETER, "command", first=True) == ["sh"]
    assert Field.at("requestObject.containers.*.n").values(event) == [1]
    assert Field(("requestObject", "containers", "*", "n"), whole=True).values(event) == []


def test_anywhere_finds_a_key_at_every_depth() -> None:
    event = {"requestObject": {"image": 1, "spec": [{"image": 2, "deeper": {"image": 3}}]}}
    assert Field(("requestObject", ANYWHERE, "image")).values(event) == [1, 2, 3]


def test_constants_are_folded() -> None:
    verb = one("verb", Operator.EXISTS)
    assert both(TRUE, verb) == verb == either(FALSE, verb)
    assert both(FALSE, verb) == FALSE
    assert either(TRUE, verb) == TRUE
    assert negated(negated(verb)) == verb
    assert (negated(TRUE), negated(FALSE)) == (FALSE, TRUE)


def test_a_flattened_field_reaches_into_lists() -> None:
    """As in Sigma and Elasticsearch: through lists in between, in lists of lists, and at the end."""
    event = {
        "requestObject": {"rules": [{"verbs": ["get", "list"]}, {"verbs": ["*"]}, {"verbs": None}], "a": [[1], []]}
    }
    assert Field(("requestObject", "rules", "verbs"), flattened=True).values(event) == ["get", "list", "*"]
    assert Field(("requestObject", "rules", "1", "verbs"), flattened=True).values(event) == ["*"]
    assert Field((ANYWHERE, "verbs"), flattened=True).values(event) == ["get", "list", "*"]
    assert Field(("requestObject", "a"), flattened=True).values(event) == [1]
    assert Field(("requestObject", "rules", "verbs")).values(event) == []


def test_addresses_are_compared_with_networks() -> None:
    """An address of another version, and what is no address, is in no network."""
    test = one("sourceIPs.*", Operator.IN_NETWORK, "10.0.0.0/8", "fd00::1/64")
    assert matches(test, {"sourceIPs": ["192.168.1.1", "10.1.2.3"]})
    assert matches(test, {"sourceIPs": ["fd00::2"]})
    assert not matches(test, {"sourceIPs": ["unknown", "11.0.0.1", "fd01::1"]})
