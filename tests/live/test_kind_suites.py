"""The shipped suites on kind, in one cluster with a server for each policy: the verdicts of the embedded cluster."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from auditproof import content
from tests.support.kind import left

if TYPE_CHECKING:
    from pathlib import Path

    from auditproof.clusters.kind.engine import Engine


@dataclass(frozen=True)
class Done:
    """A run of all shipped suites that has ended."""

    code: int
    output: str
    results: dict[str, Any]

    def verdicts(self) -> dict[str, tuple[Any, ...]]:
        """What each action led to, but for those that the cluster cannot perform."""
        return {
            proof["id"]: (proof["verdict"], proof["expected"], proof["observed"]["level"])
            for proof in self.results["proofs"]
            if proof["verdict"] != "NOT_SUPPORTED"
        }


def conformance(report: Path, *options: str) -> Done:
    command = [sys.executable, "-m", "auditproof", "run", "fixtures/policies/baseline.yaml", "--report", str(report)]
    done = subprocess.run([*command, *options], cwd=content.root(), capture_output=True, text=True, check=False)
    file = report / "results.json"
    return Done(done.returncode, done.stdout + done.stderr, json.loads(file.read_text()) if file.exists() else {})


@pytest.fixture(scope="module")
def on_kind(container_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Done:
    del container_engine  # there is one
    return conformance(tmp_path_factory.mktemp("kind"), "--cluster", "kind", "--image", os.environ["AUDITPROOF_IMAGE"])


def test_every_shipped_action_that_kind_can_perform_is_proven(on_kind: Done) -> None:
    assert on_kind.code == 0, on_kind.output
    assert on_kind.results["cluster"]["provider"] == "kind"
    summary = on_kind.results["summary"]
    assert summary["planned"] == summary["proven"] + summary["notSupported"]


def test_the_verdicts_are_those_of_the_embedded_cluster(on_kind: Done, tmp_path: Path) -> None:
    kind, embedded = on_kind.verdicts(), conformance(tmp_path).verdicts()

    both = kind.keys() & embedded.keys()
    assert {name: kind[name] for name in both} == {name: embedded[name] for name in both}
    assert len(both) > 0.97 * len(embedded)


def test_what_kind_cannot_perform_says_why(on_kind: Done) -> None:
    reasons = {one["id"]: one["reasons"] for one in on_kind.results["proofs"] if one["verdict"] == "NOT_SUPPORTED"}

    assert reasons
    assert [name for name in reasons if not reasons[name]] == []


def test_nothing_is_left_of_the_cluster(on_kind: Done, container_engine: Engine) -> None:
    """The run has named it."""
    (name,) = set(re.findall(r"creating the kind cluster (auditproof-\w+)", on_kind.output))

    assert left(container_engine, name) == set()
