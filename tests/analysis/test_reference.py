"""A policy as a requirement: another one records at least as much, compared with decide() request by request."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from auditproof import content
from auditproof.analysis.diff import diff
from auditproof.analysis.gate import Relation, gate
from auditproof.analysis.mutation import strength
from auditproof.analysis.requirements import (
    Checked,
    Requirement,
    check_requirement,
    contradictions,
    load_requirements,
    required_steps,
)
from auditproof.analysis.requirements.requirement import Reference
from auditproof.audit.decide import decide
from auditproof.audit.effect import WITH_BODIES
from auditproof.audit.event import Level, Stage
from auditproof.audit.policy.load import Policy, load_policy, parse_policy
from auditproof.audit.stages import emitted_stages
from auditproof.cli.main import main
from auditproof.errors import SourceError
from auditproof.kube.discovery import load_served
from tests.analysis.test_diff import pairs
from tests.support.properties import examples
from tests.support.random_policies import every_request, users

if TYPE_CHECKING:
    from pathlib import Path

    from auditproof.kube.attributes import Attributes

SERVED = load_served("1.37")
POLICIES = content.root() / "fixtures" / "policies"
HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\n"
META = "rules:\n- level: Metadata\n"
FILE = """\
apiVersion: auditproof/v1
kind: Requirements
title: Ours
requirements:
- id: reference
  title: As much as the reference
  for: [{resources: ["*"]}, {nonResourceURLs: ["*"]}, {failedLogins: true}]
  level: {atLeast: {policy: ref.yaml}}
  because: we compared it
  source: ourselves
"""
PODS = '[{resources: ["*"]}, {nonResourceURLs: ["*"]}, {failedLogins: true}]', "[{resources: [pods]}]"


def policy_of(rules: str) -> Policy:
    return parse_policy((HEAD + rules).encode(), "p.yaml")


def requirement_of(folder: Path, reference: str, text: str = FILE) -> Requirement:
    (folder / "ref.yaml").write_text(HEAD + reference)
    (folder / "ours.yaml").write_text(text)
    return load_requirements(str(folder / "ours.yaml")).requirements[0]


def checked(folder: Path, reference: str, rules: str, text: str = FILE) -> Checked:
    return check_requirement(policy_of(rules), requirement_of(folder, reference, text), SERVED)


def records_less(policy: Policy, reference: Policy, asked: Attributes) -> bool:
    """Whether something is in the log of the reference that is not in the log of the policy."""
    emitted = emitted_stages(asked, 401 if asked.user is None else 200)
    mine, other = decide(policy, asked), decide(reference, asked)
    left, needed = emitted - mine.omit_stages, emitted - other.omit_stages
    if other.level is Level.NONE or not needed:
        return False
    fields = other.level in WITH_BODIES and mine.omit_managed_fields and not other.omit_managed_fields
    panic = asked.user is not None and Stage.PANIC in mine.omit_stages - other.omit_stages
    return mine.level < other.level or not needed <= left or fields or panic


@examples(20)
@given(pair=pairs())
def test_it_is_violated_by_exactly_the_requests_of_which_less_is_recorded(
    pair: tuple[Policy, Policy], tmp_path_factory: pytest.TempPathFactory
) -> None:
    reference, policy = pair
    requirement = replace(requirement_of(tmp_path_factory.mktemp("r"), META), bound=Reference(reference))

    result = check_requirement(policy, requirement, SERVED)

    for violation in result.violations:
        asked = violation.witness.attributes
        assert records_less(policy, reference, asked)
        assert violation.rule == decide(policy, asked).rule
    some = [user for user, honest in users() if honest][::9]
    for request in every_request()[::31]:
        served = request.resource == "pods" and request.verb in ("get", "delete") and request.name == "web"
        if served and request.namespace in ("shop", "else") and not request.subresource and request.api_group == "":
            for user in some:
                assert not records_less(policy, reference, replace(request, user=user)) or result.violations
    steps = list(required_steps(policy, requirement, SERVED))
    assert all(step.holds is not records_less(policy, reference, step.performable.attributes) for step in steps)


@examples(20)
@given(pair=pairs())
def test_a_policy_that_meets_it_has_lost_nothing(
    pair: tuple[Policy, Policy], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The relation of the gate says the same about ordinary requests."""
    reference, policy = pair
    requirement = replace(requirement_of(tmp_path_factory.mktemp("r"), META), bound=Reference(reference))

    relation = gate(reference, policy, SERVED, forbid=()).relation

    if relation in (Relation.EQUIVALENT, Relation.MORE):
        assert not check_requirement(policy, requirement, SERVED).violations


@pytest.mark.parametrize("name", ["baseline", "stages", "levels"])
def test_every_policy_records_at_least_what_it_records(name: str, tmp_path: Path) -> None:
    policy = load_policy(next(POLICIES.glob(f"*{name}*.yaml"), POLICIES / "baseline.yaml"))
    requirement = replace(requirement_of(tmp_path, META), bound=Reference(policy))

    assert not check_requirement(policy, requirement, SERVED).violations
    assert not diff(policy, policy, SERVED).differences


@pytest.mark.parametrize(
    ("reference", "rules", "recorded", "remedy"),
    [
        ("- level: Request\n", "- level: Metadata\n", "recorded at Metadata", "a rule with level: Request"),
        ("- level: None\n", "- level: None\n", None, None),
        (
            "- level: Metadata\n",
            "- {level: Metadata, omitStages: [RequestReceived]}\n",
            "recorded at Metadata, with events at ResponseComplete",
            "keep RequestReceived: change the rule",
        ),
        (
            "- level: Request\n",
            "- {level: Request, omitManagedFields: true}\n",
            "recorded at Request, with events at RequestReceived, ResponseComplete, without managedFields",
            "keep managedFields: change the rule",
        ),
        ("- {level: Request, omitManagedFields: true}\n", "- {level: Request}\n", None, None),
        ("- level: Metadata\n", "- {level: RequestResponse, omitManagedFields: true}\n", None, None),
        (
            "- level: Metadata\n",
            "- {level: Metadata, omitStages: [Panic]}\n",
            "recorded at Metadata, with events at RequestReceived, ResponseComplete, without events at Panic",
            "keep events at Panic: change the rule",
        ),
    ],
)
def test_events_levels_stages_and_bodies_are_compared(
    reference: str,
    rules: str,
    recorded: str | None,
    remedy: str | None,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    requirement_of(tmp_path, f"rules:\n{reference}", FILE.replace(*PODS))
    (tmp_path / "p.yaml").write_text(f"{HEAD}rules:\n{rules}")

    code = main(["requirements", str(tmp_path / "p.yaml"), "--requirements", str(tmp_path / "ours.yaml")])

    out = capsys.readouterr().out
    assert f"(at least what {tmp_path}/ref.yaml records; " in out
    assert (code, recorded is None) in ((0, True), (1, False))
    if recorded:
        assert f"- {recorded}\n" in out and f"{remedy}" in out


def test_only_the_selected_requests_are_compared(tmp_path: Path) -> None:
    dropped = "rules:\n- {level: None, resources: [{resources: [secrets]}]}\n- level: Metadata\n"

    assert checked(tmp_path, META, dropped).violations
    assert not checked(tmp_path, META, dropped, FILE.replace(*PODS)).violations


def test_a_class_needs_what_the_reference_records_of_it_alone(tmp_path: Path) -> None:
    """Of secrets metadata, of pods the request; and nothing of what the reference drops."""
    reference = """\
rules:
- {level: None, users: [alice]}
- {level: Metadata, resources: [{resources: [secrets]}]}
- {level: Request}
"""
    text = FILE.replace(PODS[0], "[{resources: [pods, secrets]}]")

    violations = checked(tmp_path, reference, "rules:\n- level: None\n", text).violations

    assert {(one.row.product.what, str(one.bound.least)) for one in violations} == {
        ("pods", "Request"),
        ("secrets", "Metadata"),
    }
    assert {one.row.who for one in violations} == {"system:anonymous, any other user, any other service account"}


@pytest.mark.parametrize(
    ("text", "reference", "said"),
    [
        (
            FILE,
            "rules: []\n",
            "ours.yaml:8:29: this policy cannot be used as a reference: {}/ref.yaml:3:8: a p",
        ),
        (
            FILE.replace("ref.yaml", "none.yaml"),
            META,
            "ours.yaml:8:29: this policy cannot be used as a reference: {}/none.yaml:1:1: the policy cannot be read",
        ),
        (FILE.replace("ref.yaml", '"-"'), META, "ours.yaml:8:29: standard input is no reference: name a file"),
        (
            FILE.replace("policy:", "polcy:"),
            META,
            "ours.yaml:8:21: requirements.0.level.atLeast.polcy: unknown",
        ),
        (
            FILE.replace("{policy: ref.yaml}", "Metdata"),
            META,
            "ours.yaml:8:20: requirements.0.level.atLeast: Input",
        ),
        (
            FILE.replace("  because", "  stages: {atLeast: [ResponseComplete]}\n  because"),
            META,
            "ours.yaml:9:11: the policy that level refers to says which stages are needed: remove this",
        ),
    ],
)
def test_a_mistake_names_both_files(text: str, reference: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError) as error:
        requirement_of(tmp_path, reference, text)

    assert said.format(tmp_path) in str(error.value)


def test_the_reference_is_found_next_to_the_file_that_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    requirement_of(tmp_path, META)
    monkeypatch.chdir(tmp_path / "elsewhere")

    (one,) = load_requirements("../ours.yaml").requirements

    assert str(one.bound) == "at least what ../ref.yaml records"


def test_a_policy_inside_another_document_is_a_reference(tmp_path: Path) -> None:
    policy = "".join(f"    {line}\n" for line in (HEAD + META).splitlines())
    (tmp_path / "map.yaml").write_text(f"apiVersion: v1\nkind: ConfigMap\ndata:\n  p.yaml: |\n{policy}")
    (tmp_path / "ours.yaml").write_text(FILE.replace("ref.yaml", "map.yaml#data.p.yaml"))
    (tmp_path / "p.yaml").write_text(HEAD + "rules:\n- level: None\n")
    command = ["requirements", str(tmp_path / "p.yaml"), "--requirements", str(tmp_path / "ours.yaml")]

    assert main(command) == 1


def test_it_contradicts_a_requirement_that_permits_less(tmp_path: Path) -> None:
    """For exactly the requests of which the reference records more."""
    reference = "rules:\n- {level: Request, resources: [{resources: [secrets]}]}\n- level: Metadata\n"
    less = FILE.replace("id: reference", "id: less").replace("{atLeast: {policy: ref.yaml}}", "{atMost: Metadata}")
    more = requirement_of(tmp_path, reference)
    low = requirement_of(tmp_path, reference, less)

    (found,) = contradictions([more, low], SERVED)

    assert found.row.product.what == "secrets"
    assert found.text == f"at least what {tmp_path}/ref.yaml records against at most Metadata"
    assert (
        contradictions(
            [more, replace(low, clauses=requirement_of(tmp_path, META, less.replace(*PODS)).clauses)], SERVED
        )
        == ()
    )


def test_mutants_that_record_less_than_the_reference_are_caught(tmp_path: Path) -> None:
    """Of a policy that is its own reference, exactly those that lose something."""
    rules = (
        "rules:\n- {level: Request, resources: [{resources: [secrets]}]}\n- {level: Metadata, verbs: [get, create]}\n"
    )
    policy = policy_of(rules)
    requirement = requirement_of(tmp_path, rules)

    tried = strength(policy, [requirement], [], SERVED).tried

    for one in tried:
        violated = bool(check_requirement(one.mutant.policy, requirement, SERVED).violations)
        assert bool(one.noticed) is violated, one.mutant.text
    assert {bool(one.noticed) for one in tried} == {True, False}


def test_json_says_what_is_required_of_each_violation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    requirement_of(tmp_path, "rules:\n- {level: Request, omitManagedFields: false}\n", FILE.replace(*PODS))
    (tmp_path / "p.yaml").write_text(f"{HEAD}rules:\n- level: Metadata\n")
    command = ["requirements", str(tmp_path / "p.yaml"), "--requirements", str(tmp_path / "ours.yaml")]

    assert main([*command, "--format", "json"]) == 1
    (one,) = json.loads(capsys.readouterr().out)["files"][0]["requirements"]
    assert one["violations"][0]["required"].startswith("at least Request, stages: at least RequestReceived")
