"""``auditproof run`` in a user's project: pytest's root folder and ini file, and the ids that pytest itself gives."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from auditproof import content
from tests.support.small_project import POLICY

if TYPE_CHECKING:
    from pathlib import Path

CASES = """\
apiVersion: auditproof/v1
kind: CaseFile
title: The shop
identities: {alice: {user: alice}}
cases:
  - {id: reads, title: Alice reads a pod, as: alice, do: {get: pods/web, in: shop}, marks: [smoke]}
"""
INI = """\
[pytest]
addopts = --strict-markers
markers = smoke
python_files = check_*.py
audit_policy = policies/prod.yaml
audit_requirements = baseline
audit_coverage = rules
"""
OWN = ["audit/check_shop.py::test_reads", "audit/shop.audit.yaml::reads"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a case, a Python test, an ini file and a conftest.py."""
    folder = tmp_path_factory.mktemp("project")
    for name, text in {
        "pytest.ini": INI,
        "conftest.py": "import pathlib\npathlib.Path(__file__).with_name('loaded').touch()",
        "policies/prod.yaml": POLICY,
        "audit/shop.audit.yaml": CASES,
        "audit/check_shop.py": "def test_reads(audit): ...",
    }.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return folder


def collected(project: Path, *command: str) -> tuple[set[str], bool]:
    """The ids that a command collects, and whether it has loaded the project's conftest.py."""
    (project / "loaded").unlink(missing_ok=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AUDITPROOF_")}
    environment["AUDITPROOF_REFERENCE"] = "always"  # whatever this machine has an attestation of
    done = subprocess.run(
        [sys.executable, "-m", *command, "--collect-only", "-q"],
        cwd=project, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return {line for line in done.stdout.splitlines() if "::" in line}, (project / "loaded").exists()


@pytest.fixture(scope="module")
def run(project: Path) -> tuple[set[str], bool]:
    """What ``auditproof run`` collects with the user's folder."""
    return collected(project, "auditproof", "run", "policies/prod.yaml", "audit")


@pytest.fixture(scope="module")
def both(project: Path) -> set[str]:
    """What ``auditproof run --shipped`` collects with the user's folder."""
    return collected(project, "auditproof", "run", "policies/prod.yaml", "audit", "--shipped")[0]


def test_a_case_has_the_same_id_as_in_pytest_and_the_ini_file_counts(project: Path, run: tuple[set[str], bool]) -> None:
    own, _ = collected(project, "pytest", "audit")
    found, loaded = run

    made = {name for name in own if name.startswith(("suites/requirements/", "policies/prod.yaml::"))}
    assert "policies/prod.yaml::rule-01-witness" in made
    assert sorted(own - made) == OWN
    assert found == own, "own paths replace the shipped suites, and not what is generated"
    assert loaded


def test_with_shipped_the_suites_are_added_to_own_paths(run: tuple[set[str], bool], both: set[str]) -> None:
    assert run[0] < both
    assert {name for name in both if not name.startswith("suites/")} <= run[0]


def test_the_shipped_suites_keep_their_ids_wherever_they_are_run(both: set[str]) -> None:
    root = content.root()
    files = [file for file in (root / "suites").rglob("*") if file.name.endswith((".audit.yaml", ".py"))]
    expected = {file.relative_to(root).as_posix() for file in files if file.parent.name != "backends"}

    assert {name.partition("::")[0] for name in both} >= expected


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--reprot", "out"), "ERROR: auditproof run: unknown option --reprot; did you mean --report?"),
        (("--assets=nowhere", "-m", "witness"), "nowhere holds no executable etcd and no executable kube-apiserver"),
    ],
    ids=["option", "assets"],
)
def test_what_cannot_be_used_ends_the_run_with_code_4(project: Path, options: tuple[str, ...], says: str) -> None:
    command = [sys.executable, "-m", "auditproof", "run", "policies/prod.yaml", *options]

    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)

    assert done.returncode == pytest.ExitCode.USAGE_ERROR, done.stdout
    assert says in done.stdout + done.stderr
    assert done.stdout.count("UNPROVEN policies/") <= 1, "one reason, one line"


def test_without_a_path_the_users_own_tests_are_left_alone(project: Path) -> None:
    found, loaded = collected(project, "auditproof", "run", "policies/prod.yaml")

    assert not set(OWN) & found
    assert "policies/prod.yaml::rule-01-witness" in found
    assert not loaded
