"""Mutants and what notices them: held against diff and check, which know nothing of mutants."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from auditproof import content
from auditproof.analysis.diff import changed
from auditproof.analysis.mutation import Stated, idle_cases, one_step_mutants, strength
from auditproof.analysis.requirements import check_requirement, load_requirements
from auditproof.audit.event import Level, Stage
from auditproof.audit.policy.load import parse_policy
from auditproof.cli.main import main
from auditproof.kube.attributes import Attributes, UserInfo
from auditproof.kube.discovery import load_served
from tests.support.properties import examples
from tests.support.random_policies import policies

if TYPE_CHECKING:
    from pathlib import Path

    from auditproof.audit.policy.load import Policy

SERVED = load_served("1.37")
FOLDER = content.root() / "suites" / "requirements"
BASELINE = load_requirements("baseline", FOLDER).requirements
HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n"


def policy_of(rules: str) -> Policy:
    return parse_policy((HEAD + rules).encode(), "p.yaml")


def changes_something(old: Policy, new: Policy) -> bool:
    """By the diff of the two, of what is served to honest clients."""
    return any(
        change is not None and outcome.identity.honest and any(cell.served for cell in outcome.cells)
        for outcome, change in changed(old, new, SERVED)[1]
    )


@examples(60)
@given(policies)
def test_different_mutants_of_a_rule_have_different_texts(policy: Policy) -> None:
    known: dict[tuple[int | None, str], Policy] = {}
    for mutant in one_step_mutants(policy):
        rule = mutant.rule and mutant.rule.index
        assert known.setdefault((rule, mutant.text), mutant.policy) == mutant.policy, mutant.text


@examples(8)
@given(policies)
def test_just_the_mutants_count_that_change_what_is_recorded(policy: Policy) -> None:
    counted = {(one.mutant.rule, one.mutant.text) for one in strength(policy, BASELINE, [], SERVED).tried}

    for mutant in list(one_step_mutants(policy))[::3]:
        assert ((mutant.rule, mutant.text) in counted) == changes_something(policy, mutant.policy), mutant.text


@examples(8)
@given(policies)
def test_a_mutant_is_noticed_by_a_requirement_that_it_violates(policy: Policy) -> None:
    already = {r.id for r in BASELINE if check_requirement(policy, r, SERVED).violations}
    for one in strength(policy, BASELINE, [], SERVED).tried[::9]:
        violated = {r.id for r in BASELINE if check_requirement(one.mutant.policy, r, SERVED).violations}
        assert not one.noticed or one.noticed in violated
        assert one.noticed or not violated - already


def test_a_policy_of_240_rules_is_tried_in_seconds() -> None:
    """One pass over all requests, not one for each rule: the time of the processor, as other work may slow it down."""
    policy = policy_of("".join(map(team, range(40))))
    told: list[str] = []

    began = time.process_time()
    found = strength(policy, BASELINE, [], SERVED, told.append)

    assert time.process_time() - began < 20
    assert len(policy.rules) == 240 and len(found.tried) > 2000
    assert len(told) > 50


def team(number: int) -> str:
    """Six rules about one namespace."""
    name = f"team-{number}"
    account = f"system:serviceaccount:{name}:monitor"
    return (
        f"- {{level: None, users: ['{account}'], verbs: [get, list, watch], namespaces: [{name}]}}\n"
        f"- {{level: Metadata, namespaces: [{name}], resources: [{{resources: [secrets, configmaps]}}]}}\n"
        f"- {{level: Request, namespaces: [{name}], verbs: [create, update, patch, delete], "
        "resources: [{resources: [pods, services]}, {group: apps, resources: [deployments, statefulsets]}]}\n"
        f"- {{level: RequestResponse, userGroups: [{name}-admins], namespaces: [{name}], verbs: [create, delete]}}\n"
        f"- {{level: None, userGroups: ['system:serviceaccounts:{name}'], verbs: [get], namespaces: [{name}]}}\n"
        f"- {{level: Metadata, namespaces: [{name}], omitStages: [ResponseStarted]}}\n"
    )


def test_a_stage_that_only_streams_have_is_lost_to_them_alone() -> None:
    """A requirement about watches catches the mutant that omits the stage which is left of a watch."""
    policy = policy_of("- {level: Metadata, omitStages: [RequestReceived, ResponseComplete], verbs: [watch]}\n")
    recorded = [one for one in load_requirements("secrets-hygiene", FOLDER).requirements if one.id == "secret-access"]

    found = {one.mutant.text: one.noticed for one in strength(policy, recorded, [], SERVED).tried}

    assert found["omitStages: RequestReceived, ResponseStarted, ResponseComplete"] == "secret-access"
    assert found["omitStages: ResponseComplete"] == ""


def test_every_kind_of_slip_is_tried() -> None:
    policy = policy_of(
        "- {level: None, users: [a, b], verbs: [get], resources: [{resources: [pods, nodes], resourceNames: [x]}]}\n"
        "- {level: None, userGroups: [dev], namespaces: [shop]}\n"
        "- {level: None, nonResourceURLs: [/version]}\n"
        "- level: Metadata\n"
    )

    texts = [one.mutant.text for one in strength(policy, [], [], SERVED).tried]

    for text in (
        "level: Request instead of None",
        "dropped",
        "users: without 'a'",
        "without verbs",
        "resources: without 'pods'",
        "resourceNames: without 'x'",
        "without userGroups",
        "without namespaces",
        "without nonResourceURLs",
        "moved after rule 4",
        "omitStages: RequestReceived",
        "omitStages of the policy: ResponseComplete",
    ):
        assert text in texts
    assert not any(text.startswith("moved after rule 2") for text in texts)  # it changes nothing


def test_a_case_notices_what_it_states() -> None:
    policy = policy_of("- {level: None, users: [alice]}\n- level: Metadata\n")
    asked = Attributes(UserInfo("bob", ("system:authenticated",)), "get", "shop", "", "v1", "pods", "", "web")
    everything = frozenset({Stage.REQUEST_RECEIVED, Stage.RESPONSE_COMPLETE})

    of_level = strength(policy, [], [Stated("c", asked, Level.METADATA, None, 200)], SERVED)
    of_stages = strength(policy, [], [Stated("c", asked, None, everything, 200)], SERVED)
    nothing = strength(policy, [], [Stated("c", asked, Level.REQUEST, None, 200)], SERVED)

    assert {one.mutant.text for one in of_level.tried if one.noticed and one.mutant.rule == policy.rules[1]} == {
        "level: None instead of Metadata",
        "level: Request instead of Metadata",
        "level: RequestResponse instead of Metadata",
        "dropped",
    }
    assert "omitStages: RequestReceived" in {one.mutant.text for one in of_stages.tried if one.noticed}
    assert nothing.score == 0.0  # what does not hold for the policy itself notices nothing


def test_a_case_that_no_mutant_breaks_is_idle() -> None:
    """No rule comes near a path, and none does with one mistake; a case that does not hold is no idle one."""
    policy = policy_of("- {level: Metadata, resources: [{resources: [secrets]}], namespaces: [shop]}\n")
    path = Attributes(UserInfo("alice"), "get", path="/version")
    secret = Attributes(UserInfo("alice"), "get", resource="secrets", namespace="shop", resource_request=True)

    stated = [
        Stated("path", path, Level.NONE, None, 200),
        Stated("secret", secret, Level.METADATA, None, 200),
        Stated("wrong", secret, Level.REQUEST, None, 200),
    ]

    assert idle_cases(policy, stated) == ("path",)


def test_idle_cases_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "p.yaml").write_text(
        f"{HEAD}- {{level: Metadata, resources: [{{resources: [secrets]}}], namespaces: [shop]}}\n"
    )
    (tmp_path / "own.audit.yaml").write_text(
        "apiVersion: auditproof/v1\nkind: CaseFile\ntitle: T\n"
        "cases: [{id: path, title: T, as: alice, do: {path: /version}, expect: None}]\n"
    )
    command = ["mutate", str(tmp_path / "p.yaml"), "--cases", str(tmp_path)]

    assert main(command) == 0
    assert "cases that no mutant breaks:\n  own.audit.yaml::path\n" in capsys.readouterr().out
    assert main([*command, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["idleCases"] == ["own.audit.yaml::path"]


def test_the_score_is_the_part_that_is_noticed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(HEAD + "- {level: Metadata, resources: [{resources: [secrets]}]}\n- level: Metadata\n")

    assert main(["mutate", str(path), "--requirements", "cis", "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    noticed = [one for one in document["mutants"] if one["noticedBy"]]
    assert document["score"] == pytest.approx(len(noticed) / len(document["mutants"]), abs=1e-4)
    by_text = {(one["rule"], one["change"]): one["noticedBy"] for one in document["mutants"]}
    assert by_text[0, "level: None instead of Metadata"] == "cis-3-2-2-secrets"
    assert by_text[0, "level: Request instead of Metadata"] == "cis-3-2-2-secrets-metadata-only"
    assert main(["mutate", str(path), "--requirements", "cis", "--least", "100"]) == 1
    assert "not caught:\n" in capsys.readouterr().out
    assert main(["mutate", str(path), "--cases", str(tmp_path)]) == 4
    assert "found no *.audit.yaml file in this folder" in capsys.readouterr().err


def test_the_cases_of_the_baseline_policy_and_the_requirements_are_strong(
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = content.root()
    command = ["mutate", str(root / "fixtures/policies/baseline.yaml"), "--cases", str(root / "suites/baseline")]

    assert main([*command, "--requirements", "baseline", "--format", "json"]) == 0

    assert json.loads(capsys.readouterr().out)["score"] > 0.5


def test_progress_is_on_the_terminal_and_ctrl_c_ends_it_cleanly(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_text(HEAD + "".join(map(team, range(40))))
    terminal, end = os.openpty()
    # The signal is ignored in what a shell has started in the background.
    program = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    program += "from auditproof.cli.main import main; raise SystemExit(main())"
    command = [sys.executable, "-c", program, "mutate", str(path)]
    with subprocess.Popen(command, stdin=end, stdout=end, stderr=end, start_new_session=True) as process:
        os.close(end)
        shown = b""
        while b" kinds of users" not in shown:
            shown += os.read(terminal, 4096)
        process.send_signal(signal.SIGINT)
        with suppress(OSError):  # the terminal's other end is closed when the process ends
            while more := os.read(terminal, 4096):
                shown += more
    os.close(terminal)

    assert b" of 240 rules" in shown
    assert process.returncode == 2
    assert b"Traceback" not in shown
