"""The files for CI systems are valid by the schemas of these systems, as check-jsonschema ships them."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import yaml

from auditproof.cli.main import main
from tests.ci.test_gitlab import component
from tests.support.composite import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

TASK: dict[str, Any] = yaml.safe_load((ROOT / "ci" / "tekton" / "audit-policy.yaml").read_text())
JENKINS = (ROOT / "ci" / "jenkins" / "Jenkinsfile").read_text()


def valid(schema: str, file: Path) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", str(file)]
    more = ["--data-transform", "gitlab-ci"] if schema == "gitlab-ci" else []
    done = subprocess.run([*command, *more], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_action_is_one_of_github() -> None:
    valid("github-actions", ROOT / "action.yml")


def test_the_jobs_of_init_are_workflows_and_pipelines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert [main(["init", name, "--ci", name]) for name in ("github", "gitlab")] == [0, 0]
    valid("github-workflows", tmp_path / "github/.github/workflows/audit-policy.yml")
    valid("gitlab-ci", tmp_path / "gitlab/.gitlab/audit-policy.yml")
    valid("gitlab-ci", tmp_path / "gitlab/.gitlab-ci.yml")


def test_the_component_is_a_pipeline_with_its_inputs_in_it(tmp_path: Path) -> None:
    file = tmp_path / "pipeline.yml"
    file.write_text(yaml.safe_dump({"audit-policy": component(policy="p.yaml", kubernetes="1.36")}))
    valid("gitlab-ci", file)


def test_the_task_of_tekton_names_what_it_declares() -> None:
    """No schema of Tekton is at hand: its names are compared, and its scripts are read by a shell."""
    spec = TASK["spec"]
    assert (TASK["apiVersion"], TASK["kind"]) == ("tekton.dev/v1", "Task")
    used = set(re.findall(r"\$\(([\w.-]+)(?:\[\*\])?\)", str(spec["steps"])))
    declared = {f"params.{one['name']}" for one in spec["params"]}
    declared |= {f"workspaces.{one['name']}.path" for one in spec["workspaces"]}
    declared |= {f"results.{one['name']}.path" for one in spec["results"]}
    assert used == declared
    volumes = {one["name"] for one in spec["volumes"]}
    assert {mount["name"] for step in spec["steps"] for mount in step.get("volumeMounts", [])} == volumes
    for step in spec["steps"]:
        subprocess.run(["sh", "-n"], input=step["script"], text=True, check=True)


def test_the_script_for_jenkins_is_one_of_a_shell() -> None:
    """Groovy is not here: braces and quotes are counted, and the script between them is read by a shell."""
    assert JENKINS.count("{") == JENKINS.count("}")
    (script,) = re.findall(r"sh '''(.*?)'''", JENKINS, re.DOTALL)
    subprocess.run(["sh", "-n"], input=script, text=True, check=True)
