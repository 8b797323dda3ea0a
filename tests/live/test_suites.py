"""The shipped suites on real servers: green as they are, red where a policy is broken, however they are distributed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import jsonschema
import pytest

from auditproof import content
from auditproof.analysis.mutation.twin import twin_of
from auditproof.audit.decide import decide
from auditproof.audit.event import Level
from auditproof.audit.policy.load import load_policy, parse_policy
from auditproof.audit.stages import emitted_stages
from auditproof.cases.load import load_case_file
from auditproof.kube.attributes import attributes_of

if TYPE_CHECKING:
    from auditproof.audit.policy.load import Policy
    from auditproof.cases.case import Case, CaseFile

ROOT = content.root()
Results = dict[str, Any]
# Broken on purpose, the standard actions of a file all fail alike: some of each are performed.
SOME = """
def pytest_collection_modifyitems(config, items):
    kept, dropped, seen = [], [], {}
    for item in items:
        number = seen[item.path] = seen.get(item.path, -1) + 1
        whole = item.path.parent.name not in ("resources", "standard")
        (kept if whole or number % 5 == 0 else dropped).append(item)
    config.hook.pytest_deselected(items=dropped)
    items[:] = kept
"""
WHY = re.compile(r"recorded|expected|a secret is in the log|assert")  # what was recorded, and what should have been


def run(report: Path, *options: str, **variables: str) -> tuple[int, str, Results]:
    """Run the shipped suites in a process of their own; answers exit code, output and results.json."""
    command = [sys.executable, "-m", "auditproof", "run", "fixtures/policies/baseline.yaml", "--report", str(report)]
    with tempfile.TemporaryDirectory(prefix="ap-") as folder:
        environment = {**os.environ, **variables, "TMPDIR": folder}
        done = subprocess.run(
            [*command, *options], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        assert list(Path(folder).glob("auditproof-*")) == [], "a run left something behind"
    file = report / "results.json"
    return done.returncode, done.stdout + done.stderr, json.loads(file.read_text()) if file.exists() else {}


@pytest.fixture(scope="module")
def conformance(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, str, Results]:
    """The whole run, in one process."""
    return run(tmp_path_factory.mktemp("report"))


def suite(name: str) -> str:
    return f"suites/{name}.audit.yaml"


def verdicts(results: Results) -> dict[str, tuple[Any, ...]]:
    return {
        proof["id"]: (proof["verdict"], proof["expected"], proof["observed"]["level"], proof["observed"]["stages"])
        for proof in results["proofs"]
    }


def test_every_shipped_action_is_proven(conformance: tuple[int, str, Results]) -> None:
    code, output, results = conformance

    assert code == 0, output
    summary = results["summary"]
    assert summary["planned"] == summary["performed"] == summary["proven"] >= 150
    assert (summary["violated"], summary["unproven"], summary["notSupported"]) == (0, 0, 0)


def test_the_results_keep_to_their_schema(conformance: tuple[int, str, Results]) -> None:
    schema = json.loads((ROOT / "src/auditproof/report/results.schema.json").read_text())

    jsonschema.Draft202012Validator(schema).validate(conformance[2])


def test_every_event_of_the_run_has_the_form_of_audit_v1(conformance: tuple[int, str, Results]) -> None:
    schema = json.loads((ROOT / "fixtures/event.schema.json").read_text())
    validator = jsonschema.Draft202012Validator(schema)
    events = [event for proof in conformance[2]["proofs"] for event in proof["events"]]

    wrong = [(event["auditID"], error.message) for event in events for error in validator.iter_errors(event)]

    assert len(events) > 1000
    assert wrong == []


def test_two_workers_come_to_the_same_verdicts(conformance: tuple[int, str, Results], tmp_path: Path) -> None:
    """They share servers, and their batches are others: here every file of a policy is a batch."""
    files = ("baseline/people", "baseline/noise", "matching/any-group", "standard/paths")
    code, output, results = run(tmp_path, *map(suite, files), "--coverage", "none", "-n", "2")

    assert code == 0, output
    known = verdicts(conformance[2])
    assert verdicts(results) == {name: known[name] for name in verdicts(results)}
    assert results["summary"]["proven"] >= 40


def test_workers_that_share_a_file_come_to_the_same_verdicts(
    conformance: tuple[int, str, Results], tmp_path: Path
) -> None:
    options = ("--coverage", "none", "-n", "2", "--dist", "load")
    code, output, results = run(tmp_path, suite("matching/namespaces"), *options)

    assert code == 0, output
    known = verdicts(conformance[2])
    assert verdicts(results) == {name: known[name] for name in verdicts(results)}
    assert results["summary"]["proven"] >= 30


def recorded(policy: Policy, case: Case, status: int) -> tuple[Level, frozenset[str]]:
    """What a server with ``policy`` leaves of a case in its log."""
    attributes = attributes_of(case.request.method, case.request.uri, case.identity.user_info())
    decision = decide(policy, attributes)
    if decision.level is Level.NONE:
        return Level.NONE, frozenset()
    stages = emitted_stages(attributes, status) - decision.omit_stages
    return (decision.level if stages else Level.NONE), frozenset(map(str, stages))


@pytest.fixture(scope="module")
def sabotage(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Results, dict[str, list[str]]]:
    """The output and the results of a run in which every policy is broken on purpose, and each suite's failures."""
    report, plugins = tmp_path_factory.mktemp("sabotage"), tmp_path_factory.mktemp("plugins")
    (plugins / "some.py").write_text(SOME)
    options = ["--audit-sabotage", "--coverage", "none", "-p", "some"]
    code, output, results = run(report, *options, PYTHONPATH=str(plugins))
    assert code == 1, output
    return output, results, failures(report / "junit.xml")


def failures(junit: Path) -> dict[str, list[str]]:
    """What each suite's failed tests say in their first line, by the suite's name in JUnit."""
    found: dict[str, list[str]] = {}
    for case in ElementTree.parse(junit).iter("testcase"):
        failed = case.find("failure")
        found.setdefault(case.attrib["classname"], []).extend([] if failed is None else [failed.attrib["message"]])
    return found


@pytest.mark.thorough
def test_every_suite_notices_when_it_is_broken_and_says_why_in_the_first_line(
    conformance: tuple[int, str, Results], sabotage: tuple[str, Results, dict[str, list[str]]]
) -> None:
    _, results, failed = sabotage
    suites = {name_in_junit(proof["suite"]) for proof in conformance[2]["proofs"] if proof["suite"][:7] == "suites/"}

    assert [name for name in sorted(suites) if not failed.get(name)] == [], "these notice nothing"
    silent = [line for lines in failed.values() for line in lines if not WHY.search(line.splitlines()[0])]
    assert silent == [], "these do not say why"
    assert results["summary"]["unproven"] == 0


def name_in_junit(suite: str) -> str:
    return suite.removesuffix(".py").replace("/", ".")


@pytest.mark.thorough
def test_with_each_policy_broken_exactly_the_cases_that_it_breaks_fail(
    conformance: tuple[int, str, Results], sabotage: tuple[str, Results, dict[str, list[str]]]
) -> None:
    found = {proof["id"]: proof for proof in sabotage[1]["proofs"]}
    status = {proof["id"]: proof["observed"]["status"] for proof in conformance[2]["proofs"]}
    files = [load_case_file(path) for path in sorted((ROOT / "suites").rglob("*.audit.yaml"))]
    for file in (file for file in files if file.broken_settings == file.settings):
        true, broken = twins(file)
        for case in file.cases:
            name = f"{file.path.relative_to(ROOT)}::{case.id}"
            if file.policy is None and name not in found:
                continue  # one of SOME
            differs = recorded(true, case, status[name]) != recorded(broken, case, status[name])
            verdict = found[name]["verdict"]
            assert verdict == "VIOLATED" if differs else verdict != "UNPROVEN", (name, found[name]["reasons"])


def twins(file: CaseFile) -> tuple[Policy, Policy]:
    """The policy that a file's cases are judged by, and what the server runs when it is broken on purpose."""
    true = load_policy(file.policy or ROOT / "fixtures" / "policies" / "baseline.yaml")
    return true, load_policy(file.sabotage) if file.sabotage else parse_policy(twin_of(true).encode(), "twin.json")


@pytest.mark.thorough
def test_of_many_violations_the_first_are_told_at_once_and_the_worst_at_the_end(
    sabotage: tuple[str, Results, dict[str, list[str]]],
) -> None:
    output, _, _ = sabotage

    first, _, rest = output.partition("auditproof: more problems are listed at the end")
    assert first.count("\nVIOLATED suites/") == 5, "the first ones are told at once"
    end = rest.partition("= audit proofs =")[2].splitlines()[1:]
    says = "Sabotage run, on policies broken on purpose: VIOLATED: the server recorded something else than the policy "
    assert end[0].startswith(says)
    assert all(line.startswith("VIOLATED ") for line in end[1:11])
    assert re.fullmatch(r"\.\.\. and \d+ more reasons", end[11])
    assert len(end) < 24, "the end fits on a screen"
