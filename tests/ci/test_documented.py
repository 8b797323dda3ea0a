"""What docs/ci.md gives to paste is what is tested: its jobs are those of init, or run the scripts that are tested."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from auditproof.cli.main import main
from tests.ci.test_action import calls, job
from tests.ci.test_forms import valid
from tests.ci.test_gitlab import checkout, component, run
from tests.support.composite import ACTION
from tests.support.pages import BLOCKS, ROOT, Block

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.composite import Job

PAGE = [block for block in BLOCKS if block.page == "docs/ci.md"]
__all__ = ["checkout", "job"]  # fixtures


def shown(title: str, *, uses: str = "") -> Block:
    """The only block of the page with this title that names ``uses``, or neither action nor component."""
    words = ("uses: auditproof/", "remote: ")
    found = [
        block
        for block in PAGE
        if block.title == title and (uses in block.text if uses else not any(one in block.text for one in words))
    ]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize(
    ("ci", "file"), [("github", ".github/workflows/audit-policy.yml"), ("gitlab", ".gitlab/audit-policy.yml")]
)
def test_the_jobs_without_action_and_component_are_what_init_writes(
    ci: str, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert main(["init", "--ci", ci]) == 0
    assert shown(file).text == (tmp_path / file).read_text()


def test_the_job_with_the_action_gives_it_inputs_that_it_has_and_runs(job: Job, tmp_path: Path) -> None:
    block = shown(".github/workflows/audit-policy.yml", uses="uses: auditproof/")
    (tmp_path / "workflow.yml").write_text(block.text)
    valid("github-workflows", tmp_path / "workflow.yml")
    (found,) = yaml.safe_load(block.text)["jobs"].values()
    given = found["steps"][-1]["with"]
    (job.workspace / "policies").symlink_to("infra/policies")
    assert job.run(install="false", **{name.replace("-", "_"): value for name, value in given.items()}) == 0
    (called,) = calls(job, "run")
    assert called[:2] == ["policies/prod.yaml", "audit"]
    assert "AUDITPROOF_REQUIREMENTS=cis,requirements/own.yaml" in called


def test_the_page_names_every_input_and_output_of_the_action() -> None:
    text = (ROOT / "docs" / "ci.md").read_text()
    assert [name for name in (*ACTION["inputs"], *ACTION["outputs"]) if f"`{name}`" not in text] == []


def test_the_included_component_is_given_inputs_that_it_has_and_runs(checkout: Path) -> None:
    (one,) = yaml.safe_load(shown(".gitlab-ci.yml", uses="remote: ").text)["include"]
    policies = checkout / "policies"
    policies.mkdir()
    (policies / "prod.yaml").write_text("rules: []\n")
    code, called = run(component(**{name.replace("-", "_"): value for name, value in one["inputs"].items()}), checkout)
    assert (code, called[1][:3]) == (0, ["run", "policies/prod.yaml", "audit"])
