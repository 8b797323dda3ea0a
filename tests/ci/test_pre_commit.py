"""The hook of .pre-commit-hooks.yaml, run by pre-commit in a real git repository.

With ``language: system``, so that pre-commit takes the auditproof of this environment: installing one from a package
index, which ``language: python`` does, takes too long for a test and needs the network.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.composite import ROOT
from tests.support.pages import BLOCKS

GOOD = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n- level: Metadata\n"
BAD = GOOD + "- level: Request\n"


def git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """git with pre-commit and auditproof on the PATH: its hooks call them."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PRE_COMMIT_HOME": str(folder.parent / "home")}
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.test", "-c", "core.hooksPath=.git/hooks"]
    return subprocess.run(
        ["git", *identity, *arguments], cwd=folder, env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip


@pytest.fixture
def hook(tmp_path: Path) -> Path:
    """A repository with the hook."""
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    shutil.copy(ROOT / ".pre-commit-hooks.yaml", hooks)
    assert git(hooks, "init", "--quiet", "-b", "main").returncode == 0
    git(hooks, "add", "-A")
    git(hooks, "commit", "--quiet", "-m", "hooks")
    return hooks


def checked(folder: Path, hook: Path, settings: dict[str, Any]) -> None:
    """A new repository whose commits the hook checks, with these settings of it."""
    folder.mkdir()
    assert git(folder, "init", "--quiet", "-b", "main").returncode == 0
    rev = git(hook, "rev-parse", "HEAD").stdout.strip()
    one = {"repo": hook.as_uri(), "rev": rev, "hooks": [settings | {"language": "system"}]}
    (folder / ".pre-commit-config.yaml").write_text(yaml.safe_dump({"repos": [one]}))
    environment = {**os.environ, "PRE_COMMIT_HOME": str(folder.parent / "home")}
    command = [sys.executable, "-m", "pre_commit", "install"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, env=environment)


(DOCUMENTED,) = [block for block in BLOCKS if block.title == ".pre-commit-config.yaml"]
((SETTINGS,),) = [one["hooks"] for one in yaml.safe_load(DOCUMENTED.text)["repos"]]


@pytest.mark.parametrize(
    ("settings", "name"),
    [({"id": "auditproof-lint"}, "clusters/audit-policy.yaml"), (SETTINGS, "policies/prod.yaml")],
    ids=["default", "docs/ci.md"],
)
def test_a_commit_with_a_mistake_in_the_policy_is_refused_and_others_are_not(
    settings: dict[str, Any], name: str, hook: Path, tmp_path: Path
) -> None:
    repository = tmp_path / "project"
    checked(repository, hook, settings)
    (repository / "notes.yaml").write_text("nothing: to lint\n")
    git(repository, "add", "-A")
    other = git(repository, "commit", "-m", "notes")
    assert (other.returncode, "no files to check" in other.stdout) == (0, True), other.stdout

    policy = repository / name
    policy.parent.mkdir()
    policy.write_text(BAD)
    git(repository, "add", "-A")
    refused = git(repository, "commit", "-m", "a policy")
    assert refused.returncode == 1
    assert f"{name}:6:" in refused.stdout

    policy.write_text(GOOD)
    git(repository, "add", "-A")
    passed = git(repository, "commit", "-m", "a policy")
    assert (passed.returncode, "Passed" in passed.stdout) == (0, True), passed.stdout
