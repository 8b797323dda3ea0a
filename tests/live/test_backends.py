"""The suite of audit backends on real servers: each test shows what it says, and fails on the twin of its server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from auditproof import content

pytestmark = pytest.mark.thorough
ROOT = content.root()
Results = dict[str, Any]


def run(report: Path, *options: str) -> tuple[int, str, Results]:
    """Run the suite in its own process, on two workers; return exit code, output and results.

    Files stay together, because neighbouring tests share a server.
    """
    command = [sys.executable, "-m", "auditproof", "run", "fixtures/policies/baseline.yaml", "--backends"]
    command += ["--coverage", "none", "--report", str(report), "-n", "2"]
    with tempfile.TemporaryDirectory(prefix="ap-") as folder:
        environment = {**os.environ, "TMPDIR": folder}
        done = subprocess.run(
            [*command, *options], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        assert list(Path(folder).glob("auditproof-*")) == [], "a run left something behind"
    return done.returncode, done.stdout + done.stderr, json.loads((report / "results.json").read_text())


@pytest.fixture(scope="module")
def backends(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, str, Results]:
    return run(tmp_path_factory.mktemp("report"))


def test_every_test_shows_what_it_says(backends: tuple[int, str, Results]) -> None:
    code, output, results = backends

    assert code == 0, output
    tests = results["backends"]["tests"]
    assert len(tests) >= 44
    assert {test["verdict"] for test in tests} <= {"PROVEN", "NOT_SUPPORTED"}, output
    assert results["backends"]["notPerformed"] == []


def test_every_action_is_accounted_for(backends: tuple[int, str, Results]) -> None:
    part = backends[2]["backends"]

    for each in (part, *part["tests"], *(account for test in part["tests"] for account in test["accounts"])):
        assert each["performed"] == each["recorded"] + each["lost"] + each["unproven"], each
    assert part["lost"] > 0 < part["unproven"]
    assert f"{part['performed']} actions: {part['recorded']} recorded" in backends[1]


def test_each_backend_has_a_row_of_what_it_sustains(backends: tuple[int, str, Results]) -> None:
    rows = backends[2]["backends"]["load"]

    assert {(row["backend"], row["mode"]) for row in rows} == {
        ("none", "excluded by the policy"),
        ("log", "blocking"),
        ("log", "blocking-strict"),
        ("log", "batch"),
        ("webhook", "batch"),
        ("webhook", "blocking"),
    }
    assert all(row["lost"] == 0 < row["requestsPerSecond"] for row in rows)
    assert all((row["eventsPerSecond"] > 0) is (row["backend"] != "none") for row in rows)


def test_the_results_are_valid_by_the_schema(backends: tuple[int, str, Results]) -> None:
    schema = json.loads((ROOT / "src/auditproof/report/results.schema.json").read_text())

    jsonschema.Draft202012Validator(schema).validate(backends[2])


def test_every_test_fails_on_the_twin_of_its_server_and_says_why(tmp_path: Path) -> None:
    code, output, results = run(tmp_path, "--audit-sabotage")

    assert code == 1, output
    tests = results["backends"]["tests"]
    assert [test["id"] for test in tests if test["verdict"] not in ("VIOLATED", "NOT_SUPPORTED")] == [], output
    assert [test["id"] for test in tests if not test["reason"]] == []
