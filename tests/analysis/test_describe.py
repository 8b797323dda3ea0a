"""A description says what a policy means, exactly, and nothing of how its rules are written."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from auditproof import content
from auditproof.analysis.describe import Description, describe, render_markdown, render_text
from auditproof.analysis.describe.requests import OTHER, Asked, Requests
from auditproof.analysis.describe.whos import SubjectKind, Who, Whos
from auditproof.analysis.diff import diff
from auditproof.analysis.mutation.mutants import one_step_mutants
from auditproof.analysis.space import Space
from auditproof.analysis.space.cells import SAME
from auditproof.audit.decide import decide
from auditproof.audit.effect import effect_of
from auditproof.audit.policy.load import Policy, load_policy, parse_policy
from auditproof.cli.main import main
from auditproof.kube.attributes import Attributes, UserInfo
from auditproof.kube.discovery import load_served
from tests.analysis.test_diff_same import twins
from tests.support.properties import examples
from tests.support.random_policies import documents, read

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

SERVED = load_served("1.37")
POLICIES = sorted((content.root() / "fixtures" / "policies").glob("*.yaml"))
HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n"
LISTS = ("users", "userGroups", "verbs", "namespaces", "nonResourceURLs", "resources")


def policy_of(rules: str) -> Policy:
    return parse_policy((HEAD + rules).encode(), "p.yaml")


def of(rules: str) -> Description:
    return describe(policy_of(rules), SERVED)


def text_of(policy: Policy) -> str:
    return render_text(describe(policy, SERVED))


def usual(found: Description) -> list[tuple[str, ...]]:
    return [(str(line.effect), line.what, line.verbs, line.where) for line in found.usual]


def exceptions(found: Description) -> list[tuple[str, ...]]:
    return [(line.who, str(line.effect), line.what, line.verbs, line.where) for line in found.exceptions]


@examples(12)
@given(twins())
def test_policies_without_a_difference_have_the_same_description(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Whatever they mention, and in whichever order."""
    old, new = (read(document) for document in pair)
    assume(not diff(old, new, SERVED).differences)

    assert text_of(old) == text_of(new)


@examples(12)
@given(documents(), st.randoms(use_true_random=False))
def test_rules_that_are_split_repeated_or_of_no_effect_change_nothing(document: dict[str, Any], random: Random) -> None:
    changed = deepcopy(document)
    for _ in range(4):
        _rewrite(changed["rules"], random)

    assert text_of(read(document)) == text_of(read(changed))


def _rewrite(rules: list[dict[str, Any]], random: Random) -> None:
    """Change the text of a policy and not what it means."""
    place = random.randrange(len(rules))
    rule = rules[place]
    step = random.choice(["repeat", "split", "shuffle", "shadowed", "last", "named"])
    lists = [key for key in LISTS if len(rule.get(key, ())) > 1]
    if step == "repeat":
        rules.insert(random.randint(place + 1, len(rules)), deepcopy(rule))
    elif step == "shadowed":
        level = random.choice(["None", "Metadata", "RequestResponse"])
        narrow = {"level": level, **({} if rule.get("users") else {"users": ["zoe"]})}
        rules.insert(random.randint(place + 1, len(rules)), deepcopy(rule) | narrow)
    elif step == "last":
        rules.append({"level": "None"})
    elif step == "named" and set(rules[-1]) <= {"level", "omitStages", "omitManagedFields"}:
        zoo = random.choice(
            [
                {"users": ["zoe"]},
                {"userGroups": ["zoo"]},
                {"namespaces": ["zoo"]},
                {"resources": [{"group": "zoo.example.com", "resources": ["apes", "apes/tails"]}]},
                {"resources": [{"resources": ["pods", "namespaces"], "resourceNames": ["ape"]}]},
                {"users": ["system:serviceaccount:zoo:ape"]},
            ]
        )
        rules.insert(len(rules) - 1, deepcopy(rules[-1]) | zoo)
    elif lists and step == "split":
        key = random.choice(lists)
        rules[place : place + 1] = [deepcopy(rule) | {key: [value]} for value in rule[key]]
    elif lists:
        for key in lists:
            random.shuffle(rule[key])


def user_of(one: Who) -> UserInfo | None:
    """One of these users."""
    anyone = "system:authenticated"
    namespace = one.name.split(":")[2] if one.kind is SubjectKind.ACCOUNT else one.name or "elsewhere"
    accounts = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", anyone)
    return {
        SubjectKind.USER: UserInfo(one.name, (anyone,)),
        SubjectKind.USER_IN_GROUP: UserInfo(one.name, (one.group, anyone)),
        SubjectKind.GROUP: UserInfo("nobody-else", (one.name, anyone)),
        SubjectKind.ACCOUNT: UserInfo(one.name, accounts),
        SubjectKind.ACCOUNTS_OF: UserInfo(f"system:serviceaccount:{namespace}:nobody-else", accounts),
        SubjectKind.ACCOUNTS: UserInfo(f"system:serviceaccount:{namespace}:nobody-else", accounts),
        SubjectKind.ANONYMOUS: UserInfo("system:anonymous", ("system:unauthenticated",)),
        SubjectKind.OTHERS: UserInfo("nobody-else", (anyone,)),
        SubjectKind.FAILED: None,
    }[one.kind]


def request_of(asked: Asked, user: UserInfo | None) -> Attributes:
    """One of these requests."""
    target = asked.target
    if target is None:
        return Attributes(user, asked.verb, path=asked.path, resource_request=False)
    namespace = "nowhere-else" if asked.namespace == OTHER else asked.namespace
    name = namespace if asked.name == SAME else "nothing-else" if asked.name == OTHER else asked.name
    steps = ("never-else" if step in ("*", OTHER) else step for step in _steps(asked))
    group, resource, part = steps if target.known else ("never-else", "never-else", "")
    return Attributes(user, asked.verb, namespace, group, target.version, resource, part, name)


def _steps(asked: Asked) -> tuple[str, str, str]:
    target = asked.target
    assert target is not None
    return target.group, target.resource, target.subresource


@examples(10)
@given(documents())
def test_each_kind_of_request_and_user_is_recorded_as_the_policy_decides(document: dict[str, Any]) -> None:
    policy = read(document)
    space = Space.of(policy.rules, SERVED)
    whos, requests = Whos(policy, space), Requests(space, SERVED)
    masks = list(dict.fromkeys(requests.masks.values()))
    effects = whos.told_apart(masks)
    found = requests.reduced({mask: n for n, mask in enumerate(masks)}.__getitem__)
    # One request for each combination of rules that match.
    kinds = {number: asked for asked, number in found.items()}

    for number, asked in kinds.items():
        for one, recorded in effects.items():
            user = user_of(one)
            assert recorded[number] == effect_of(decide(policy, request_of(asked, user)), failed=user is None)


@examples(8)
@given(documents(), st.randoms(use_true_random=False))
def test_what_a_mistake_changes_for_ordinary_users_is_in_the_description(
    document: dict[str, Any], random: Random
) -> None:
    """Of users who are in several groups, or in a group and named, only that they are exceptions is said."""
    policy = read(document)
    mutants = list(one_step_mutants(policy))
    for mutant in random.sample(mutants, min(3, len(mutants))):
        seen = [
            one
            for one in diff(policy, mutant.policy, SERVED).differences
            if (one.row.standing, one.row.asking) == (0, 0) and _is_simple(one.witness.attributes.user, policy)
        ]
        if seen:
            assert text_of(policy) != text_of(mutant.policy), mutant.text


def _is_simple(user: UserInfo | None, policy: Policy) -> bool:
    if user is None:
        return False
    named = user.name in {name for rule in policy.rules for name in rule.users}
    groups = [group for group in user.groups if not group.startswith("system:")]
    return user.name.startswith("system:") or len(groups) + named < 2


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_shipped_policies_are_described_on_a_page(path: Path) -> None:
    found = describe(load_policy(path), SERVED)

    assert len(render_text(found).splitlines()) < 80
    assert len(render_markdown(found).splitlines()) < 140


def test_users_who_are_treated_differently_are_exceptions() -> None:
    found = of(
        "- {level: None, users: [kube-proxy], verbs: [watch], resources: [{resources: [services]}]}\n"
        "- {level: None, userGroups: ['system:authenticated'], nonResourceURLs: [/version]}\n"
        "- level: Metadata\n"
    )

    assert usual(found) == [
        ("Metadata", "every resource", "all verbs", ""),
        ("Metadata", "every other request for a path", "", ""),
        ("None", "path /version", "all verbs", ""),
    ]
    assert exceptions(found) == [
        ("system:anonymous, failed logins (401)", "Metadata", "path /version", "all verbs", ""),
        ("kube-proxy", "None", "services", "watch", ""),
    ]


def test_names_that_make_no_difference_are_not_mentioned() -> None:
    """A user, a group, a namespace, a name, a custom resource and a service account that are treated as all others."""
    found = of(
        "- {level: Metadata, users: [alice, 'system:serviceaccount:shop:robot'], userGroups: [dev]}\n"
        "- {level: Metadata, namespaces: [shop], resources: [{resources: [pods], resourceNames: [web]}]}\n"
        "- {level: Metadata, resources: [{group: example.com, resources: [apes/tails]}]}\n"
        "- level: Metadata\n"
    )

    text = render_text(found)
    for name in ("alice", "robot", "dev,", "shop", "web", "example.com", "apes"):
        assert name not in text
    assert "There are none: what is recorded does not depend on the user." in text


@pytest.mark.parametrize(
    ("rules", "what"),
    [
        ("- {level: Request, resources: [{group: a.io, resources: [x]}]}\n", ["x.a.io"]),
        ("- {level: Request, resources: [{group: a.io}]}\n", ["*.a.io"]),
        ("- {level: Request, resources: [{group: a.io, resources: [x, '*/status']}]}\n", ["*.a.io/status, x.a.io"]),
        ("- {level: Request, resources: [{group: '*', resources: [x]}]}\n", ["x.*"]),
        ("- {level: Request, namespaces: [a], resources: [{resources: [pods]}]}\n", ["pods"]),
    ],
)
def test_custom_resources_are_named_where_they_matter(rules: str, what: list[str]) -> None:
    found = of(rules + "- level: Metadata\n")

    assert [line.what for line in found.usual if str(line.effect) == "Request"] == what


def test_the_log_holds_secrets_where_their_bodies_are_recorded() -> None:
    nothing, sent, both = (of(f"- level: {level}\n") for level in ("Metadata", "Request", "RequestResponse"))
    only = of(
        "- {level: None, userGroups: ['system:serviceaccounts']}\n"
        "- {level: RequestResponse, verbs: [get], resources: [{resources: [secrets]}]}\n"
    )

    assert (nothing.secrets, nothing.bodies) == ((), False)
    assert "issued tokens are not recorded" in render_text(nothing)
    assert {(one.line.what, one.line.verbs) for one in sent.secrets} == {
        ("configmaps, secrets, tokenreviews.authentication.k8s.io", "create, update, patch")
    }
    assert {"serviceaccounts/token", "configmaps, secrets"} <= {one.line.what for one in both.secrets}
    (one,) = only.secrets
    assert (one.line.what, one.line.verbs, one.bodies) == ("secrets", "get", {"returned"})
    assert one.line.who == "everybody except other service accounts"


@pytest.mark.parametrize(
    ("rules", "conflict"),
    [
        ("- {level: None, users: [alice], verbs: [get]}\n- {level: None, userGroups: [dev], verbs: [list]}\n", []),
        ("- {level: Metadata, users: [alice]}\n- {level: None, userGroups: [dev]}\n", ["alice: members of dev: True"]),
        (
            "- {level: None, userGroups: [dev]}\n- {level: Request, users: [alice]}\n",
            ["members of dev: alice: True"],
        ),
        (
            (
                "- {level: None, userGroups: [dev], verbs: [get]}\n- {level: Request, users: [alice]}\n"
                "- {level: None, userGroups: [dev], verbs: [list]}\n"
            ),
            ["alice: members of dev: False"],
        ),
    ],
)
def test_users_to_whom_several_exceptions_apply_have_all_of_them_or_are_named(rules: str, conflict: list[str]) -> None:
    found = of(rules + "- level: Metadata\n")

    assert found.several
    assert [f"{one.text}: {other.text}: {always}" for one, other, always in found.conflicts] == conflict


def test_stages_that_are_never_recorded_are_said_once() -> None:
    head = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n"
    rules = "- {level: Request, omitManagedFields: true, resources: [{resources: [pods]}]}\n- level: Metadata\n"
    text = text_of(parse_policy((head + rules).encode(), "p.yaml"))

    assert "Nothing is recorded at RequestReceived." in text
    assert "Recorded at Request without managedFields\n" in text and "Recorded at Metadata\n" in text
    other = text_of(policy_of("- {level: Request, omitStages: [RequestReceived], verbs: [get]}\n- level: Metadata\n"))
    assert "Recorded at Request without RequestReceived\n" in other and "Stages" not in other


def test_the_example_of_the_document_is_what_the_command_writes() -> None:
    document = (content.root() / "docs" / "describe.md").read_text()
    page = text_of(load_policy(content.root() / "fixtures" / "policies" / "baseline.yaml"))

    assert f"```\n$ auditproof describe fixtures/policies/baseline.yaml\n{page}```\n" in document


def test_what_is_most_usual_is_said_of_every_other_request() -> None:
    found = of("- {level: Request, resources: [{resources: [pods]}]}\n- level: Metadata\n")

    assert usual(found) == [
        ("Request", "pods", "all verbs", ""),
        ("Metadata", "every other request for a resource", "", ""),
        ("Metadata", "every path", "all verbs", ""),
    ]


@pytest.mark.parametrize("form", ["text", "markdown", "html"])
def test_the_page_names_its_policy_only_on_request(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has no path, hash or line number otherwise, so that it can be kept in git."""
    pages = []
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(HEAD + "# " + name + "\n- level: Metadata\n")
        assert main(["describe", str(tmp_path / name), "--format", form]) == 0
        pages.append(capsys.readouterr().out)

    assert pages[0] == pages[1] and "a.yaml" not in pages[0]
    assert main(["describe", str(tmp_path / "a.yaml"), "--format", form, "--source"]) == 0
    assert "a.yaml, SHA-256 " in capsys.readouterr().out


def test_a_page_of_html_shows_names_and_runs_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    user = "<script>alert(1)"
    rules = [{"level": "None", "users": [user]}, {"level": "Metadata"}]
    document = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": rules}
    (tmp_path / "p.json").write_text(json.dumps(document))

    assert main(["describe", str(tmp_path / "p.json"), "--format", "html"]) == 0
    page = capsys.readouterr().out
    assert "&lt;script&gt;" in page and "<script" not in page
    assert "default-src 'none'" in page


@pytest.mark.parametrize("name", ["nowhere.yaml", "broken.yaml"])
def test_a_policy_that_cannot_be_used_is_an_error(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.yaml").write_text(HEAD + "- {level: metadata}\n")

    assert main(["describe", str(tmp_path / name)]) == 4
    assert f"{name}:" in capsys.readouterr().err
