"""The component for GitLab CI with the real auditproof, on a real server, and a stand-in for the API of GitLab."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from auditproof.cli.main import main
from tests.ci.test_gitlab import component
from tests.support.comments_api import TOKEN, served

pytestmark = pytest.mark.thorough


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.test", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def test_a_merge_request_that_loses_something_fails_with_reports_and_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "init", "--quiet", "-b", "main")
    monkeypatch.chdir(tmp_path)
    assert main(["init", "infra", "--ci", "none"]) == 0
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "--quiet", "-m", "one")
    policy = tmp_path / "infra" / "policies" / "prod.yaml"
    policy.write_text(policy.read_text().replace("level: Request\n", "level: Metadata\n", 1))
    job = component(
        policy="policies/prod.yaml", folder="infra", cases="audit", requirements="requirements/own.yaml",
        report="reports", kubernetes="1.37",
    )  # fmt: skip
    with served() as api:
        environment = {
            **os.environ,
            **{name: str(value).replace("$CI_PROJECT_DIR", str(tmp_path)) for name, value in job["variables"].items()},
            "AUDITPROOF_CACHE": os.environ.get("AUDITPROOF_CACHE", ""),  # the servers of all tests
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "GITLAB_CI": "true",
            "CI_PROJECT_DIR": str(tmp_path),
            "CI_PROJECT_ID": "7",
            "CI_MERGE_REQUEST_IID": "3",
            "CI_MERGE_REQUEST_DIFF_BASE_SHA": git(tmp_path, "rev-parse", "HEAD"),
            "CI_API_V4_URL": f"http://127.0.0.1:{api.server_port}",
            "CI_JOB_URL": "https://gitlab.example.test/acme/cluster/-/jobs/1",
            "GITLAB_TOKEN": TOKEN,
        }
        codes = [
            subprocess.run(
                ["sh", "-e", "-c", "\n".join(job[part])], cwd=tmp_path, env=environment, check=False
            ).returncode
            for part in ("script", "after_script")
        ]
        (note,) = [one["body"] for one in api.comments]

    assert codes == [1, 0]
    assert "This change may not go in: 1 change is forbidden (lost-bodies of " in note
    assert note.endswith("(https://gitlab.example.test/acme/cluster/-/jobs/1/artifacts/browse/infra/reports)\n")
    quality = json.loads((tmp_path / job["artifacts"]["reports"]["codequality"]).read_text())
    assert {one["location"]["path"] for one in quality} == {"infra/policies/prod.yaml"}
    junit = ElementTree.parse(tmp_path / job["artifacts"]["reports"]["junit"])
    failed = {case.get("file") for case in junit.iter("testcase") if case.find("failure") is not None}
    assert failed == {"infra/policies/prod.yaml", "infra/audit/own.audit.yaml"}
