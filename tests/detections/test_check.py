"""Whether policies feed detection rules, over all classes of requests."""

from __future__ import annotations

from textwrap import dedent

import pytest

from auditproof import load_served
from auditproof.audit.policy.load import parse_policy
from auditproof.detections import (
    Condition,
    Detection,
    Fed,
    Feed,
    Field,
    Not,
    Operator,
    Test,
    both,
    check_detections,
    either,
    needed_text,
    remedy_text,
    request_text,
)
from auditproof.errors import Position

SERVED = load_served("1.37")
HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\n"


def equals(path: str, *values: str) -> Test:
    return Test(Field.at(path), Operator.EQUALS, values)


def policy_of(rules: str, head: str = ""):
    return parse_policy(f"{HEAD}{head}rules:\n{dedent(rules)}".encode(), "policy.yaml", kubernetes="1.37")


def checked(rules: str, *conditions: Condition, base: str = "", head: str = "") -> Fed:
    rule = Detection("rule", "A rule", "own", conditions, Position("rules.yaml", 1, 1))
    before = policy_of(base) if base else None
    return check_detections(policy_of(rules, head), [rule], SERVED, before)[0]


CREATED = both(equals("verb", "create"), equals("objectRef.resource", "pods"))
PLAIN = both(CREATED, Not(Test(Field.at("objectRef.subresource"), Operator.EXISTS)))
PRIVILEGED = both(
    PLAIN,
    Test(Field.at("requestObject.spec.containers.*.securityContext.privileged"), Operator.EQUALS, ("true",)),
)
REPLICAS = "system:serviceaccount:kube-system:replicaset-controller"
SUCCEEDED = Test(Field.at("responseStatus.code"), Operator.STARTS_WITH, ("2",))


@pytest.mark.parametrize(
    ("rules", "condition", "feed"),
    [
        ("- level: Metadata", PLAIN, Feed.FED),
        ("- level: None", PLAIN, Feed.BLIND),
        ("- level: Metadata", PRIVILEGED, Feed.BLIND),
        ("- level: Request", PRIVILEGED, Feed.FED),
        ('- {level: Request, namespaces: ["shop"]}', PRIVILEGED, Feed.PARTLY),
        ('- {level: None, resources: [{group: ""}]}\n- level: Metadata', PLAIN, Feed.BLIND),
        ('- {level: None, verbs: ["get", "list", "watch"]}\n- level: Metadata', PLAIN, Feed.FED),
        ("- {level: RequestResponse, omitStages: [ResponseComplete]}", PRIVILEGED, Feed.BLIND),
        ("- {level: RequestResponse, omitStages: [RequestReceived]}", PRIVILEGED, Feed.FED),
        ("- {level: Metadata, omitStages: [ResponseComplete]}", both(PLAIN, SUCCEEDED), Feed.BLIND),
        ("- {level: Metadata, omitStages: [ResponseComplete]}", PLAIN, Feed.FED),
        ("- {level: Metadata, omitStages: [RequestReceived, ResponseComplete]}", PLAIN, Feed.PARTLY),  # failed logins
    ],
)
def test_a_rule_is_fed_if_its_requests_are_recorded_as_it_needs(rules: str, condition: Condition, feed: Feed) -> None:
    assert checked(rules, condition).feed is feed


def test_a_rule_that_compares_the_level_is_blinded_by_recording_more() -> None:
    asked = both(PLAIN, equals("level", "Request"))
    assert checked("- level: Request", asked).feed is Feed.FED
    found = checked("- level: RequestResponse", asked)
    assert found.feed is Feed.BLIND
    assert needed_text(found.lost[0].needs).startswith("Request, at")
    assert remedy_text(found.lost[0]) == "in front of line 4, add a rule for these requests with level: Request"


def test_a_condition_on_the_absence_of_a_body_needs_the_body() -> None:
    """A rule about ingresses without TLS would report every ingress at Metadata: it cannot tell."""
    created = both(equals("verb", "create"), equals("objectRef.resource", "ingresses"))
    asked = both(created, Not(Test(Field.at("requestObject.spec.tls"), Operator.EXISTS)))
    assert checked("- level: Metadata", asked).feed is Feed.BLIND
    assert checked("- level: Request", asked).feed is Feed.FED


def test_of_two_alternatives_one_may_be_lost() -> None:
    asked = both(PLAIN, either(PRIVILEGED, equals("objectRef.namespace", "kube-system")))
    found = checked("- level: Metadata", asked)
    assert found.feed is Feed.PARTLY
    assert all(lost.witness.namespace != "kube-system" for lost in found.lost)


@pytest.mark.parametrize(
    "condition",
    [
        equals("responseStatus.code", "ALLOW"),
        equals("verb", "replace"),
        equals("verb", "CREATE"),
        both(equals("verb", "get"), equals("requestObject.kind", "Pod")),
        both(equals("stage", "RequestReceived"), SUCCEEDED),
        equals("hostPath", "/"),
        both(equals("user.username", "alice"), Not(equals("user.username", "alice"))),
        both(equals("objectRef.resource", "namespaces"), equals("objectRef.resource", "pods")),
        both(SUCCEEDED, equals("responseStatus.code", "403")),
    ],
    ids=str,
)
def test_what_no_event_can_have_is_impossible_under_every_policy(condition: Condition) -> None:
    for rules in ("- level: RequestResponse", "- level: None"):
        assert checked(rules, condition).feed is Feed.IMPOSSIBLE


def test_values_that_the_policy_never_names_are_told_apart() -> None:
    """A policy that drops a namespace, a user or names with a prefix concerns only rules about these."""
    rules = '- {level: None, users: ["system:robot"]}\n- {level: None, namespaces: ["shop"]}\n- level: Metadata'
    elsewhere = both(PLAIN, equals("objectRef.namespace", "till"), equals("user.username", "alice"))
    assert checked(rules, elsewhere).feed is Feed.FED
    assert checked(rules, both(PLAIN, equals("objectRef.namespace", "shop"))).feed is Feed.BLIND
    people = both(PLAIN, Not(Test(Field.at("user.username"), Operator.STARTS_WITH, ("system:",))))
    assert checked(rules, both(people, equals("objectRef.namespace", "till"))).feed is Feed.FED
    assert checked(rules, both(PLAIN, equals("user.username", "system:robot"))).feed is Feed.BLIND


def test_a_service_account_belongs_to_the_groups_of_its_namespace() -> None:
    rules = '- {level: None, userGroups: ["system:serviceaccounts:kube-system"]}\n- level: Metadata'
    account = "system:serviceaccount:{}:robot"
    assert checked(rules, equals("user.username", account.format("kube-system"))).feed is Feed.BLIND
    assert checked(rules, equals("user.username", account.format("shop"))).feed is Feed.FED
    found = checked(rules, PLAIN)
    assert found.feed is Feed.PARTLY
    assert found.lost[0].who == "any other service account of kube-system"


def test_a_name_that_only_the_body_has_is_known_once_the_body_is_decoded() -> None:
    asked = both(equals("verb", "create"), equals("objectRef.resource", "namespaces"), equals("objectRef.name", "shop"))
    assert checked("- {level: Metadata, omitStages: [RequestReceived]}", asked).feed is Feed.FED
    assert checked("- {level: Metadata, omitStages: [ResponseComplete]}", asked).feed is Feed.BLIND


def test_every_step_of_a_rule_has_to_be_fed() -> None:
    rules = '- {level: None, verbs: ["create"]}\n- level: Metadata'
    deleted = both(equals("verb", "delete"), equals("objectRef.resource", "pods"))
    assert checked(rules, deleted).feed is Feed.FED
    assert checked(rules, deleted, PLAIN).feed is Feed.BLIND


def test_a_change_is_blamed_for_what_it_takes_and_not_for_what_was_missing_before() -> None:
    base = '- {level: None, users: ["alice"]}\n- level: Request'
    found = checked('- {level: None, users: ["alice"]}\n- level: Metadata', PRIVILEGED, base=base)
    assert (found.base, found.feed, found.worse) == (Feed.PARTLY, Feed.BLIND, True)
    assert found.lost[0].new
    assert {lost.who for lost in found.lost if not lost.new} == {"alice"}
    same = checked(base, PRIVILEGED, base=base)
    assert (same.base, same.feed, same.worse) == (Feed.PARTLY, Feed.PARTLY, False)


def test_an_example_has_the_values_that_the_rule_asks_for() -> None:
    found = checked("- level: Request", both(PRIVILEGED, SUCCEEDED))
    assert found.witness is not None
    assert found.values is not None
    assert request_text(found.witness, found.values) == (
        "create pods in somewhere by someone with requestObject.spec.containers.*.securityContext.privileged = true, "
        "responseStatus.code = 200"
    )


def test_the_query_of_a_uri_can_have_what_a_rule_looks_for() -> None:
    shell = Test(Field.at("requestURI"), Operator.CONTAINS, ("%2fbin%2fsh",), fold=True)
    exec_ = both(equals("objectRef.subresource", "exec"), shell)
    found = checked("- level: Metadata", exec_)
    assert found.feed is Feed.FED
    assert found.values is not None
    assert "/exec?%2fbin%2fsh" in request_text(found.witness, found.values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rules", "through"),
    [
        ('- {level: None, userGroups: ["system:serviceaccounts:kube-system"]}\n- level: Metadata', True),
        (
            '- {level: None, users: ["system:serviceaccount:kube-system:replicaset-controller"]}\n- level: Metadata',
            True,
        ),
        ('- {level: None, userGroups: ["system:serviceaccounts"]}\n- level: Metadata', True),
        ('- {level: None, userGroups: ["system:serviceaccounts:shop"]}\n- level: Metadata', False),
        ('- {level: None, users: ["alice"]}\n- level: Metadata', False),
    ],
)
def test_requests_that_controllers_send_are_named(rules: str, through: bool) -> None:
    """The Pods of a Deployment are created by the replicaset-controller, not by who creates the Deployment."""
    found = checked(rules, PLAIN)
    assert found.feed is Feed.PARTLY
    assert ("deployments" in {owner for lost in found.lost for owner in lost.through}) is through
    deleted = both(equals("verb", "delete"), equals("objectRef.resource", "secrets"))
    assert not [lost for lost in checked(rules, deleted).lost if lost.through]
