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

import pytest

from tests.support.composite import ROOT

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
def repository(tmp_path: Path) -> Path:
    """A repository whose commits are checked by the hook."""
    hooks, folder = tmp_path / "hooks", tmp_path / "project"
    for each in (hooks, folder):
        each.mkdir()
        assert git(each, "init", "--quiet", "-b", "main").returncode == 0
    shutil.copy(ROOT / ".pre-commit-hooks.yaml", hooks)
    git(hooks, "add", "-A")
    git(hooks, "commit", "--quiet", "-m", "hooks")
    rev = git(hooks, "rev-parse", "HEAD").stdout.strip()
    (folder / ".pre-commit-config.yaml").write_text(
        f"repos:\n- repo: {hooks.as_uri()}\n  rev: {rev}\n  hooks:\n  - id: auditproof-lint\n    language: system\n"
    )
    command = [sys.executable, "-m", "pre_commit", "install"]
    subprocess.run(
        command,
        cwd=folder,
        check=True,
        capture_output=True,
        env={**os.environ, "PRE_COMMIT_HOME": str(tmp_path / "home")},
    )
    return folder


def test_a_commit_with_a_mistake_in_the_policy_is_refused_and_others_are_not(repository: Path) -> None:
    (repository / "notes.yaml").write_text("nothing: to lint\n")
    git(repository, "add", "-A")
    other = git(repository, "commit", "-m", "notes")
    assert (other.returncode, "no files to check" in other.stdout) == (0, True), other.stdout

    policy = repository / "clusters" / "audit-policy.yaml"
    policy.parent.mkdir()
    policy.write_text(BAD)
    git(repository, "add", "-A")
    refused = git(repository, "commit", "-m", "a policy")
    assert refused.returncode == 1
    assert "clusters/audit-policy.yaml:6:" in refused.stdout
    assert "AP" in refused.stdout

    policy.write_text(GOOD)
    git(repository, "add", "-A")
    passed = git(repository, "commit", "-m", "a policy")
    assert (passed.returncode, "Passed" in passed.stdout) == (0, True), passed.stdout
