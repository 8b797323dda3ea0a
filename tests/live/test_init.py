"""What ``auditproof init`` writes, on a real server: the scripts of its job run as GitHub's runner runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from auditproof.cli.main import main

CONFIG_MAP = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: audit-policy, namespace: kube-system}
data:
  policy.yaml: |
    apiVersion: audit.k8s.io/v1
    kind: Policy
    omitStages: [RequestReceived]
    rules:
    - level: Request
      resources:
      - group: ""
        resources: [pods, pods/exec]
    - level: Metadata
"""


def git(*arguments: str) -> None:
    subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@example.test", *arguments], check=True)


def job(folder: Path, **variables: str) -> tuple[int, str]:
    """The exit code and the output of the job's scripts, the last one that ran."""
    (found,) = yaml.safe_load((folder / ".github/workflows/audit-policy.yml").read_text())["jobs"].values()
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "GITHUB_ACTIONS": "true",
        "GITHUB_WORKSPACE": str(folder),
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
        "PYTEST_ADDOPTS": "-p no:hypothesispytest",
        **variables,
    }
    said = ""
    for script in [step["run"] for step in found["steps"] if "auditproof " in step.get("run", "")]:
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", script],
            cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        said += done.stdout
        if done.returncode:
            return done.returncode, said
    return 0, said


@pytest.mark.thorough
@pytest.mark.parametrize("own", [False, True], ids=["empty-folder", "own-configmap"])
def test_it_is_green_at_once_and_red_for_a_change_that_loses_something(
    own: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / ("audit-policy.yaml" if own else "policies/prod.yaml")
    if own:
        file.write_text(CONFIG_MAP)
    git("init", "--quiet", "-b", "main")
    assert main(["init", "--ci", "github"]) == 0
    git("add", "-A")
    git("commit", "--quiet", "-m", "one")
    git("update-ref", "refs/remotes/origin/main", "HEAD")

    code, said = job(tmp_path)
    assert (code, said[-2000:] if code else "") == (0, "")
    assert (tmp_path / "summary.md").read_text().startswith("## ✅ PROVEN")
    assert (tmp_path / "reports" / "report.html").is_file()

    file.write_text(file.read_text().replace("level: Request\n", "level: Metadata\n", 1))
    code, said = job(tmp_path, GITHUB_BASE_REF="main")
    assert code == 1
    assert "This change may not go in: 1 change is forbidden (lost-bodies of " in said
    assert f"::error file={file.relative_to(tmp_path)},line=" in said
