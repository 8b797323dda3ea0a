"""The examples of docs/cases.md are proven as they are, and notice when their policies are broken on purpose."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from auditproof.cases.load import load_case_file
from tools.cases import EXAMPLES

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("options", "verdicts"),
    [
        ((), {"PROVEN"}),
        pytest.param(
            ("--audit-sabotage", "-k", "everything or server"), {"VIOLATED"}, marks=pytest.mark.thorough, id="broken"
        ),
    ],
)
def test_every_example_is_proven_as_it_is(tmp_path: Path, options: tuple[str, ...], verdicts: set[str]) -> None:
    shutil.copytree(EXAMPLES, tmp_path / "project")
    command = [sys.executable, "-m", "pytest", "audit", "--audit-policy=policies/prod.yaml", "--audit-report=out"]

    done = subprocess.run(
        [*command, "-W", "ignore::pytest.PytestUnknownMarkWarning", *options],
        cwd=tmp_path / "project", capture_output=True, text=True, check=False,
    )  # fmt: skip

    proofs = json.loads((tmp_path / "project/out/results.json").read_text())["proofs"]
    assert {proof["id"]: proof["reasons"] for proof in proofs if proof["verdict"] not in verdicts} == {}, done.stdout
    cases = sum(len(load_case_file(file).cases) for file in EXAMPLES.rglob("*.audit.yaml"))
    assert options or len(proofs) == cases
