"""Witnesses and near misses are what they are called: held against decide() and no_match()."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from auditproof.analysis.coverage import Coverage, Depth, plan_coverage
from auditproof.analysis.coverage.near_miss import near_misses, relaxed_rules
from auditproof.analysis.space import Space, reachable
from auditproof.audit.decide import Decision, decide, decided_by, no_match
from auditproof.audit.policy.load import parse_policy
from auditproof.kube.discovery import load_served
from tests.support.properties import examples
from tests.support.random_policies import policies

if TYPE_CHECKING:
    from auditproof.audit.policy.load import Policy

SERVED = load_served("1.37")
HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n"
slowly = examples(20)


def coverage_of(rules: str, depth: Depth = Depth.CONDITIONS) -> Coverage:
    return plan_coverage(parse_policy((HEAD + rules).encode(), "p.yaml"), SERVED, depth)


@slowly
@given(policies)
def test_every_reachable_rule_has_a_witness_that_it_decides(policy: Policy) -> None:
    coverage = plan_coverage(policy, SERVED, Depth.RULES)
    planned = {one.id: one for one in coverage.planned}
    reached = reachable(policy, SERVED)

    for covered in coverage.rules:
        assert bool(covered.witnesses) == (covered.rule.index in reached), covered
        assert bool(covered.reason) != bool(covered.witnesses)
        for name in covered.witnesses:
            assert decide(policy, planned[name].performable.attributes).rule == covered.rule
    assert ("no-rule-witness" in planned) == (None in reached)


@slowly
@given(policies)
def test_a_near_miss_misses_one_condition_and_that_decides(policy: Policy) -> None:
    coverage = plan_coverage(policy, SERVED, Depth.CONDITIONS)
    planned = {one.id: one for one in coverage.planned}
    without = {(one.rule.index, one.condition): one.without for one in relaxed_rules(policy)}

    for covered in coverage.rules:
        for name in covered.near_misses:
            asked = planned[name].performable.attributes
            condition = name.split("-")[2]
            deciding = decide(policy, asked).rule
            assert no_match(covered.rule, asked) is not None
            assert no_match(without[covered.rule.index, condition], asked) is None
            assert deciding is None or deciding.index > covered.rule.index


@slowly
@given(policies)
def test_near_misses_are_found_if_any_class_has_one_and_first_those_that_show_in_the_log(policy: Policy) -> None:
    found, relaxed, count = near_misses(policy, SERVED), relaxed_rules(policy), len(policy.rules)
    space = Space.of([*policy.rules, *(one.without for one in relaxed)], SERVED)

    def recorded(index: int | None) -> Decision:
        return replace(decided_by(policy, policy.rule_at(index)), rule=None)

    for number, one in enumerate(relaxed, count):
        index = one.rule.index
        missing = {
            recorded(decides)
            for outcome in space.outcomes((0, count), (index, index + 1), (number, number + 1))
            for decides, meets, meets_without in [outcome.deciding]
            if meets is None and meets_without is not None and (decides is None or decides > index)
        }
        some = found.get((index, one.condition), [])
        assert bool(some) == bool(missing)
        shown = [replace(decide(policy, asked), rule=None) != recorded(index) for asked in some]
        assert shown == sorted(shown, reverse=True)
        assert any(shown) == bool(missing - {recorded(index)})


@slowly
@given(policies)
def test_all_performs_every_class_or_says_why_not(policy: Policy) -> None:
    space = Space.of(policy.rules, SERVED)
    coverage = plan_coverage(policy, SERVED, Depth.ALL)
    classes = [one for one in coverage.planned if one.id.startswith("class-")]
    least = sum(len(cells) for cells in space.cells.values())

    assert len(classes) + len(coverage.unperformed) >= min(least, len(list(space.outcomes())))
    assert len({one.id for one in coverage.planned}) == len(coverage.planned)
    decided = {decide(policy, one.performable.attributes).rule for one in classes}
    assert len(decided) == len(reachable(policy, SERVED))
    for one in classes:
        assert decide(policy, one.performable.attributes).rule == one.rule


def test_which_of_several_rules_decide_what_two_unreachable_rules_are_about() -> None:
    coverage = coverage_of(
        "- {level: None, userGroups: [dev]}\n"
        "- {level: Metadata, verbs: [get]}\n"
        "- {level: Request, verbs: [get], userGroups: [dev, ops]}\n"
        "- {level: Request, verbs: [get], users: [alice], userGroups: [dev]}\n"
    )

    assert [covered.reason.rpartition(", by ")[2] for covered in coverage.rules] == [
        "",
        "",
        "rules 1 (line 4), 2 (line 5)",
        "rule 1 (line 4)",
    ]


def test_why_a_rule_cannot_be_reached() -> None:
    coverage = coverage_of(
        "- {level: None, users: [alice]}\n"
        "- {level: Metadata, users: [alice], verbs: [get]}\n"
        "- {level: Metadata, verbs: ['*'], resources: [{group: '*'}]}\n"
        "- level: Metadata\n"
    )

    assert [covered.reason for covered in coverage.rules] == [
        "",
        "every request that meets its conditions is decided earlier, by rule 1 (line 4)",
        "no request meets all of its conditions",
        "",
    ]
    assert not coverage.rules[1].near_misses


@pytest.mark.parametrize(
    ("rule", "conditions"),
    [
        ("users: [alice], verbs: [get]", ["users", "verbs"]),
        ("userGroups: [dev]", ["userGroups"]),
        (
            "namespaces: [shop], resources: [{resources: [pods], resourceNames: [web]}]",
            ["namespaces", "resources", "resourceNames"],
        ),
        ("nonResourceURLs: ['/healthz*']", ["nonResourceURLs"]),
    ],
)
def test_every_condition_of_a_rule_has_a_near_miss(rule: str, conditions: list[str]) -> None:
    coverage = coverage_of(f"- {{level: None, {rule}}}\n- level: Metadata\n")

    assert coverage.rules[0].near_misses == tuple(f"rule-01-{name}-near-miss-1" for name in conditions)


def test_a_near_miss_is_near_and_shows_in_the_log() -> None:
    coverage = coverage_of(
        "- {level: None, resources: [{resources: [pods]}]}\n"
        "- {level: None, resources: [{resources: [pods/status]}]}\n"
        "- {level: None, nonResourceURLs: [/version]}\n"
        "- level: Metadata\n"
    )
    sent = {one.id: one.performable.attributes for one in coverage.planned}

    near = sent["rule-01-resources-near-miss-1"]
    assert (near.api_group, near.resource) == ("", "pods") and near.subresource not in ("", "status")
    assert not sent["rule-03-nonResourceURLs-near-miss-1"].resource_request


def test_the_last_rule_of_all_has_no_near_miss() -> None:
    coverage = coverage_of("- {level: Metadata, users: [alice]}\n- level: Request\n")

    assert [covered.near_misses for covered in coverage.rules] == [("rule-01-users-near-miss-1",), ()]


def test_rules_that_differ_only_in_who_asks_are_told_apart() -> None:
    policy = parse_policy((HEAD + "- {level: None, users: [alice], userGroups: [dev]}\n").encode(), "p.yaml")

    (users, groups) = (one.without for one in relaxed_rules(policy))

    assert users == replace(policy.rules[0], users=())
    assert groups == replace(policy.rules[0], user_groups=())
