"""Requirements hold exactly where they should: held against decide() on requests that were made without the space."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given

from auditproof import content
from auditproof.analysis.requirements import (
    Checked,
    Requirement,
    check_requirement,
    load_requirements,
    required_steps,
    shipped,
)
from auditproof.audit.decide import decide, no_match
from auditproof.audit.event import Level, Stage
from auditproof.audit.policy.load import Policy, load_policy, parse_policy
from auditproof.cli.main import main
from auditproof.errors import AuditproofError, SourceError
from auditproof.kube.discovery import load_served
from tests.support.properties import examples
from tests.support.random_policies import every_request, policies, users

if TYPE_CHECKING:
    from pathlib import Path

SERVED = load_served("1.37")
FOLDER = content.root() / "suites" / "requirements"
BASELINE = content.root() / "fixtures" / "policies" / "baseline.yaml"
HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n"
FILE = "apiVersion: auditproof/v1\nkind: Requirements\ntitle: Ours\nrequirements:\n"
ONE = """\
  - id: pods
    title: Pods are recorded
    for:
      - resources: [pods]
        namespaces: [shop]
    except:
      - users: [alice]
    level: {atLeast: Metadata}
    because: we say so
    source: ourselves
"""
HONEST = [user for user, honest in users() if honest]
REQUESTS = [  # what an API server serves of pods
    asked
    for asked in every_request()
    if (asked.verb in ("get", "update", "patch", "delete") and asked.name)
    or asked.verb in ("list", "watch", "deletecollection")
    or (asked.verb == "create" and not asked.name)
]


def policy_of(rules: str) -> Policy:
    return parse_policy((HEAD + rules).encode(), "p.yaml")


def requirements_of(folder: Path, text: str) -> tuple[Requirement, ...]:
    (folder / "ours.yaml").write_text(FILE + text)
    return load_requirements(str(folder / "ours.yaml"), FOLDER).requirements


def checked(folder: Path, requirement: str, rules: str) -> Checked:
    (one,) = requirements_of(folder, requirement)
    return check_requirement(policy_of(rules), one, SERVED)


@pytest.mark.parametrize("bound", ["atLeast: Metadata", "atMost: Metadata", "exactly: Request"])
@examples(10)
@given(policy=policies)
def test_a_requirement_is_violated_where_and_only_where_a_request_is(
    policy: Policy, bound: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = ONE.replace("atLeast: Metadata", bound)
    (requirement,) = requirements_of(tmp_path_factory.mktemp("requirements"), text)

    result = check_requirement(policy, requirement, SERVED)

    wrong = set()
    for request in unlike(policy, requirement):
        for user in HONEST[::11] + HONEST[:4]:
            asked = replace(request, user=user)
            meant = user and user.name != "alice" and no_match(requirement.selected[0], asked) is None
            decision = decide(policy, asked)
            if meant and any(not requirement.bound.allows(level) for level in levels(decision)):
                wrong.add(decision.rule and decision.rule.index)
    assert wrong <= {violation.rule and violation.rule.index for violation in result.violations}
    for violation in result.violations:
        asked = violation.witness.attributes
        assert no_match(requirement.selected[0], asked) is None
        assert asked.user is not None and asked.user.name != "alice"
        decision = decide(policy, asked)
        assert decision.rule == violation.rule
        assert violation.level in levels(decision) and not requirement.bound.allows(violation.level)


def unlike(policy: Policy, requirement: Requirement) -> list[Any]:
    """Of requests that match the same rules, but for who asks, one."""
    rules = [replace(rule, users=(), user_groups=()) for rule in (*policy.rules, *requirement.selected)]
    return list({tuple(no_match(rule, asked) is None for rule in rules): asked for asked in REQUESTS}.values())


def levels(decision: Any) -> set[Level]:
    """The levels at which requests that are decided so may be recorded."""
    left = set(Stage) - decision.omit_stages
    found = {decision.level} if left else {Level.NONE}
    return found if left & {Stage.REQUEST_RECEIVED, Stage.RESPONSE_COMPLETE} else found | {Level.NONE}


def test_a_violation_names_the_class_a_request_the_rule_and_its_line(tmp_path: Path) -> None:
    result = checked(tmp_path, ONE, "- {level: None, verbs: [get], namespaces: [shop]}\n- level: Metadata\n")

    (violation,) = result.violations
    assert violation.row.who == "system:anonymous, any other user, any other service account"
    assert (violation.row.product.verbs_text, violation.row.product.what) == ("get", "pods")
    assert violation.row.product.where == "in shop"
    assert violation.rule is not None and violation.rule.position.line == 4
    assert str(violation.witness.performable) == "someone: GET /api/v1/namespaces/shop/pods/something"


def test_failed_logins_are_only_meant_where_they_are_named(tmp_path: Path) -> None:
    rules = "- {level: Metadata, omitStages: [ResponseStarted]}\n"
    failed = ONE.replace("      - resources: [pods]\n        namespaces: [shop]\n", "      - failedLogins: true\n")

    assert not checked(tmp_path, ONE, rules).violations
    (violation, *_) = checked(tmp_path, failed, rules).violations
    assert violation.row.who == "failed logins (401)"


def test_what_is_recorded_at_no_stage_is_not_recorded(tmp_path: Path) -> None:
    rules = "- {level: Metadata, omitStages: [RequestReceived, ResponseComplete]}\n"

    (violation, *_) = checked(tmp_path, ONE, rules).violations

    assert violation.level is Level.NONE


@examples(10)
@given(policies)
def test_the_steps_of_a_requirement_are_its_classes(policy: Policy) -> None:
    (requirement, *_) = load_requirements("baseline", FOLDER).requirements

    result = check_requirement(policy, requirement, SERVED)
    steps = list(required_steps(policy, requirement, SERVED))

    assert len(steps) == result.classes
    assert bool(result.violations) == any(not holds for _, holds in steps)


@pytest.mark.parametrize("name", shipped(FOLDER))
def test_shipped_requirements_are_about_something(name: str) -> None:
    policy = load_policy(BASELINE)
    for requirement in load_requirements(name, FOLDER).requirements:
        assert check_requirement(policy, requirement, SERVED).classes, requirement.id


def test_all_that_is_promised_is_shipped() -> None:
    assert set(shipped(FOLDER)) == {
        "baseline",
        "cis",
        "stig",
        "secrets-hygiene",
        "security-monitoring",
        "compliance",
        "troubleshooting",
        "access-management",
    }


@pytest.mark.parametrize("name", sorted(set(shipped(FOLDER)) - {"stig"}))
def test_the_baseline_policy_does_what_is_required(name: str) -> None:
    policy = load_policy(BASELINE)
    for requirement in load_requirements(name, FOLDER).requirements:
        assert not check_requirement(policy, requirement, SERVED).violations, requirement.id


@pytest.mark.covers("U26")
def test_the_stig_and_secrets_hygiene_contradict_each_other() -> None:
    everything = policy_of("- level: RequestResponse\n")

    def violated(name: str) -> bool:
        found = load_requirements(name, FOLDER).requirements
        return any(check_requirement(everything, requirement, SERVED).violations for requirement in found)

    assert not violated("stig")
    assert violated("secrets-hygiene") and violated("cis")


@pytest.mark.parametrize("name", shipped(FOLDER))
def test_a_policy_that_does_the_contrary_violates_every_requirement(name: str) -> None:
    nothing, everything = policy_of("- level: None\n"), policy_of("- level: RequestResponse\n")

    for requirement in load_requirements(name, FOLDER).requirements:
        contrary = nothing if requirement.bound.least > Level.NONE else everything
        assert check_requirement(contrary, requirement, SERVED).violations, requirement.id


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("resources: [pods]", "resources: [podz]", '8:21: "podz" is no built-in resource; did you mean "pods"?'),
        ("resources: [pods]", "resources: [pods/logs]", '8:21: pods has no subresource "logs"; did you mean "log"?'),
        ("resources: [pods]", "resource: [pods]", 'unknown key "resource"; did you mean "resources"?'),
        ("level: {atLeast:", "atLeast: {level:", 'unknown key "atLeast"; it belongs under "level"'),
        ("resources: [pods]", "title: [pods]", 'unknown key "title"; it belongs under "requirements" or the top level'),
        (
            "resources: [pods]",
            "verbs: [lst]",
            '8:17: no request for a resource has the verb "lst"; did you mean "list"?',
        ),
        ("namespaces: [shop]", "nonResourceURLs: [/x]", "9:26: a path has no resource or namespace"),
        ("{atLeast: Metadata}", "{atLeast: Metadata, atMost: Request}", "12:12: a level is exactly one of"),
        ("{atLeast: Metadata}", "{}", "12:12: a level is exactly one of atLeast, atMost and exactly; here is none"),
        ("{atLeast: Metadata}", "{atLeast: metadata}", "12:22: "),
        ("    source: ourselves\n", "", "source: Field required"),
        ("users: [alice]", "failedLogins: true", "failed logins are covered only if for: selects them"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_with_its_place(old: str, new: str, message: str, tmp_path: Path) -> None:
    assert old in ONE

    with pytest.raises(SourceError) as raised:
        requirements_of(tmp_path, ONE.replace(old, new))

    assert message in str(raised.value)
    assert f"{tmp_path}/ours.yaml:" in str(raised.value)


def test_an_id_is_taken_once(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match='15:9: the id "pods" is taken already, in line 5'):
        requirements_of(tmp_path, ONE + ONE)


def test_a_name_that_is_none_is_told_with_a_suggestion() -> None:
    with pytest.raises(AuditproofError, match=r"neither a file nor one of .*; did you mean baseline\?"):
        load_requirements("basline", FOLDER)


def test_exit_codes_and_formats(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quiet = tmp_path / "quiet.yaml"
    quiet.write_text(HEAD + "- {level: None, resources: [{resources: [secrets]}]}\n- level: Metadata\n")

    assert main(["requirements", str(BASELINE)]) == 0
    assert "HOLDS secrets-recorded" in capsys.readouterr().out
    assert main(["requirements", str(quiet)]) == 1
    text = capsys.readouterr().out
    assert "VIOLATED secrets-recorded" in text and f"{quiet}:4: rule 1 decides" in text
    assert main(["requirements", str(quiet), "--requirements", "cis", "--format", "json"]) == 1
    (file,) = json.loads(capsys.readouterr().out)["files"]
    violated = [one["id"] for one in file["requirements"] if one["violations"]]
    assert violated == ["cis-3-2-2-secrets"]
    assert main(["requirements", str(quiet), "--requirements", "cys"]) == 4
    assert "did you mean cis?" in capsys.readouterr().err


def test_odd_requests_violate_nothing_and_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = tmp_path / "p.yaml"
    policy.write_text(HEAD + "- {level: None, namespaces: ['*']}\n- level: Metadata\n")
    text = ONE.replace("        namespaces: [shop]\n", "")
    (asked,) = requirements_of(tmp_path, text)

    found = check_requirement(load_policy(policy), asked, SERVED)

    assert (found.violations, [one.level for one in found.beyond]) == ((), [Level.NONE])
    assert found.beyond[0].row.odd == ('it names the namespace "*"',)
    assert main(["requirements", str(policy), "--requirements", str(tmp_path / "ours.yaml")]) == 0
    told = capsys.readouterr().out
    assert "HOLDS pods" in told
    assert "odd requests, which do not count as violations, are not recorded" in told
    assert 'it names the namespace "*": no ordinary client sends such a request' in told


def test_a_requirement_that_selects_odd_requests_alone_is_about_them(tmp_path: Path) -> None:
    (asked,) = requirements_of(tmp_path, ONE.replace("[shop]", "['*']"))

    found = check_requirement(policy_of("- {level: None, namespaces: ['*']}\n- level: Metadata\n"), asked, SERVED)

    assert found.classes and found.beyond == ()
    assert [violation.level for violation in found.violations] == [Level.NONE]
