"""The least request that triggers a rule, and its near miss: what they are made of, and why some rules have none."""

from __future__ import annotations

import json

import pytest

from auditproof import UserInfo, load_served
from auditproof.detections import (
    ANYWHERE,
    EACH,
    FALSE,
    Condition,
    Derived,
    Detection,
    Field,
    Not,
    Operator,
    Test,
    both,
    either,
    matches,
)
from auditproof.detections.examples import Answer, Example, Forecast, NoExample, examples_of
from auditproof.errors import Position

SERVED = load_served("1.37")
OWN = "/api/v1/namespaces/auditproof-detections"


def equals(path: str, *values: str) -> Test:
    return Test(Field.at(path), Operator.EQUALS, values)


def body(*path: str, values: tuple[str, ...] = ("true",), operator: Operator = Operator.EQUALS) -> Test:
    return Test(Field(("requestObject", *path)), operator, values)


def made(*conditions: Condition) -> tuple[Example | NoExample, ...]:
    return examples_of(Detection("rule", "A rule", "own", conditions, Position("rules.yaml", 1, 1)), SERVED)


def example(condition: Condition) -> Example:
    found = made(condition)[0]
    assert isinstance(found, Example), found
    return found


CREATED = both(equals("verb", "create"), equals("objectRef.resource", "pods"))
SUCCEEDED = Test(Field.at("responseStatus.code"), Operator.STARTS_WITH, ("2",))
CONTAINER = ("spec", "containers", EACH)


@pytest.mark.parametrize(
    ("condition", "method", "uri", "answer"),
    [
        (both(equals("verb", "delete"), equals("objectRef.resource", "deployments")), "delete",
         "/apis/apps/v1/namespaces/auditproof-detections/deployments/auditproof-example?dryRun=All", Answer.ACCEPTED),
        (both(equals("verb", "list"), equals("objectRef.resource", "secrets")), "list", f"{OWN}/secrets",
         Answer.ACCEPTED),
        (both(equals("verb", "get"), equals("objectRef.resource", "secrets"), equals("responseStatus.code", "404")),
         "get", f"{OWN}/secrets/auditproof-example-absent", Answer.NOT_FOUND),
        (equals("responseStatus.code", "403"), "get", f"{OWN}/pods/auditproof-example", Answer.FORBIDDEN),
        (equals("responseStatus.code", "401"), "get", "/version", Answer.REFUSED),
        (both(CREATED, equals("responseStatus.code", "409")), "create", f"{OWN}/pods?dryRun=All", Answer.CONFLICT),
        (both(CREATED, equals("objectRef.namespace", "kube-system")), "create",
         "/api/v1/namespaces/kube-system/pods?dryRun=All", Answer.ACCEPTED),
        (both(equals("user.username", "system:anonymous"),
              Test(Field(("annotations", "authorization.k8s.io/decision")), Operator.EQUALS, ("allow",)),
              Not(equals("requestURI", "/healthz"))), "get", "/version", Answer.ACCEPTED),
    ],
)  # fmt: skip
def test_an_example_is_the_simplest_request_with_the_response_that_the_rule_names(
    condition: Condition, method: str, uri: str, answer: Answer
) -> None:
    """Each changes nothing: it reads, is refused, or is a dry run."""
    draft = example(condition).draft

    assert (draft.attributes.verb, draft.uri, draft.answer) == (method, uri, answer)


@pytest.mark.parametrize(
    ("test", "spec"),
    [
        (body("spec", "hostPID"), {"hostPID": True}),
        (body(*CONTAINER, "securityContext", "privileged"),
         {"containers": [{"securityContext": {"privileged": True}}]}),
        (body("spec", "volumes", EACH, "hostPath", "path", values=("/etc",)),
         {"volumes": [{"name": "volume", "hostPath": {"path": "/etc"}}]}),
        (body(ANYWHERE, "hostPath", values=("*",), operator=Operator.WILDCARD), {"volumes": [{"name": "volume"}]}),
        (body(ANYWHERE, "capabilities", values=(), operator=Operator.EXISTS),
         {"containers": [{"securityContext": {"capabilities": {"add": ["NET_BIND_SERVICE"]}}}]}),
        (body(*CONTAINER, "securityContext", "capabilities", "add", EACH, values=("SYS_ADMIN",)),
         {"containers": [{"securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}]}),
        (body(*CONTAINER, "ports", EACH, "hostPort", values=("1",), operator=Operator.GREATER),
         {"containers": [{"ports": [{"hostPort": 2}]}]}),
        (Test(Field(("requestObject", *CONTAINER, "image"), Derived.REPOSITORY), Operator.EQUALS, ("evil/miner",)),
         {"containers": [{"name": "main", "image": "evil/miner:1"}]}),
    ],
)  # fmt: skip
def test_the_body_is_the_smallest_pod_with_the_values_at_their_paths(test: Test, spec: dict[str, object]) -> None:
    draft = example(both(CREATED, Not(Test(Field.at("objectRef.subresource"), Operator.EXISTS)), test)).draft

    assert draft.body is not None
    assert includes(draft.body["spec"], spec), draft.body["spec"]


def includes(value: object, part: object) -> bool:
    if isinstance(part, dict):
        return isinstance(value, dict) and all(key in value and includes(value[key], part[key]) for key in part)
    if isinstance(part, list):
        return isinstance(value, list) and all(map(includes, value, part))
    return value == part


def test_a_rule_of_a_role_is_completed_so_that_the_server_accepts_it() -> None:
    wildcard = both(equals("verb", "create"), equals("objectRef.resource", "clusterroles"),
                    body("rules", EACH, "verbs", EACH, values=("*",)))  # fmt: skip

    assert example(wildcard).draft.body == {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "auditproof-example-new"},
        "rules": [{"verbs": ["*"], "apiGroups": [""], "resources": ["configmaps"]}],
    }


def test_a_name_that_only_the_body_has_is_put_there() -> None:
    named = both(equals("verb", "create"), equals("objectRef.resource", "clusterroles"),
                 Test(Field.at("objectRef.name"), Operator.STARTS_WITH, ("system:",)))  # fmt: skip

    found = example(named)

    assert found.draft.body is not None
    assert found.draft.body["metadata"]["name"].startswith("system:")
    assert found.changed == "objectRef.name is auditproof-other"


def test_a_text_of_a_config_map_is_one_of_its_data() -> None:
    secret = both(equals("verb", "create"), equals("objectRef.resource", "configmaps"),
                  Test(Field(("requestObject", "data"), Derived.TEXT), Operator.CONTAINS, ("password",)))  # fmt: skip

    assert example(secret).draft.body["data"] == {"example": "password"}  # type: ignore[index]


def test_a_user_agent_and_a_parameter_of_the_query_are_sent() -> None:
    rule = both(Test(Field.at("userAgent"), Operator.CONTAINS, ("rakkess",)), equals("verb", "list"),
                Test(Field(("requestURI",), Derived.PARAMETER, "limit"), Operator.EQUALS, ("7",)))  # fmt: skip

    draft = example(rule).draft

    assert "rakkess" in draft.user_agent
    assert draft.uri.endswith("?limit=7")


def test_a_rule_about_streams_gets_a_websocket_and_a_spdy_request() -> None:
    """kubectl sends a GET, older clients a POST: a rule that matches one verb alone misses the other clients."""
    shells = both(equals("objectRef.subresource", "exec"), equals("verb", "get", "create"))

    assert {one.draft.attributes.verb for one in made(shells) if isinstance(one, Example)} == {"get", "create"}
    assert len(made(both(shells, equals("verb", "create")))) == 1


def test_every_step_of_a_rule_gets_an_example_of_its_own() -> None:
    found = made(CREATED, both(equals("verb", "list"), equals("objectRef.resource", "secrets")))

    assert [(one.step, isinstance(one, Example)) for one in found] == [(1, True), (2, True)]


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        (FALSE, "no event that an API server writes can match"),
        (equals("verb", "replace"), "no event that an API server writes can match"),
        (equals("responseStatus.code", "ALLOW"), "no request of auditproof has this: responseStatus.code = ALLOW"),
        (both(CREATED, Not(equals("sourceIPs.*", "127.0.0.1"))),
         "no request of auditproof has this: not (sourceIPs.* = 127.0.0.1)"),
        (both(CREATED, body(ANYWHERE, "gizmo")), "no place in a Pod is known for requestObject.**.gizmo"),
        (both(CREATED, body("spec", "hostname", values=("^[a-z]+[0-9]$",), operator=Operator.REGEX)),
         ("no request that changes nothing is known to have the values that the rule wants of "
         "requestObject.spec.hostname")),
    ],
)  # fmt: skip
def test_a_rule_without_an_example_says_why(condition: Condition, reason: str) -> None:
    assert made(condition) == (NoExample(1, reason),)


@pytest.mark.parametrize(
    ("condition", "changed"),
    [
        (both(CREATED, body("spec", "hostPID")), "requestObject.spec.hostPID is false"),
        (both(CREATED, equals("objectRef.namespace", "kube-system")), "the namespace is auditproof-detections"),
        (both(CREATED, SUCCEEDED), "the response is a conflict"),
        (equals("responseStatus.code", "403"), "the response is accepted"),
        (both(equals("objectRef.resource", "secrets"), equals("verb", "list")), "the verb is get"),
        (equals("objectRef.resource", "secrets"), "the resource is configmaps"),
        (Not(Test(Field.at("user.username"), Operator.STARTS_WITH, ("system:",))),
         "the user is system:auditproof-example"),
        (Not(equals("user.username", "admin")), "the user is admin"),
    ],
)  # fmt: skip
def test_a_near_miss_differs_in_one_thing_that_the_rule_needs(condition: Condition, changed: str) -> None:
    found = example(condition)

    assert found.changed == changed
    assert found.miss is not None
    assert not any(matches(condition, event) for event in Forecast.of(found.miss).events.values())


def test_a_rule_that_matches_everything_has_no_near_miss() -> None:
    assert example(Test(Field.at("auditID"), Operator.EXISTS)).miss is None


def test_whatever_is_written_is_a_dry_run_outside_the_runs_own_namespace() -> None:
    """A rule that leaves out dry runs gets a real object there, and elsewhere none."""
    whole = Not(Test(Field.at("objectRef.subresource"), Operator.EXISTS))
    real = both(whole, Not(Test(Field.at("requestURI"), Operator.CONTAINS, ("dryRun",))))

    inside = example(both(CREATED, real))
    outside = made(both(CREATED, real, equals("objectRef.namespace", "kube-system")))[0]

    assert inside.draft.uri == f"{OWN}/pods"
    assert json.dumps(inside.draft.body).count('"schedulerName": "nobody"') == 1, "no node starts it"
    assert isinstance(outside, NoExample)
    assert outside.reason.startswith("no request that changes nothing is known"), outside.reason


@pytest.mark.parametrize(
    ("path", "value", "spec"),
    [
        ("containers.securityContext.privileged", "true", {"containers": [{"securityContext": {"privileged": True}}]}),
        ("containers.securityContext.capabilities.add", "SYS_ADMIN",
         {"containers": [{"securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}]}),
        ("volumes.hostPath.path", "/", {"volumes": [{"hostPath": {"path": "/"}}]}),
    ],
)  # fmt: skip
def test_a_path_that_leaves_out_lists_reaches_into_their_elements(path: str, value: str, spec: object) -> None:
    """As in Elasticsearch, which flattens lists."""
    field = Field(("requestObject", "spec", *path.split(".")), flattened=True)

    draft = example(both(CREATED, Test(field, Operator.EQUALS, (value,)))).draft

    assert draft.body is not None
    assert includes(draft.body["spec"], spec), draft.body["spec"]


def test_an_impersonated_user_is_impersonated() -> None:
    rule = both(equals("impersonatedUser.username", "admin"), equals("verb", "get"))

    found = example(rule)

    assert found.draft.impersonates is not None
    assert (found.draft.impersonates.user, found.draft.attributes.user) == (
        "admin", UserInfo("auditproof-someone", ("system:authenticated",)))  # fmt: skip
    assert found.miss is not None
    assert found.miss.impersonates is None


def test_a_token_of_a_pod_is_that_of_an_own_service_account() -> None:
    pod = Test(Field(("user", "extra", "authentication.kubernetes.io/pod-name", EACH)), Operator.EXISTS)

    found = example(pod)

    assert found.draft.attributes.user is not None
    assert found.draft.attributes.user.name == "system:serviceaccount:auditproof-detections:robot"
    assert found.changed == "the user is auditproof-someone"


def test_a_rule_that_wants_a_low_level_has_an_example() -> None:
    """It is blind where more is recorded."""
    assert example(both(CREATED, equals("level", "Metadata"))).draft.uri == f"{OWN}/pods?dryRun=All"


def test_who_is_refused_has_a_name_to_which_no_example_gives_rights() -> None:
    refused = example(both(equals("responseStatus.code", "403"), equals("user.username", "carol")))
    also = example(both(equals("responseStatus.code", "403"), equals("verb", "list")))

    assert refused.draft.attributes.user == UserInfo("carol", ("system:authenticated",)), "the rule names her"
    assert also.draft.attributes.user == UserInfo("auditproof-someone-stranger", ("system:authenticated",))


def test_a_near_miss_is_never_sent_to_the_place_of_the_example() -> None:
    """A rule that looks at the URI gets one that is read as the request that was changed."""
    rule = both(equals("objectRef.resource", "nodes"), equals("objectRef.subresource", "proxy"),
                Not(Test(Field.at("requestURI"), Operator.CONTAINS, ("metrics",))))  # fmt: skip

    found = example(rule)

    assert found.miss is not None
    assert found.miss.uri != found.draft.uri


def test_either_of_two_ways_to_match_is_enough() -> None:
    """The first one that can be built is taken."""
    rule = both(CREATED, either(body(ANYWHERE, "gizmo"), body("spec", "hostIPC")))

    assert "hostIPC" in json.dumps(example(rule).draft.body)


def test_a_near_miss_that_reads_the_log_of_a_pod_names_one_that_runs() -> None:
    """The Pod of other examples runs nowhere, and on a real node a Pod is either the one or the other."""
    found = example(both(equals("verb", "patch"), equals("objectRef.subresource", "ephemeralcontainers")))

    assert found.draft.uri.startswith(f"{OWN}/pods/auditproof-example/ephemeralcontainers")
    assert found.miss is not None
    assert (found.changed, found.miss.uri) == ("the subresource is log", f"{OWN}/pods/running/log")
