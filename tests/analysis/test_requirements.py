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
from auditproof.audit.event import Level
from auditproof.audit.policy.load import Policy, load_policy, parse_policy
from auditproof.audit.stages import emitted_stages
from auditproof.cli.main import main
from auditproof.errors import AuditproofError, SourceError
from auditproof.kube.attributes import Attributes, is_long_running
from auditproof.kube.controllers import CONTROLLERS
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

    selected, wrong = requirement.clauses[0].selected[0], set()
    for request in unlike(policy, requirement):
        for user in HONEST[::11] + HONEST[:4]:
            asked = replace(request, user=user)
            meant = user and user.name != "alice" and no_match(selected, asked) is None
            decision = decide(policy, asked)
            if meant and not requirement.bound.allows(level_of(decision, asked)):
                wrong.add(decision.rule and decision.rule.index)
    assert wrong <= {violation.rule and violation.rule.index for violation in result.violations}
    for violation in result.violations:
        asked = violation.witness.attributes
        assert no_match(selected, asked) is None
        assert asked.user is not None and asked.user.name != "alice"
        decision = decide(policy, asked)
        assert decision.rule == violation.rule
        assert violation.level is level_of(decision, asked) and not requirement.bound.allows(violation.level)


def unlike(policy: Policy, requirement: Requirement) -> list[Any]:
    """Of requests that match the same rules, but for who asks, one."""
    rules = [replace(rule, users=(), user_groups=()) for rule in (*policy.rules, *requirement.clauses[0].selected)]
    kinds = {(is_long_running(asked), *(no_match(rule, asked) is None for rule in rules)): asked for asked in REQUESTS}
    return list(kinds.values())


def level_of(decision: Any, asked: Attributes) -> Level:
    """The level at which the request is recorded: of a request without a remaining stage there is no event."""
    return decision.level if emitted_stages(asked, 200) - decision.omit_stages else Level.NONE


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
    assert bool(result.violations) == any(not step.holds for step in steps)


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
        (
            "{atLeast: Metadata}",
            "{}",
            "12:12: a level is exactly one of atLeast, atMost, exactly and oneOf; here is none",
        ),
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
    assert "\nMET secrets-recorded" in capsys.readouterr().out
    assert main(["requirements", str(quiet)]) == 1
    text = capsys.readouterr().out
    assert "NOT MET secrets-recorded" in text and f"{quiet}:4: rule 1 decides" in text
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
    assert "\nMET pods" in told
    assert "odd requests, which do not count as violations, are not recorded" in told
    assert 'it names the namespace "*": no ordinary client sends such a request' in told


def test_a_requirement_that_selects_odd_requests_alone_is_about_them(tmp_path: Path) -> None:
    (asked,) = requirements_of(tmp_path, ONE.replace("[shop]", "['*']"))

    found = check_requirement(policy_of("- {level: None, namespaces: ['*']}\n- level: Metadata\n"), asked, SERVED)

    assert found.classes and found.beyond == ()
    assert [violation.level for violation in found.violations] == [Level.NONE]


# Stages, sets of levels, and who acts through a controller


def with_bound(bound: str) -> str:
    return ONE.replace("    level: {atLeast: Metadata}\n", bound)


@pytest.mark.parametrize(
    ("rules", "violated"),
    [
        ("- {level: Metadata}\n", []),
        ("- {level: None}\n", []),  # not recorded is what the level permits
        ("- {level: Request}\n", [Level.REQUEST]),
        ("- {level: None, verbs: [get]}\n- {level: RequestResponse}\n", [Level.REQUEST_RESPONSE]),
    ],
)
def test_a_set_of_levels_permits_just_these(rules: str, violated: list[Level], tmp_path: Path) -> None:
    result = checked(tmp_path, with_bound("    level: {oneOf: [None, Metadata]}\n"), rules)

    assert [violation.level for violation in result.violations] == violated


def test_a_set_of_levels_with_a_gap_is_named_level_by_level(tmp_path: Path) -> None:
    (one,) = requirements_of(tmp_path, with_bound("    level: {oneOf: [Request, None]}\n"))

    assert str(one.bound) == "None or Request"
    assert [level for level in Level if one.bound.allows(level)] == [Level.NONE, Level.REQUEST]


SHORT = "get, list, create, update, patch, delete, deletecollection"  # all verbs of pods but watch
STAGES = "    level: {oneOf: [None, Metadata]}\n    stages: "


@pytest.mark.parametrize(
    ("stages", "rules", "verbs"),
    [
        ("{atLeast: [ResponseComplete]}", "- {level: Metadata, omitStages: [RequestReceived]}\n", []),
        ("{atLeast: [ResponseComplete]}", "- {level: Metadata, omitStages: [ResponseComplete]}\n", [SHORT, "watch"]),
        ("{atLeast: [ResponseComplete]}", "- {level: None}\n", []),
        # Only a watch has an event at ResponseStarted.
        ("{atLeast: [ResponseStarted]}", "- {level: Metadata, omitStages: [ResponseStarted]}\n", ["watch"]),
        ("{atMost: [ResponseComplete]}", "- {level: Metadata, omitStages: [RequestReceived]}\n", ["watch"]),
        ("{exactly: [RequestReceived]}", "- {level: Metadata, omitStages: [ResponseStarted]}\n", ["all verbs"]),
    ],
)
def test_stages_are_required_of_what_is_recorded(stages: str, rules: str, verbs: list[str], tmp_path: Path) -> None:
    result = checked(tmp_path, with_bound(f"{STAGES}{stages}\n"), rules)

    assert [violation.row.product.verbs_text for violation in result.violations] == verbs


def test_the_recorded_stages_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = tmp_path / "p.yaml"
    policy.write_text(HEAD + "- {level: Metadata, omitStages: [ResponseComplete]}\n")
    requirements_of(tmp_path, with_bound(f"{STAGES}{{atLeast: [ResponseComplete]}}\n"))
    command = ["requirements", str(policy), "--requirements", str(tmp_path / "ours.yaml")]

    assert main(command) == 1
    text = capsys.readouterr().out
    assert "(at most Metadata, stages: at least ResponseComplete; " in text
    assert "- recorded at Metadata, with events at RequestReceived\n" in text
    assert main([*command, "--format", "json"]) == 1
    (file,) = json.loads(capsys.readouterr().out)["files"]
    stages = [violation["stages"] for violation in file["requirements"][0]["violations"]]
    assert ["RequestReceived"] in stages


def test_a_stage_that_only_streams_have_records_nothing_else(tmp_path: Path) -> None:
    """Of watches, ResponseStarted is left: with RequestReceived and ResponseComplete omitted, these are recorded."""
    rules = "- {level: Metadata, omitStages: [RequestReceived, ResponseComplete]}\n"

    (violation,) = checked(tmp_path, ONE, rules).violations

    assert violation.level is Level.NONE
    assert violation.row.product.verbs_text == SHORT


THROUGH = """\
  - id: pods
    title: Pods that controllers create are recorded
    for:
      - resources: [pods]
        verbs: [create]
        through: [deployments, daemonsets]
    except:
      - userGroups: ["system:serviceaccounts:kube-system"]
      - namespaces: [playground]
    level: {atLeast: Metadata}
    because: we say so
    source: ourselves
"""
REPLICAS = "system:serviceaccount:kube-system:replicaset-controller"


def who_is_missing(folder: Path, rules: str) -> set[str]:
    return {user for one in checked(folder, THROUGH, rules).violations for user in one.row.who.split(", ")}


def test_through_means_the_controllers_that_act_although_they_are_excepted(tmp_path: Path) -> None:
    dropped = "- {level: None, userGroups: ['system:serviceaccounts:kube-system']}\n- level: Metadata\n"

    assert who_is_missing(tmp_path, dropped) == {REPLICAS, "system:serviceaccount:kube-system:daemon-set-controller"}
    assert who_is_missing(tmp_path, f"- {{level: None, users: ['{REPLICAS}']}}\n- level: Metadata\n") == {REPLICAS}


def test_through_means_those_who_send_such_requests_alone(tmp_path: Path) -> None:
    """The deployment-controller creates ReplicaSets, and the job-controller no Pods of Deployments."""
    for name in ("deployment-controller", "job-controller", "anything"):
        user = f"system:serviceaccount:kube-system:{name}"
        assert not who_is_missing(tmp_path, f"- {{level: None, users: ['{user}']}}\n- level: Metadata\n")


def test_controllers_without_accounts_of_their_own_are_meant_too(tmp_path: Path) -> None:
    rules = "- {level: None, users: ['system:kube-controller-manager']}\n- level: Metadata\n"

    assert who_is_missing(tmp_path, rules) == {"system:kube-controller-manager"}


def test_an_exception_by_what_is_asked_for_holds_through_controllers_too(tmp_path: Path) -> None:
    rules = f"- {{level: None, users: ['{REPLICAS}'], namespaces: [playground]}}\n- level: Metadata\n"

    assert not who_is_missing(tmp_path, rules)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "[deployments, d",
            "[deployment, d",
            '10:19: no controller acts for "deployment"; did you mean "deployments"?',
        ),
        (
            "resources: [pods]",
            "resources: [secrets]",
            "10:19: no controller sends these requests for deployments: it changes replicasets (create, ",
        ),
        ("        verbs: [create]", "        users: [alice]", "10:18: through names the users itself: remove users"),
        ("        verbs: [create]", "        failedLogins: true", "9:23: a failed login has neither user nor groups"),
        (
            "    because",
            "    stages: {}\n    because",
            "15:13: stages are exactly one of atLeast, atMost and exactly; here is none",
        ),
        ("    because", "    stages: {atLeast: [Panic]}\n    because", "15:24: "),
        ("{atLeast: Metadata}", "{oneOf: [metadata]}", "14:21: "),
        ("{atLeast: Metadata}", "{oneOf: [Request], atMost: Request}", "14:12: a level is exactly one of"),
    ],
)
def test_what_is_wrong_with_a_new_key_is_told_with_its_place(old: str, new: str, message: str, tmp_path: Path) -> None:
    assert old in THROUGH

    with pytest.raises(SourceError) as raised:
        requirements_of(tmp_path, THROUGH.replace(old, new))

    assert f"{tmp_path}/ours.yaml:{message}" in str(raised.value)


def violated_by(rules: str, name: str) -> set[str]:
    policy = policy_of(rules)
    found = load_requirements(name, FOLDER).requirements
    return {one.id for one in found if check_requirement(policy, one, SERVED).violations}


NO_NODES = "- {level: None, userGroups: ['system:nodes']}\n- {level: Metadata}\n"
NO_KUBE_SYSTEM = "- {level: None, userGroups: ['system:serviceaccounts:kube-system']}\n- {level: Metadata}\n"


@pytest.mark.parametrize(
    ("name", "by_nodes", "by_kube_system"),
    [
        ("security-monitoring", {"secret-access", "issued-tokens", "pods-of-nodes"}, {"pods-of-controllers"}),
        ("baseline", {"secrets-recorded", "changes-recorded"}, {"pods-of-controllers-recorded", "secrets-recorded"}),
        ("compliance", {"access-to-secrets", "credentials"}, {"access-to-secrets", "changes"}),
        ("cis", {"cis-3-2-2-secrets", "cis-3-2-2-workloads"}, {"cis-3-2-2-secrets", "cis-3-2-2-workloads"}),
        ("access-management", {"accounts", "use-of-rights"}, {"accounts", "use-of-rights"}),
        ("secrets-hygiene", {"secret-access"}, {"secret-access"}),
        ("troubleshooting", {"deletions"}, {"through-controllers", "deletions"}),
        ("stig", {"v-242461"}, {"v-242461"}),
    ],
)
def test_no_shipped_file_lets_nodes_or_kube_system_go_unseen(
    name: str, by_nodes: set[str], by_kube_system: set[str]
) -> None:
    """A stolen kubelet credential, and every Pod that a controller creates, are seen in a log that meets them."""
    met = violated_by("- {level: Metadata}\n", name)
    assert by_nodes <= violated_by(NO_NODES, name) - met
    assert by_kube_system <= violated_by(NO_KUBE_SYSTEM, name) - met


@pytest.mark.parametrize("name", shipped(FOLDER))
def test_every_exception_of_a_shipped_file_says_why(name: str) -> None:
    """A comment stands on the line of the exception, above it, or in the head of the file."""
    lines = (FOLDER / f"{name}.yaml").read_text().splitlines()
    for number, line in enumerate(lines):
        if line.strip().split("#")[0].strip() == "except:":
            indent = len(line) - len(line.lstrip())
            block = [line, *_indented(lines[number + 1 :], indent)]
            assert any("#" in one for one in block), f"{name}.yaml:{number + 1}"


def _indented(lines: list[str], indent: int) -> list[str]:
    found = []
    for line in lines:
        if len(line) - len(line.lstrip()) <= indent and not line.lstrip().startswith("- "):
            break
        found.append(line)
    return found


def test_the_documented_file_loads_and_the_document_names_every_controlled_resource(tmp_path: Path) -> None:
    text = (content.root() / "docs" / "requirements.md").read_text()
    (tmp_path / "ours.yaml").write_text(text.split('```yaml title="requirements/own.yaml"\n')[1].split("```")[0])

    assert [one.id for one in load_requirements(str(tmp_path / "ours.yaml"), FOLDER).requirements] == ["rights"]
    assert f"The known resources are {', '.join(list(CONTROLLERS)[:-1])} and {list(CONTROLLERS)[-1]}." in text
