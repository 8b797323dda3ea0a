"""Every file that README.md and docs/ show is valid as what it is, and every program in Python runs."""

from __future__ import annotations

import subprocess
import sys
from configparser import ConfigParser
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from auditproof import __version__
from auditproof.analysis.gate import load_acknowledged
from auditproof.analysis.requirements import load_requirements
from auditproof.audit.policy.load import load_policy
from auditproof.cases.load import load_case_file
from auditproof.detections import load_rules
from auditproof.options import OPTIONS
from tests.support.pages import BLOCKS, ROOT, Block
from tools.site import URLS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ELSEWHERE = ("docs/lint.md", "docs/cases.md")  # their examples have tests of their own
YAML = [block for block in BLOCKS if block.language == "yaml" and block.page not in ELSEWHERE]
OWN = URLS["Source"].removeprefix("https://github.com/")
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

    file = folder / (block.title or "shown/block.audit.yaml")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    if block.note == "part of steps":
        check_steps(document)
    elif block.title.startswith(".github/"):
        keeps_to("github-workflows", file)
        for job in document["jobs"].values():
            check_steps(job["steps"])
    elif block.title.startswith(".gitlab"):
        keeps_to("gitlab-ci", file)
        check_includes(document.get("include", []))
    elif block.title == ".pre-commit-config.yaml":
        check_hooks(document["repos"])
    else:
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


def keeps_to(schema: str, file: Path) -> None:
    """Check a file by the schema of a CI system, as check-jsonschema ships it."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def check_steps(steps: list[dict[str, Any]]) -> None:
    """Steps of GitHub Actions, of which auditproof's own has inputs that exist and the version of this checkout."""
    declared = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))["inputs"]
    needed = {name for name, one in declared.items() if one.get("required")}
    for step in steps:
        assert ("run" in step) != ("uses" in step)
        action, _, version = step.get("uses", "").partition("@")
        if action == OWN:
            assert version == f"v{__version__}"
            assert needed <= set(step["with"]) <= set(declared)


def check_includes(includes: list[dict[str, Any]]) -> None:
    """Includes of GitLab CI: a file of this repository, in the version of this checkout, with inputs that exist."""
    for include in includes:
        path = include["remote"].removeprefix(f"https://raw.githubusercontent.com/{OWN}/v{__version__}/")
        head, *_ = yaml.safe_load_all((ROOT / path).read_text(encoding="utf-8"))
        declared = head["spec"]["inputs"]
        needed = {name for name, one in declared.items() if "default" not in (one or {})}
        assert needed <= set(include["inputs"]) <= set(declared)


def check_hooks(repositories: list[dict[str, Any]]) -> None:
    """Hooks of pre-commit that this repository has, in the version of this checkout."""
    shipped = {hook["id"] for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))}
    for repository in repositories:
        assert (repository["repo"], repository["rev"]) == (URLS["Source"], f"v{__version__}")
        assert {hook["id"] for hook in repository["hooks"]} <= shipped


@pytest.mark.parametrize("block", PYTHON, ids=lambda block: block.id)
def test_a_program_runs_as_it_stands(block: Block, project: Callable[[bool], Path]) -> None:
    project(False)

    exec(compile(block.text, block.id, "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.language == "ini"], ids=lambda block: block.id)
def test_the_keys_of_an_ini_file_exist(block: Block) -> None:
    parser = ConfigParser()
    parser.read_string(block.text)

    assert set(parser["pytest"]) <= {option.ini for option in OPTIONS}
