"""diff is complete and exact: held against decide() on requests that were made without it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from auditproof.analysis.diff import (
    Change,
    ChangeKind,
    PolicyDiff,
    changed,
    diff,
    render_markdown,
    render_text,
    to_record,
)
from auditproof.audit.decide import decide, no_match
from auditproof.audit.effect import effect_of
from auditproof.audit.policy.load import Policy, parse_policy
from auditproof.audit.stages import emitted_stages
from auditproof.cli.main import main
from auditproof.kube.attributes import Attributes, UserInfo, is_long_running
from auditproof.kube.discovery import load_served
from auditproof.text.markdown import markdown
from tests.support.properties import examples
from tests.support.random_policies import LEVELS, STAGES, VERBS, documents, every_request, policies, read, rules, users

if TYPE_CHECKING:
    from pathlib import Path

    from auditproof.analysis.space import ClassDecision, Space

SERVED = load_served("1.37")
USERS = [user for user, _ in users()]
REQUESTS = every_request()
HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n"
ALICE = UserInfo("alice", ("system:authenticated",))


def policy_of(rules_text: str, head: str = HEAD) -> Policy:
    return parse_policy((head + rules_text).encode(), "p.yaml")


def between(old: str, new: str) -> PolicyDiff:
    return diff(policy_of(old), policy_of(new), SERVED)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Policy, Policy]:
    """A policy, and what one step makes of it."""
    document = draw(documents())
    return read(document), read(one_step(draw, document))


def one_step(draw: st.DrawFn, document: dict[str, Any]) -> dict[str, Any]:
    old = [dict(rule) for rule in document["rules"]]
    place = draw(st.integers(0, len(old) - 1))
    step = draw(st.sampled_from(["level", "drop", "move", "verbs", "stages", "add", "policy"]))
    changed_rules = list(old)
    if step == "level":
        changed_rules[place] = old[place] | {"level": draw(st.sampled_from(LEVELS))}
    elif step == "drop" and len(old) > 1:
        del changed_rules[place]
    elif step == "move":
        changed_rules.insert(draw(st.integers(0, len(old) - 1)), changed_rules.pop(place))
    elif step == "verbs":
        changed_rules[place] = old[place] | {"verbs": draw(st.lists(st.sampled_from(VERBS), max_size=2, unique=True))}
    elif step == "stages":
        omitted = draw(st.lists(st.sampled_from(STAGES), max_size=3, unique=True))
        changed_rules[place] = old[place] | {"omitStages": omitted}
    elif step == "add":
        changed_rules.insert(place, draw(rules()))
    else:
        return document | {"omitStages": [draw(st.sampled_from(STAGES))], "omitManagedFields": draw(st.booleans())}
    return document | {"rules": changed_rules}


def brute_force(old: Policy, new: Policy, attributes: Attributes) -> tuple[Any, Any]:
    failed = attributes.user is None
    before, after = (effect_of(decide(policy, attributes), failed=failed) for policy in (old, new))
    return before, after


def classes(
    space: Space, outcomes: list[tuple[ClassDecision, Change | None]], asked: Attributes
) -> list[Change | None]:
    """The changes of the classes that a request belongs to, found by the rules whose conditions it meets."""
    anybody = sum(
        1 << n
        for n, rule in enumerate(space.rules)
        if not no_match(replace(rule, users=(), user_groups=()), replace(asked, user=None))
    )
    named = sum(
        1 << n
        for n, rule in enumerate(space.rules)
        if not rule.users or (asked.user is not None and asked.user.name in rule.users)
    )
    groups = asked.user.groups if asked.user else ()
    chosen = sum(1 << n for n, name in enumerate(space.identities.groups) if name in groups)
    return [
        change
        for outcome, change in outcomes
        if outcome.cells[0].mask == anybody
        and outcome.identity.failed == (asked.user is None)
        and outcome.identity.mask == named
        and not chosen & outcome.region.avoid
        and all(chosen & hit for hit in outcome.region.hits)
    ]


def unlike(old: Policy, new: Policy) -> list[Attributes]:
    """Of the requests that match the same rules, but for who asks, one."""
    anybody = [replace(rule, users=(), user_groups=()) for rule in old.rules + new.rules]
    kept = {tuple(bool(no_match(rule, request)) for rule in anybody): request for request in REQUESTS}
    return list(kept.values())


@examples(25)
@given(pairs())
def test_exactly_the_requests_that_are_recorded_differently_are_in_a_changed_class(pair: tuple[Policy, Policy]) -> None:
    old, new = pair
    space, changes = changed(old, new, SERVED)
    outcomes = list(changes)

    for request in unlike(old, new):
        for user in USERS[::7] + USERS[:5]:
            attributes = replace(request, user=user)
            before, after = brute_force(old, new, attributes)
            found = classes(space, outcomes, attributes)
            assert found, attributes
            assert {change is not None for change in found} == {before != after}, attributes
            assert before == after or {(c.old.level, c.new.level) for c in found if c} == {(before.level, after.level)}


@examples(25)
@given(pairs())
def test_every_request_of_a_row_changes_as_the_row_says_and_none_is_left_out(pair: tuple[Policy, Policy]) -> None:
    old, new = pair
    space, changes = changed(old, new, SERVED)
    asked = {
        (change, outcome.identity, cell, verb)
        for outcome, change in changes
        if change is not None and outcome.identity.honest
        for cell in outcome.cells
        if cell.served
        for verb in cell.verbs
    }

    told = set()
    for difference in diff(old, new, SERVED).differences:
        row = difference.row
        for outcome, cell in row.classes:
            verbs = [verb for verb in cell.verbs if not row.product.verbs or verb in row.product.verbs]
            told |= {(row.key, outcome.identity, cell, verb) for verb in verbs} if row.served and row.honest else set()
        for request in list(row.requests(space))[:40]:
            before, after = brute_force(old, new, request)
            assert (before.level, after.level) == (row.key.old.level, row.key.new.level)
            assert before != after

    assert asked - told == set()
    assert told - asked == set()


@examples(20)
@given(policies)
def test_a_policy_does_not_differ_from_itself(policy: Policy) -> None:
    assert diff(policy, policy, SERVED).differences == ()


@examples(20)
@given(pairs())
def test_a_witness_that_can_be_sent_shows_its_change(pair: tuple[Policy, Policy]) -> None:
    old, new = pair
    found = diff(old, new, SERVED).differences
    assume(found)

    for difference in found:
        sent = difference.witness.performable
        if sent is not None:
            assert difference.change.shows_in(sent.attributes)
            before, after = brute_force(old, new, sent.attributes)
            emitted = emitted_stages(sent.attributes, 401 if sent.attributes.user is None else 403)
            kept = [
                (effect.level if effect.stages & emitted else None, effect.stages & emitted)
                for effect in (before, after)
            ]
            assert kept[0] != kept[1]


SECRETS = "resources: [{resources: [secrets]}]}\n"


def test_a_change_of_bodies_is_witnessed_by_a_create_that_has_one() -> None:
    """Not by a request that is refused before its body is decoded: the log would show no body on either side."""
    first = (
        between("- {level: Metadata, " + SECRETS, "- {level: Request, " + SECRETS).differences[0].witness.performable
    )

    assert first is not None
    assert (first.attributes.verb, first.attributes.resource) == ("create", "secrets")
    assert first.request.method == "POST"
    assert "dryRun=All" in first.request.uri
    assert json.loads(first.request.body or b"{}")["stringData"]
    assert not first.identity.without_rights
    assert first.in_namespace == first.attributes.namespace != ""


@pytest.mark.parametrize(
    ("old", "new", "verb"),
    [
        ("- {level: Metadata, verbs: [get], " + SECRETS, "- {level: RequestResponse, verbs: [get], " + SECRETS, "get"),
        ("- {level: Request, verbs: [patch], " + SECRETS, "- {level: None, verbs: [patch], " + SECRETS, "patch"),
    ],
)
def test_a_witness_of_bodies_is_a_request_of_the_row(old: str, new: str, verb: str) -> None:
    """A row about other verbs has no create to show."""
    first = between(old, new).differences[0].witness.performable

    assert first is not None
    assert first.attributes.verb == verb
    assert first.identity.without_rights == (verb == "get")


def test_no_one_gets_rights_who_has_no_credential() -> None:
    rule = "- {level: Metadata, userGroups: ['system:unauthenticated'], " + SECRETS
    old, new = rule, rule.replace("Metadata", "Request")
    for difference in between(old, new).differences:
        assert difference.witness.performable is None or difference.witness.performable.request.body in (None, b"{}")


def test_an_object_is_created_in_a_namespace_that_no_rule_names() -> None:
    """A namespace that a rule names may belong to another team on a shared cluster."""
    rule = "- {level: %s, namespaces: [payments], resources: [{resources: [secrets]}]}\n"
    first = between(rule % "Metadata", rule % "Request").differences[0].witness.performable

    assert first is not None
    assert (first.attributes.namespace, first.in_namespace) == ("payments", "")


METADATA = "- {level: Metadata, resources: [{group: '', resources: [pods]}]}\n"
CHANGES = {
    ChangeKind.STOPS: ("- level: Metadata\n", "- {level: None, users: [alice]}\n- level: Metadata\n"),
    ChangeKind.LOSES_BODIES: ("- level: Request\n", "- level: Metadata\n"),
    ChangeKind.STARTS_BODIES: ("- level: Metadata\n", "- level: RequestResponse\n"),
    ChangeKind.LOSES_STAGES: ("- level: Metadata\n", "- {level: Metadata, omitStages: [RequestReceived]}\n"),
    ChangeKind.STARTS: (METADATA, METADATA + "- {level: Metadata, users: [alice]}\n"),
    ChangeKind.GAINS_STAGES: ("- {level: Metadata, omitStages: [RequestReceived]}\n", "- level: Metadata\n"),
    ChangeKind.MANAGED_FIELDS: ("- level: Request\n", "- {level: Request, omitManagedFields: true}\n"),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_the_kind_of_a_change_is_the_worst_thing_about_it(kind: ChangeKind) -> None:
    assert {difference.change.kind for difference in between(*CHANGES[kind]).differences} == {kind}


def test_what_cannot_be_seen_in_the_log_is_no_difference() -> None:
    every_stage = "[RequestReceived, ResponseStarted, ResponseComplete, Panic]"

    assert not between("- level: None\n", "- {level: Metadata, omitStages: " + every_stage + "}\n").differences
    assert not between("- level: Metadata\n", "- {level: Metadata, omitManagedFields: true}\n").differences


def test_the_worst_comes_first_and_one_change_is_one_row() -> None:
    old = "- {level: Metadata, resources: [{group: '', resources: [secrets, configmaps]}]}\n- level: Request\n"
    new = "- {level: None, resources: [{group: '', resources: [secrets]}]}\n- level: RequestResponse\n"

    found = between(old, new).differences

    assert [difference.change.kind for difference in found[:2]] == [ChangeKind.STOPS, ChangeKind.STARTS_BODIES]
    assert (found[0].row.who, found[0].row.product.what) == ("everybody", "secrets")
    assert [rule and rule.position.line for pair in found[0].rules for rule in pair] == [4, 4]


def test_identities_and_places_are_told_in_few_words() -> None:
    old = "- level: Metadata\n"
    new = (
        "- {level: None, userGroups: ['system:nodes'], verbs: [get], resources: [{resources: [nodes]}]}\n"
        "- {level: None, namespaces: [kube-system], resources: [{resources: [configmaps], resourceNames: [lock]}]}\n"
        "- level: Metadata\n"
    )

    told = {
        (d.row.who, d.row.product.verbs_text, d.row.product.what, d.row.product.where)
        for d in between(old, new).differences
    }

    assert ("anybody in system:nodes", "get", "nodes", "") in told
    verbs = "get, list, watch, update, patch, delete"
    assert ("everybody", verbs, "configmaps", "in kube-system, named lock") in told
    assert len(told) == 2


ODD = {
    "- {level: None, namespaces: ['*'], resources: [{resources: [secrets]}]}\n": (
        'it names the namespace "*"',
        "GET /api/v1/namespaces/%2A/secrets/something",
    ),
    "- {level: None, users: ['*']}\n": ('it is sent by a user called "*"', "GET /"),
    "- {level: None, userGroups: ['team-*']}\n": ('it is sent from a group called "team-*"', "GET /"),
    "- {level: None, verbs: ['*']}\n": ('its HTTP method is "*"', "* /"),
    "- {level: None, resources: [{resources: ['pods*']}]}\n": (
        'it names the resource "pods*"',
        "GET /api/v1/pods%2A/something",
    ),
    "- {level: None, verbs: [list], resources: [{resources: [pods/log]}]}\n": (
        "its path has empty segments",
        "GET /api/v1/pods//log",
    ),
}


@pytest.mark.parametrize("rule", ODD)
def test_what_only_odd_requests_show_is_a_difference_and_says_how_odd_it_is(rule: str) -> None:
    clause, line = ODD[rule]
    found = between("- level: Metadata\n", rule + "- level: Metadata\n")
    sent = [one.witness.performable.request for one in found.differences if one.witness.performable]

    assert all(clause in one.row.odd for one in found.differences)
    assert line in [f"{request.method} {request.uri}" for request in sent]
    assert f"  odd      {clause}" in render_text(found)
    assert "no ordinary client sends such a request" in render_text(found)
    assert markdown(clause) in render_markdown(found)
    assert clause in to_record(found)["changes"][0]["odd"]
    assert not to_record(found)["changes"][0]["forged"]


def test_ordinary_requests_come_before_odd_ones_that_another_rule_decides() -> None:
    rules = "- {level: None, namespaces: ['*']}\n- {level: None, users: [alice, '*']}\n"

    found = between("- level: Metadata\n", rules + "- level: Metadata\n").differences

    assert [(one.row.who, bool(one.row.odd)) for one in found] == [
        ("alice", False),
        ("alice", False),
        ("everybody", True),
    ]


def test_only_what_is_long_running_shows_that_response_started_is_omitted() -> None:
    found = between("- level: Metadata\n", "- {level: Metadata, omitStages: [ResponseStarted]}\n").differences

    assert len(found) >= 2
    for difference in found:
        sent = difference.witness.performable
        if sent is None:
            assert difference.row.product.paths  # no path that the server's discovery names is long-running
            continue
        assert is_long_running(sent.attributes) or sent.attributes.user is None


def write(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def test_exit_codes_are_those_of_diff(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = write(tmp_path, "one.yaml", HEAD + "- level: Metadata\n")
    other = write(tmp_path, "other.yaml", HEAD + "- level: Request\n")
    broken = write(tmp_path, "broken.yaml", HEAD + "- level: Mytadata\n")

    assert main(["diff", one, one]) == 0
    assert "nothing changes" in capsys.readouterr().out
    assert main(["diff", one, other]) == 1
    assert main(["diff", one, broken]) == 4
    assert main(["diff", one, str(tmp_path / "missing.yaml")]) == 4
    error = capsys.readouterr().err
    assert "broken.yaml:4:10: " in error
    assert "missing.yaml:1:1: the policy cannot be read" in error


def test_json_holds_what_markdown_and_text_tell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = write(tmp_path, "one.yaml", HEAD + "- level: Metadata\n")
    other = write(tmp_path, "other.yaml", HEAD + "- {level: None, users: [a|b], resources: [{}]}\n- level: Metadata\n")

    assert main(["diff", one, other, "--format", "json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert main(["diff", one, other, "--format", "markdown"]) == 1
    markdown = capsys.readouterr().out

    assert (document["apiVersion"], document["kind"]) == ("auditproof/v1", "PolicyDiff")
    (change,) = document["changes"]
    assert change["rules"] == [{"old": {"rule": 0, "line": 4}, "new": {"rule": 0, "line": 4}}]
    assert change["old"]["level"] == "Metadata" and change["new"] == {
        "level": "None",
        "stages": [],
        "omitManagedFields": False,
    }
    assert change["witness"]["user"] == "a|b" and "/api/v1/" in change["witness"]["uri"]
    assert "secrets" in change["resources"]
    assert "a\\|b" in markdown and markdown.count("\n|") == 3
