"""Cases computed with the API server's own loader and evaluator (k8s.io/apiserver v0.37.2): complete agreement."""

import json
from pathlib import Path
from typing import Any

import pytest

from auditproof.audit.decide import decide
from auditproof.audit.policy.load import parse_policy
from auditproof.errors import PolicyRefused
from auditproof.kube.attributes import Attributes, NotAudited, UserInfo, attributes_of

VECTORS = Path(__file__).parent.parent / "vectors"
EVALUATE = json.loads((VECTORS / "evaluate.json").read_text())["cases"]
LOAD = json.loads((VECTORS / "load.json").read_text())["cases"]


def by_name(cases: list[dict[str, Any]]) -> Any:
    return pytest.mark.parametrize("case", cases, ids=[case["name"] for case in cases])


def user_of(case: dict[str, Any]) -> UserInfo | None:
    user = case["user"]
    return None if user is None else UserInfo(user["name"], tuple(user.get("groups") or ()))


@by_name(EVALUATE)
def test_decide_answers_as_the_evaluator(case: dict[str, Any]) -> None:
    if case.get("requestInfoError"):
        with pytest.raises(NotAudited):
            attributes_of(case["http"]["method"], case["http"]["uri"], user_of(case))
        return
    attributes = Attributes(
        user_of(case),
        case["verb"],
        case["namespace"],
        case["apiGroup"],
        case["apiVersion"],
        case["resource"],
        case["subresource"],
        case["objectName"],
        case["path"],
        case["resourceRequest"],
    )

    decision = decide(parse_policy(case["policy"].encode(), "policy.yaml"), attributes)

    assert {
        "level": str(decision.level),
        "omitStages": sorted(decision.omit_stages),
        "omitManagedFields": decision.omit_managed_fields,
        "matched_rule_index": decision.rule.index if decision.rule else None,
    } == {**case["expect"], "omitStages": sorted(case["expect"]["omitStages"])}


@by_name([case for case in EVALUATE if "http" in case and not case.get("requestInfoError")])
def test_attributes_are_computed_as_the_server_computes_them(case: dict[str, Any]) -> None:
    attributes = attributes_of(case["http"]["method"], case["http"]["uri"], user_of(case))

    assert (
        attributes.verb,
        attributes.namespace,
        attributes.api_group,
        attributes.api_version,
        attributes.resource,
        attributes.subresource,
        attributes.name,
        attributes.path,
        attributes.resource_request,
    ) == (
        case["verb"],
        case["namespace"],
        case["apiGroup"],
        case["apiVersion"],
        case["resource"],
        case["subresource"],
        case["objectName"],
        case["path"],
        case["resourceRequest"],
    )


@by_name([case for case in EVALUATE if case.get("since")])
def test_an_older_server_refuses_what_it_does_not_know(case: dict[str, Any]) -> None:
    minor = int(case["since"].removeprefix("v").split(".")[1])

    with pytest.raises(PolicyRefused):
        parse_policy(case["policy"].encode(), "policy.yaml", kubernetes=f"1.{minor - 1}")


@by_name(LOAD)
def test_a_policy_is_accepted_or_refused_as_by_the_loader(case: dict[str, Any]) -> None:
    if case["loads"]:
        policy = parse_policy(case["policy"].encode(), "policy.yaml")
        assert len(policy.rules) == case["rules"]
        return
    with pytest.raises(PolicyRefused) as refused:
        parse_policy(case["policy"].encode(), "policy.yaml")
    assert comparable(refused.value.server_message) == comparable(case["error"])
    assert all(problem.position.line >= 1 for problem in refused.value.problems)


def comparable(message: str) -> str:
    """Without what varies between builds (the scheme's path), and without what is Go's own way to say 'not YAML'."""
    if " in scheme" in message:
        return message.partition(" in scheme")[0]
    if message.startswith(("failed decoding: yaml:", "failed decoding: couldn't get version/kind; json parse error")):
        return message.partition(":")[0]
    return message


@by_name([case for case in LOAD if case["loads"]])
def test_what_the_loader_warns_about_is_warned_about(case: dict[str, Any]) -> None:
    policy = parse_policy(case["policy"].encode(), "policy.yaml")

    assert bool(policy.warnings) == bool(case.get("warning"))
