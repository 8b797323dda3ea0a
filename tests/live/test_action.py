"""The composite action with the real auditproof, on a real server and a checkout with a base branch."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from auditproof.cli.main import main
from tests.support.comments_api import GITHUB, TOKEN, served
from tests.support.composite import Job

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.thorough


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.test"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True)


def test_a_pull_request_that_loses_something_fails_and_says_so_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a repository of several projects; the run before the change passes, with the same comment."""
    origin, workspace, temporary = (tmp_path / name for name in ("origin", "workspace", "temporary"))
    temporary.mkdir()
    origin.mkdir()
    git(origin, "init", "--quiet", "-b", "main")
    monkeypatch.chdir(origin)
    assert main(["init", "infra", "--ci", "none"]) == 0
    git(origin, "add", "-A")
    git(origin, "commit", "--quiet", "-m", "one")
    git(origin, "checkout", "--quiet", "-b", "change")
    git(origin, "commit", "--quiet", "--allow-empty", "-m", "two")
    git(tmp_path, "clone", "--quiet", "--depth=1", "--branch=change", origin.as_uri(), str(workspace))
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"pull_request": {"number": 3}}))
    inputs = {
        "install": "false", "policy": "policies/prod.yaml", "cases": "audit", "working_directory": "infra",
        "requirements": "requirements/own.yaml", "sarif": "true", "token": TOKEN,
    }  # fmt: skip

    with served() as api:
        variables = {
            "GITHUB_BASE_REF": "main", "GITHUB_API_URL": f"http://127.0.0.1:{api.server_port}",
            "GITHUB_EVENT_PATH": str(event), "GITHUB_REPOSITORY": GITHUB.split("/", 2)[2].removesuffix("/issues"),
            "PYTEST_ADDOPTS": "-p no:hypothesispytest",
        }  # fmt: skip
        job = Job(workspace, temporary, variables)
        assert job.run(**inputs) == 0, job.log
        assert job.summary.startswith("## ✅ This change may go in")
        assert [one["body"].splitlines()[1] for one in api.comments] == [job.summary.splitlines()[0]]
        assert job.used["actions/cache/restore"]["key"].startswith("auditproof-")

        policy = workspace / "infra" / "policies" / "prod.yaml"
        policy.write_text(policy.read_text().replace("level: Request\n", "level: Metadata\n", 1))
        (again := tmp_path / "again").mkdir()
        job = Job(workspace, again, variables)
        assert job.run(**inputs) == 1
        assert job.failed == "Result"
        (text,) = [one["body"] for one in api.comments]

    assert "This change may not go in: 1 change is forbidden (lost-bodies of " in text
    assert "::error file=infra/policies/prod.yaml,line=" in job.log
    sarif = json.loads((workspace / "infra" / "audit-report" / "results.sarif").read_text())
    places = [one["locations"][0]["physicalLocation"] for one in sarif["runs"][0]["results"]]
    assert {place["artifactLocation"]["uri"] for place in places} == {"infra/policies/prod.yaml"}
    assert job.used["actions/upload-artifact"]["path"] == str(workspace / "infra" / "audit-report")
