"""Cases for detection rules: what a rule has to do on a request, by the policy and by the response."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditproof import load_served
from auditproof.audit.policy.load import parse_policy
from auditproof.detections import Condition, Detection, Field, Not, Operator, Test, both, check_detections
from auditproof.detections.examples import Firing
from auditproof.errors import Position
from auditproof.kube.capability import Capability
from auditproof.proof.detected import Tried, tried

if TYPE_CHECKING:
    from auditproof.cases.case import Case

SERVED = load_served("1.37")
HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n"


def equals(path: str, *values: str) -> Test:
    return Test(Field.at(path), Operator.EQUALS, values)


def made(
    rules: str, *conditions: Condition, name: str = "Host PID!", times: int = 1, controllers: bool = False
) -> tuple[Tried, ...]:
    policy = parse_policy(f"{HEAD}{rules}".encode(), "policy.yaml", kubernetes="1.37")
    rule = Detection(name, "A rule", "own", conditions, Position("rules.yaml", 7, 1))
    return tried(policy, check_detections(policy, [rule] * times, SERVED), SERVED, controllers=controllers)


def firing(case: Case) -> Firing:
    assert isinstance(case.expectation.watcher, Firing)
    return case.expectation.watcher


CREATED = both(equals("verb", "create"), equals("objectRef.resource", "pods"),
               Not(Test(Field.at("objectRef.subresource"), Operator.EXISTS)))  # fmt: skip
HOST_PID = both(CREATED, equals("requestObject.spec.hostPID", "true"))


@pytest.mark.parametrize(
    ("rules", "condition", "fires"),
    [
        ("- level: Request", HOST_PID, True),
        ("- level: Metadata", HOST_PID, False),
        ("- level: None", CREATED, False),
        ("- {level: Request, omitStages: [ResponseComplete]}", HOST_PID, False),
        ("- {level: Request, omitStages: [ResponseComplete]}", CREATED, True),
        ("- {level: None, namespaces: [kube-system]}\n- level: Metadata", CREATED, True),
        ("- {level: None, users: [auditproof-someone]}\n- level: Metadata", CREATED, False),
        ("- level: RequestResponse", both(CREATED, equals("responseObject.metadata.name", "web")), None),
    ],
)  # fmt: skip
def test_a_rule_has_to_do_what_the_policy_lets_it(rules: str, condition: Condition, fires: bool | None) -> None:
    """A rule fed in part fires or not by the request itself; one that reads the response may be surprised."""
    [one] = made(rules, condition)

    example, miss = one.cases
    assert firing(example).fires is fires
    assert (firing(miss).fires, firing(miss).miss) == (False, True)


@pytest.mark.parametrize(
    ("condition", "codes"),
    [
        (HOST_PID, (None, None)),
        (both(CREATED, Test(Field.at("responseStatus.code"), Operator.STARTS_WITH, ("2",))), (201, 409)),
        (equals("responseStatus.code", "403"), (403, 200)),
    ],
)  # fmt: skip
def test_the_response_is_stated_if_the_rule_depends_on_it(
    condition: Condition, codes: tuple[int | None, int | None]
) -> None:
    [one] = made("- level: RequestResponse", condition)

    assert tuple(case.expectation.status for case in one.cases) == codes
    assert {firing(case).code for case in one.cases} <= {200, 201, 403, 409}, "what is planned"


def test_the_ids_of_cases_are_plain_and_different() -> None:
    found = made("- level: RequestResponse", HOST_PID, CREATED, times=2)

    assert [case.id for one in found for case in one.cases] == [
        "Host-PID", "Host-PID-miss", "Host-PID-step2", "Host-PID-step2-miss",
        "Host-PID-2", "Host-PID-2-miss", "Host-PID-2-step2", "Host-PID-2-step2-miss",
    ]  # fmt: skip
    assert {case.source.line for one in found for case in one.cases} == {7}


def test_a_rule_without_an_example_keeps_the_reason() -> None:
    [one] = made("- level: RequestResponse", equals("verb", "replace"))

    assert (one.cases, one.not_fired) == ((), ("no event that an API server writes can match",))


DROPS_CONTROLLERS = "- {level: None, userGroups: ['system:serviceaccounts:kube-system']}\n- level: Request"


@pytest.mark.parametrize(("rules", "fires"), [("- level: Request", True), (DROPS_CONTROLLERS, False)])
def test_where_controllers_run_a_pod_is_also_created_by_one(rules: str, fires: bool) -> None:
    """A policy that drops the accounts of kube-system leaves the rule the Pods that people create by hand."""
    [one] = made(rules, HOST_PID, controllers=True)

    example, _, indirect = one.cases
    assert (firing(example).fires, firing(indirect).fires) == (True, fires)
    assert "dryRun" not in indirect.request.uri, "a controller acts on what is really there"
    assert b'"schedulerName": "nobody"' in (indirect.request.body or b""), "its Pods run nowhere"
    assert indirect.needs >= {Capability.CONTROLLERS}
    assert (through := firing(indirect).through) and through.controller == "replicaset-controller"
    assert through.uri.startswith("/api/v1/namespaces/auditproof-detections-")


@pytest.mark.parametrize(
    "condition",
    [
        both(HOST_PID, equals("user.username", "alice")),
        both(HOST_PID, equals("requestObject.spec.nodeName", "n1")),
        both(HOST_PID, equals("requestObject.spec.schedulerName", "default-scheduler")),
        both(HOST_PID, equals("objectRef.namespace", "kube-system")),
        both(CREATED, equals("responseStatus.code", "403")),
        both(equals("verb", "create"), equals("objectRef.resource", "secrets")),
    ],
)
def test_no_controller_sends_what_only_a_person_does_or_what_would_run(condition: Condition) -> None:
    [one] = made("- level: Request", condition, controllers=True)

    assert one.cases, "it has an example"
    assert not [case for case in one.cases if firing(case).through]


def test_two_rules_have_namespaces_of_their_own_for_controllers() -> None:
    uris = [through.uri for one in made("- level: Request", HOST_PID, controllers=True, times=2) for case in one.cases
            if (through := firing(case).through)]  # fmt: skip

    assert len(set(uris)) == 2
