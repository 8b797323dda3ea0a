"""What README.md and docs/ say about real servers: their commands, cases and Python tests, run as they stand."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.pages import BLOCKS, put_files, simple_commands

PROJECT = Path(__file__).parents[1] / "docs" / "project"
LIVE = [block for block in BLOCKS if block.is_live]
FROM_AN_INDEX = ("pip", "install")  # this environment has it
COMMANDS = sorted(
    {
        " ".join(words)
        for block in LIVE
        for line in block.commands
        for words in simple_commands(line)
        if tuple(words[:2]) != FROM_AN_INDEX
    }
)
FEW = ["-m", "standard", "-k", "secrets", "--coverage", "none"]  # of some 1700 actions


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Everything that the pages show as files."""
    folder = tmp_path / "project"
    shutil.copytree(PROJECT, folder)
    put_files(folder, BLOCKS)
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_a_documented_command_proves_the_policy(command: str, project: Path) -> None:
    words = command.split()
    words += FEW if words[:2] == ["auditproof", "run"] else []
    program = Path(sys.executable).with_name(words[0])
    environment = {**os.environ, "PYTEST_ADDOPTS": "-p no:cacheprovider -p no:hypothesispytest"}

    done = subprocess.run([program, *words[1:]], cwd=project, env=environment, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr
    if words[0] == "pytest" or words[1] == "run":
        assert "PROVEN: the server recorded what the policy decides" in done.stdout
    if "--report" in words:
        assert {"report.html", "results.json", "junit.xml"} <= {path.name for path in (project / "out").iterdir()}


def test_there_are_cases_in_yaml_and_in_python_among_them(project: Path) -> None:
    assert len(list((project / "audit").glob("*.audit.yaml"))) >= 2
    assert len(list((project / "audit").glob("test_*.py"))) >= 2
