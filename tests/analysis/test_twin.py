"""The twin of a policy records every request otherwise, and by the rule of the same place."""

from __future__ import annotations

from functools import cache

import pytest

from auditproof.analysis.mutation.twin import twin_of
from auditproof.audit.decide import decide
from auditproof.audit.event import Level
from auditproof.audit.policy.load import load_policy, parse_policy
from auditproof.audit.stages import emitted_stages
from auditproof.cases.load import Case, load_case_file
from auditproof.content import root
from auditproof.kube.attributes import attributes_of

POLICIES = sorted((root() / "fixtures" / "policies").glob("*.yaml"))


@cache
def cases() -> list[Case]:
    return [case for path in sorted((root() / "suites").rglob("*.audit.yaml")) for case in load_case_file(path).cases]


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_a_twin_decides_otherwise_about_every_action(path) -> None:
    policy = load_policy(path)
    twin = parse_policy(twin_of(policy).encode(), "twin.json")

    assert twin.warnings == ()
    for case in cases():
        attributes = attributes_of(case.request.method, case.request.uri, case.identity.user_info())
        true, broken = decide(policy, attributes), decide(twin, attributes)
        assert true.level is not broken.level, case.id
        assert broken.level is not Level.NONE
        assert broken.omit_stages == frozenset()
        if true.rule is not None:
            assert broken.rule is not None
            assert broken.rule.index == true.rule.index


def test_a_twin_records_what_a_rule_leaves_out_by_omitting_every_stage() -> None:
    """Otherwise a case about such a request could not fail in a sabotage run."""
    stages = "[RequestReceived, ResponseStarted, ResponseComplete, Panic]"
    text = f"apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- {{level: Request, omitStages: {stages}}}\n"
    policy = parse_policy(text.encode(), "policy.yaml")
    attributes = attributes_of("GET", "/version", None)

    true, broken = (decide(one, attributes) for one in (policy, parse_policy(twin_of(policy).encode(), "twin.json")))

    assert not emitted_stages(attributes, 200) - true.omit_stages
    assert emitted_stages(attributes, 200) - broken.omit_stages
