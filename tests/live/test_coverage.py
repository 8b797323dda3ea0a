"""Witnesses on a real server: every rule from both sides, and the whole space."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from auditproof import content
from auditproof.analysis.coverage import Depth, plan_coverage
from auditproof.audit.policy.load import load_policy
from auditproof.cases.case import Case
from auditproof.cases.expectation import Expectation
from auditproof.kube.discovery import load_served
from auditproof.proof.prover import Prover
from auditproof.proof.verdict import Outcome
from tests.support.views import silent

if TYPE_CHECKING:
    from pathlib import Path

    from auditproof.clusters.embedded import EmbeddedProvider
    from auditproof.clusters.run.run_directory import RunDirectory

SCHEMA = "src/auditproof/report/results.schema.json"
POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: None, users: ["system:kube-proxy"], verbs: [watch], resources: [{resources: [endpoints]}]}
- {level: None, userGroups: ["system:masters"], nonResourceURLs: ["/metrics*"]}
- {level: Request, users: ["system:serviceaccount:shop:robot"], namespaces: [shop, "a b"]}
- {level: Metadata, users: [alice, "Zoë, the 2nd"], userGroups: [dev, "system:unauthenticated"]}
- {level: Metadata, resources: [{resources: [secrets], resourceNames: [db]}, {group: shop.example.com}]}
- {level: None, verbs: [proxy, connect, trace, ""]}
- {level: None, users: ["system:kube-proxy"], verbs: [watch], resources: [{resources: [endpoints]}]}
- {level: RequestResponse, omitStages: [ResponseStarted]}
"""
BROKEN = POLICY.replace("{level: Request, users", "{level: Metadata, users").replace("[dev, ", "[ops, ")


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("coverage") / "policy.yaml"
    path.write_text(POLICY)
    return path


def test_every_rule_and_condition_is_proven_and_reported(policy: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "auditproof", "run", str(policy), "-m", "witness", "--report", str(tmp_path)]

    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    assert done.returncode == 0, done.stdout
    results: dict[str, Any] = json.loads((tmp_path / "results.json").read_text())
    proven = {proof["id"] for proof in results["proofs"] if proof["verdict"] == "PROVEN"}
    rules = results["coverage"]["rules"]
    assert [bool(rule["reason"]) for rule in rules] == [False] * 6 + [True, False]
    assert "by rule 1 (line 5)" in rules[6]["reason"]
    for rule in rules:
        assert set(rule["witnesses"]) | set(rule["nearMisses"]) <= proven
        assert bool(rule["witnesses"]) != bool(rule["reason"])
    assert sum(len(rule["nearMisses"]) for rule in rules) >= 10
    assert results["summary"]["planned"] == len(proven) == len(results["proofs"])
    assert "Rules: matching and near-miss requests" in (tmp_path / "details.html").read_text()


def test_the_whole_space_is_proven_and_a_server_with_another_policy_is_found_out(
    policy: Path, embedded: EmbeddedProvider, run_directory: RunDirectory, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text(BROKEN)
    judged = load_policy(policy)
    coverage = plan_coverage(judged, load_served("1.37"), Depth.ALL)
    steps = [Case(one.id, one.performable.identity, one.performable.request, Expectation()) for one in coverage.planned]

    for path, wrong in ((policy, 0), (broken, 10)):
        prover = Prover(
            silent(embedded.cluster(path)),
            judged,
            running=load_policy(path),
            folder=run_directory.private_folder(),
        )
        outcomes = {proof.case.id: proof.verdict for proof in prover.prove(steps)}
        prover.close()
        not_proven = {
            name: verdict.reasons for name, verdict in outcomes.items() if verdict.outcome is not Outcome.PROVEN
        }
        assert len(not_proven) >= wrong
        assert wrong or not not_proven, not_proven
        assert all(outcomes[name].outcome is Outcome.VIOLATED for name in not_proven), not_proven
    assert "rule-03-witness" in not_proven and "rule-04-witness" in not_proven


def test_what_a_change_does_is_shown_on_a_server_of_either_policy(tmp_path: Path) -> None:
    """The changed policy comes by standard input, the old one out of git."""
    (tmp_path / "policy.yaml").write_text(POLICY)
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.test", "-c", "commit.gpgsign=false"]
    for arguments in (["init", "--quiet"], ["add", "policy.yaml"], [*identity, "commit", "--quiet", "-m", "one"]):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)
    command = [sys.executable, "-m", "auditproof", "run", "-", "--base", "git:HEAD:policy.yaml", "-m", "change"]

    done = subprocess.run(
        [*command, "--report", str(tmp_path / "out")],
        input=POLICY.replace("{level: Request, users", "{level: None, users"),
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip

    assert done.returncode == 1, done.stdout
    results: dict[str, Any] = json.loads((tmp_path / "out" / "results.json").read_text())
    jsonschema.validate(results, json.loads((content.root() / SCHEMA).read_text()))
    assert results["statements"]["faithful"]["word"] == "PROVEN"
    says = "This change may not go in: 2 changes are forbidden (lost-events of endpoints and 70 more, "
    assert results["decision"]["sentence"].startswith(says)
    assert results["statements"]["change"]["sentence"].endswith("was shown on two servers, one with each policy.")
    proofs = {proof["id"]: proof for proof in results["proofs"]}
    for forbidden in results["gate"]["forbidden"]:
        assert set(forbidden["proofs"].values()) <= proofs.keys() and len(forbidden["proofs"]) == 2
    first = results["change"]["changes"][0]
    assert first["kind"] == "stops being recorded"
    assert {side: proofs[name]["observed"]["level"] for side, name in first["proofs"].items()} == {
        "old": "Request",
        "new": "None",
    }
    assert results["summary"]["proven"] == results["summary"]["planned"] == len(proofs)
    assert "Compared with " in (tmp_path / "out" / "report.html").read_text()


OURS = """\
apiVersion: auditproof/v1
kind: Requirements
title: Ours
requirements:
  - id: endpoints-recorded
    title: Endpoints are recorded
    for: [{resources: [endpoints]}]
    level: {atLeast: Metadata}
    because: we want to know
    source: ourselves
  - id: no-bodies-of-secrets
    title: Secrets called db are not recorded with bodies
    for: [{resources: [secrets], resourceNames: [db]}]
    except: [{users: ["system:serviceaccount:shop:robot"]}]
    level: {atMost: Metadata}
    because: it is a secret
    source: ourselves
  - id: failed-logins
    title: Failed logins are recorded
    for: [{failedLogins: true, verbs: [get], resources: [nodes]}]
    level: {atLeast: Metadata}
    because: they show guessed tokens
    source: ourselves
"""


def test_each_class_of_a_requirement_is_sent_and_whether_it_is_met_is_said_apart(policy: Path, tmp_path: Path) -> None:
    """The server follows its policy, also where that does not record what is required; the run fails for that."""
    (tmp_path / "ours.yaml").write_text(OURS)
    command = [sys.executable, "-m", "auditproof", "run", str(policy), "-m", "requirement", "--report", str(tmp_path)]

    done = subprocess.run(
        [*command, "--requirements", "ours.yaml"], capture_output=True, text=True, check=False, cwd=tmp_path
    )

    assert done.returncode == 1, done.stdout + done.stderr
    results: dict[str, Any] = json.loads((tmp_path / "results.json").read_text())
    proofs = {proof["id"]: proof for proof in results["proofs"]}
    jsonschema.validate(results, json.loads((content.root() / SCHEMA).read_text()))
    found = {one["id"]: one for one in results["requirements"]}
    assert [(v["rule"], v["who"], v["verbs"]) for v in found["endpoints-recorded"]["violations"]] == [
        (0, "system:kube-proxy", "watch")
    ]
    assert not found["no-bodies-of-secrets"]["violations"]
    assert [(v["rule"], v["level"]) for v in found["failed-logins"]["violations"]] == [(7, "None")]
    for one in found.values():
        assert {proofs[name]["verdict"] for name in one["proofs"]} == {"PROVEN"}  # the server follows its policy
        assert (one["met"], one["shown"]) == (not one["violations"], True)
    assert results["statements"]["faithful"]["word"] == "PROVEN"
    assert results["statements"]["requirements"]["word"] == "NOT MET"
    assert results["decision"]["sentence"].startswith(
        "2 of 3 requirements are not met (endpoints-recorded, failed-logins); PROVEN: the server recorded "
    )
    assert len(found["no-bodies-of-secrets"]["proofs"]) > 3


@pytest.mark.thorough
def test_a_class_of_each_kind_that_a_reference_policy_tells_apart_is_sent(policy: Path, tmp_path: Path) -> None:
    """The server follows its policy, which does not record as much as the reference does."""
    head = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\n"
    rules = "rules:\n- {level: Request, verbs: [get], resources: [{resources: [endpoints]}]}\n- level: Metadata\n"
    (tmp_path / "ref.yaml").write_text(head + rules)
    entry = "{id: reference, title: As before, because: b, source: s, level: {atLeast: {policy: ref.yaml}}"
    selected = "for: [{resources: [endpoints], verbs: [get, watch]}, {resources: [nodes], verbs: [delete]}]}"
    (tmp_path / "ours.yaml").write_text(f"{OURS.partition('requirements:')[0]}requirements:\n- {entry}, {selected}\n")
    command = [sys.executable, "-m", "auditproof", "run", str(policy), "-m", "requirement", "--report", str(tmp_path)]

    done = subprocess.run(
        [*command, "--requirements", "ours.yaml"], capture_output=True, text=True, check=False, cwd=tmp_path
    )

    assert done.returncode == 1, done.stdout + done.stderr
    results: dict[str, Any] = json.loads((tmp_path / "results.json").read_text())
    jsonschema.validate(results, json.loads((content.root() / SCHEMA).read_text()))
    (found,) = results["requirements"]
    assert found["level"] == "at least what ref.yaml records"
    assert {(v["level"], v["verbs"]) for v in found["violations"]} == {
        ("Metadata", "get"),
        ("None", "watch"),
        ("RequestResponse", "watch"),  # without ResponseStarted
    }
    assert {proof["verdict"] for proof in results["proofs"]} == {"PROVEN"} and len(results["proofs"]) > 10
