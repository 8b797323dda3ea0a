"""The shipped suites on kind, in one cluster with a server for each policy."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from auditproof import content
from tests.support.kind import left

if TYPE_CHECKING:
    from auditproof.clusters.kind.engine import Engine


Done = tuple[int, str, dict[str, Any]]  # exit code, output and results.json of a run that has ended


@pytest.fixture(scope="module")
def done(container_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """A run of all shipped suites."""
    del container_engine  # there is one
    report = tmp_path_factory.mktemp("kind")
    command = [sys.executable, "-m", "auditproof", "run", "fixtures/policies/baseline.yaml", "--report", str(report)]
    command += ["--cluster", "kind", "--image", os.environ["AUDITPROOF_IMAGE"]]
    run = subprocess.run(command, cwd=content.root(), capture_output=True, text=True, check=False)
    file = report / "results.json"
    return run.returncode, run.stdout + run.stderr, json.loads(file.read_text()) if file.exists() else {}


def test_every_shipped_action_that_kind_can_perform_is_proven(done: Done) -> None:
    """So it has the verdict of the embedded cluster, where all of them are proven (test_suites)."""
    code, output, results = done

    assert code == 0, output
    assert results["cluster"]["provider"] == "kind"
    summary = results["summary"]
    assert summary["planned"] == summary["proven"] + summary["notSupported"]
    assert summary["proven"] > 0.97 * summary["planned"]


def test_what_kind_cannot_perform_says_why(done: Done) -> None:
    reasons = {one["id"]: one["reasons"] for one in done[2]["proofs"] if one["verdict"] == "NOT_SUPPORTED"}

    assert reasons
    assert [name for name in reasons if not reasons[name]] == []


def test_nothing_is_left_of_the_cluster(done: Done, container_engine: Engine) -> None:
    """The run has named it."""
    (name,) = set(re.findall(r"creating the kind cluster (auditproof-\w+)", done[1]))

    assert left(container_engine, name) == set()
