"""What README.md and docs/ say about real servers: their commands, cases and Python tests, run as they stand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.pages import BLOCKS, Block, agree, change_policy, make_project, put_files, simple_commands

FROM_AN_INDEX = ["pip", "install"]  # this environment has it
NOT_SELECTED = re.compile(r" \d+ more were not selected\.$", re.MULTILINE)  # because of what is added to the command


@dataclass(frozen=True, slots=True)
class Command:
    """A command, which several pages may have; ``block`` is the first one."""

    words: tuple[str, ...]
    block: Block

    def __str__(self) -> str:
        return " ".join(self.words)


def commands() -> list[Command]:
    """Each once, with what makes it send fewer requests."""
    found: dict[tuple[str, ...], Command] = {}
    for block in BLOCKS:
        for line in block.commands if block.is_live else ():
            for words in simple_commands(line):
                if words[:2] != FROM_AN_INDEX:
                    more = block.added if words[:2] == ["auditproof", "run"] else []
                    found.setdefault((*words, *more), Command((*words, *more), block))
    return list(found.values())


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project of the pages, with every case and test that those with live commands show."""
    folder = tmp_path / "project"
    make_project(folder)
    pages = {block.page for block in BLOCKS if block.is_live}
    put_files(folder, [block for block in BLOCKS if block.page in pages and block.title.startswith("audit/")])
    return folder


@pytest.mark.thorough
@pytest.mark.parametrize("command", commands(), ids=str)
def test_a_documented_command_proves_what_the_page_says(command: Command, project: Path) -> None:
    """That the policy is PROVEN, and what the page shows as its output."""
    if "git:" in str(command):
        change_policy(project)
    program = Path(sys.executable).with_name(command.words[0])
    environment = {**os.environ, "PYTEST_ADDOPTS": "-p no:cacheprovider -p no:hypothesispytest"}

    done = subprocess.run(
        [program, *command.words[1:]], cwd=project, env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == command.block.exits, done.stdout + done.stderr
    if command.words[0] == "pytest" or command.words[1] == "run":
        assert re.search(r"PROVEN[:.] The server|PROVEN: the server", done.stdout)
    if command.block.is_session:
        assert agree(NOT_SELECTED.sub("", done.stdout).splitlines(), command.block.shown), done.stdout
    if "--report" in command.words:
        folder = project / command.words[command.words.index("--report") + 1]
        assert {"report.html", "results.json", "junit.xml"} <= {path.name for path in folder.iterdir()}


def test_there_are_cases_in_yaml_and_in_python_among_them(project: Path) -> None:
    assert len(list((project / "audit").glob("*.audit.yaml"))) >= 2
    assert len(list((project / "audit").glob("test_*.py"))) >= 2
