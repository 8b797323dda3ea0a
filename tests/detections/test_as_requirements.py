"""Detection rules as requirements: a policy that meets them feeds the rules."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from auditproof import load_served
from auditproof.analysis.fix import fix
from auditproof.analysis.requirements import check_requirement
from auditproof.audit.policy.load import parse_policy
from auditproof.detections import (
    Detection,
    Feed,
    Rules,
    both,
    check_detections,
)
from auditproof.detections.as_requirements import load_required, requirements_of
from auditproof.errors import AuditproofError, Position, SourceError
from tests.detections.test_check import PLAIN, PRIVILEGED, equals, policy_of
from tests.detections.test_exact import conditions, policies

if TYPE_CHECKING:
    from pathlib import Path

    from auditproof.detections import Condition

SERVED = load_served("1.37")


def pack(*conditions: Condition) -> Rules:
    numbered = enumerate(conditions, 1)
    rules = [Detection(f"rule-{n}", f"Rule {n}", "own", (one,), Position("own.yaml", n, 1)) for n, one in numbered]
    return Rules(tuple(rules), ())


def test_a_policy_that_meets_the_requirements_feeds_the_rules() -> None:
    """All but failed logins, which requirements of other requests do not select."""
    dice = random.Random(3)
    met = 0
    for _ in range(60):
        policy = parse_policy(policies(dice), "policy.yaml", kubernetes="1.37")
        rules = pack(conditions(dice))
        required = requirements_of(rules, "own.yaml", SERVED).requirements
        if not required or any(check_requirement(policy, one, SERVED).violations for one in required):
            continue
        met += 1
        [found] = check_detections(policy, rules.detections, SERVED)
        assert found.feed is Feed.FED or all(lost.witness.user is None for lost in found.lost), rules
    assert met > 2


def test_a_fix_feeds_the_rules() -> None:
    """The least change of the policy with which they are fed, exactly."""
    policy = policy_of('- {level: None, users: ["alice"]}\n- level: Metadata')
    rules = pack(PRIVILEGED, equals("verb", "delete"))
    found = fix(policy, requirements_of(rules, "own.yaml", SERVED).requirements, SERVED)
    assert not found.unmet
    assert [one.feed for one in check_detections(policy, rules.detections, SERVED)] == [Feed.BLIND, Feed.PARTLY]
    assert [one.feed for one in check_detections(found.policy, rules.detections, SERVED)] == [Feed.FED, Feed.FED]


def test_values_that_a_rule_names_are_selected_and_no_others() -> None:
    """A policy that drops everything else is not blamed."""
    rules = "- {level: Metadata, namespaces: [shop], users: [alice], verbs: [create]}\n- level: None"
    named = PLAIN, equals("objectRef.namespace", "shop"), equals("user.username", "alice")
    [required] = requirements_of(pack(both(*named)), "own.yaml", SERVED).requirements
    assert not check_requirement(policy_of(rules), required, SERVED).violations


def test_what_can_never_match_requires_nothing() -> None:
    assert requirements_of(pack(equals("responseStatus.code", "ALLOW")), "own.yaml", SERVED).requirements == ()


def test_names_and_files_are_told_apart(tmp_path: Path) -> None:
    assert load_required("cis", "1.37").name == "cis"
    rules = tmp_path / "rules.yml"
    rules.write_text(
        "title: Exec\nlogsource: {product: kubernetes, service: audit}\n"
        "detection: {selection: {objectRef.subresource: exec}, condition: selection}\n"
    )
    assert [one.title for one in load_required(str(rules), "1.37").requirements] == ["Exec is fed"]
    assert [one.title for one in load_required(str(tmp_path), "1.37").requirements] == ["Exec is fed"]
    rules.write_text(rules.read_text().replace("subresource:", "subresource|expand:").replace("exec}", "'%x%'}"))
    with pytest.raises(AuditproofError, match="Exec cannot be read in full"):
        load_required(str(rules), "1.37")
    rules.write_text("kind: Requirements\n")
    with pytest.raises(SourceError, match="requirements"):
        load_required(str(rules), "1.37")
    with pytest.raises(AuditproofError, match="nowhere"):
        load_required("nowhere", "1.37")
