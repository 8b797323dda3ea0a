"""Every file that README.md and docs/ show is valid as what it is, and every program in Python runs."""

from __future__ import annotations

from configparser import ConfigParser
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from auditproof.analysis.gate import load_acknowledged
from auditproof.analysis.requirements import load_requirements
from auditproof.audit.policy.load import load_policy
from auditproof.cases.load import load_case_file
from auditproof.detections import load_rules
from auditproof.options import OPTIONS
from tests.support.pages import BLOCKS, Block

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ELSEWHERE = ("docs/lint.md", "docs/cases.md")  # their examples have tests of their own
YAML = [block for block in BLOCKS if block.language == "yaml" and block.page not in ELSEWHERE]
PYTHON = [block for block in BLOCKS if block.language == "python" and "def test_" not in block.text]
HEAD = "apiVersion: auditproof/v1\nkind: {}\n"
REQUIREMENT = "title: Part\nrequirements:\n"


def test_the_blocks_are_found() -> None:
    assert len(YAML) > 10
    assert len(PYTHON) >= 2


@pytest.mark.parametrize("block", YAML, ids=lambda block: block.id)
def test_yaml_is_valid_as_what_it_is(block: Block, project: Callable[[bool], Path]) -> None:
    """By the loader that a command uses for it; a job for CI by its structure."""
    folder = project(False)
    text = completed(block)
    document = yaml.safe_load(text)

    if block.note == "part of steps":
        assert are_steps(document)
    elif block.title.startswith(".github/"):
        assert document[True]  # what YAML 1.1 makes of "on"
        assert all(job["runs-on"] and are_steps(job["steps"]) for job in document["jobs"].values())
    elif block.title == ".gitlab-ci.yml":
        assert all(job["image"] and all(isinstance(line, str) for line in job["script"]) for job in document.values())
    else:
        file = folder / (block.title or "shown/block.audit.yaml")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        load(document["kind"], file)


def completed(block: Block) -> str:
    """The text of a document: what a part of one leaves out is put around it."""
    kind, _, where = block.note.removeprefix("part of ").partition(": ")
    if not block.note.startswith("part of ") or kind == "steps":
        return block.text
    if kind != "Requirements":
        return HEAD.format(kind) + block.text
    first = (
        "  - id: part\n    title: Part\n    because: b\n    source: s\n    for: [{resources: [pods]}]\n"
        if where
        else ""
    )
    return HEAD.format(kind) + REQUIREMENT + first + block.text


def load(kind: str, file: Path) -> object:
    """Read the file as a document of its kind.

    Raises AuditproofError if it is none, and KeyError for a kind that no page shows.
    """
    loaders: dict[str, Callable[[Path], object]] = {
        "CaseFile": load_case_file,
        "Requirements": lambda path: load_requirements(str(path)),
        "AcknowledgedChanges": load_acknowledged,
        "Detections": lambda path: load_rules([str(path)]),
        "Policy": load_policy,
    }
    return loaders[kind](file)


def are_steps(document: Any) -> bool:
    """Whether these are steps of a job of GitHub Actions."""
    return bool(document) and all(("run" in step) != ("uses" in step) for step in document)


@pytest.mark.parametrize("block", PYTHON, ids=lambda block: block.id)
def test_a_program_runs_as_it_stands(block: Block, project: Callable[[bool], Path]) -> None:
    project(False)

    exec(compile(block.text, block.id, "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.language == "ini"], ids=lambda block: block.id)
def test_the_keys_of_an_ini_file_exist(block: Block) -> None:
    parser = ConfigParser()
    parser.read_string(block.text)

    assert set(parser["pytest"]) <= {option.ini for option in OPTIONS}
