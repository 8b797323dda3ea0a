"""The composite action: its scripts, run as GitHub's runner runs them, on checkouts with a real base branch.

tests/live/test_action.py runs the real auditproof; here a program of the same name notes down how it is called.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support.composite import ACTION, ROOT, Job
from tests.support.programs import program

POLICY = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n"
FAKE = """\
variables="$(env | grep ^AUDITPROOF_ | grep -v -e '=$' -e ^AUDITPROOF_CACHE= | sort | tr '\\n' '|')"
{ printf '%s|' "$@"; echo "$variables"; } >>"$CALLS"
case "$1" in
  cache) echo "the-$2" ;;
  lint) exit "${LINT_CODE:-0}" ;;
  comment) echo "comment created"; exit "${COMMENT_CODE:-0}" ;;
  run) while [ "$1" != --report ]; do shift; done; mkdir -p "$2"; touch "$2/results.json" "$2/results.sarif"
       exit "${RUN_CODE:-0}" ;;
esac
"""


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.test", "-c", "protocol.file.allow=always"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A job on a pull request against main, in a checkout with one commit, as actions/checkout makes it by default."""
    origin, workspace, temporary = tmp_path / "origin", tmp_path / "workspace", tmp_path / "temporary"
    temporary.mkdir()
    (origin / "infra" / "policies").mkdir(parents=True)
    (origin / "infra" / "policies" / "prod.yaml").write_text(POLICY)
    git(origin, "init", "--quiet", "-b", "main")
    git(origin, "add", "-A")
    git(origin, "commit", "--quiet", "-m", "one")
    git(origin, "checkout", "--quiet", "-b", "change")
    (origin / "infra" / "policies" / "new.yaml").write_text(POLICY)
    git(origin, "add", "-A")
    git(origin, "commit", "--quiet", "-m", "two")
    git(tmp_path, "clone", "--quiet", "--depth=1", "--branch=change", origin.as_uri(), str(workspace))
    bin_folder = program(tmp_path / "bin", "auditproof", FAKE).parent
    variables = {"PATH": f"{bin_folder}:/usr/bin:/bin", "CALLS": str(tmp_path / "calls"), "GITHUB_BASE_REF": "main"}
    return Job(workspace, temporary, variables)


def calls(job: Job, command: str) -> list[list[str]]:
    """How auditproof was called, with the AUDITPROOF_ variables behind the arguments."""
    lines = Path(job.variables["CALLS"]).read_text().splitlines()
    return [line.split("|")[1:-1] for line in lines if line.startswith(f"{command}|")]


def test_a_pull_request_is_linted_compared_proven_and_commented_on(job: Job) -> None:
    code = job.run(
        install="false", policy="policies/prod.yaml", working_directory="infra", requirements="cis,own.yaml",
        cases="audit\n  more cases/a.audit.yaml\n", arguments="-k 'x'  -n 2", kubernetes="1.36", sarif="true",
        reference="never",
    )  # fmt: skip
    assert (code, job.failed) == (0, "")
    assert calls(job, "lint")[0] == ["policies/prod.yaml", "--kubernetes", "1.36", "--format", "github"]
    (run,) = calls(job, "run")
    arguments = ["policies/prod.yaml", "audit", "more cases/a.audit.yaml", "--report", "audit-report"]
    assert run[:11] == [*arguments, "--formats", "sarif", "-k", "'x'", "-n", "2"]
    assert run[11:] == [
        "AUDITPROOF_BASE=git:origin/main:infra/policies/prod.yaml",
        "AUDITPROOF_KUBERNETES=1.36",
        "AUDITPROOF_REFERENCE=never",
        "AUDITPROOF_REQUIREMENTS=cis,own.yaml",
    ]
    report = job.workspace / "infra" / "audit-report"
    assert calls(job, "comment") == [[str(report / "results.json")]]
    assert job.used["actions/cache/restore"] == {"path": "the-path", "key": "the-key"}
    assert calls(job, "fetch") == [["--kubernetes", "1.36"]]
    assert job.used["actions/upload-artifact"] == {"name": "audit-policy", "path": str(report)}
    assert job.used["github/codeql-action/upload-sarif"]["sarif_file"] == str(report / "results.sarif")
    assert "actions/setup-python" not in job.used


@pytest.mark.parametrize(
    ("inputs", "event", "expected"),
    [
        ({}, "", []),
        ({"base": "none"}, "main", []),
        ({"base": "old.yaml"}, "main", ["AUDITPROOF_BASE=old.yaml"]),
        ({"policy": "policies/new.yaml"}, "main", []),
        (
            {"policy": "policies/prod.yaml#data.x"},
            "main",
            ["AUDITPROOF_BASE=git:origin/main:infra/policies/prod.yaml#data.x"],
        ),
    ],
    ids=["push", "none", "given", "new-file", "inside-a-document"],
)
def test_the_base_is_the_same_file_of_the_base_branch_if_it_is_there(
    inputs: dict[str, str], event: str, expected: list[str], job: Job
) -> None:
    job.variables["GITHUB_BASE_REF"] = event
    given = {"install": "false", "cache": "false", "policy": "policies/prod.yaml", "working_directory": "infra"}
    assert job.run(**(given | inputs)) == 0
    assert [one for one in calls(job, "run")[0] if one.startswith("AUDITPROOF_")] == expected


@pytest.mark.parametrize("of", ["before", "merge_group.base_sha"])
def test_a_push_and_a_merge_queue_are_compared_with_what_was_there_before(of: str, job: Job, tmp_path: Path) -> None:
    """Otherwise what is known not to be met would fail on the main branch, after it has passed in the pull request."""
    git(tmp_path / "origin", "config", "uploadpack.allowAnySHA1InWant", "true")
    sha = (tmp_path / "origin/.git/refs/heads/main").read_text().strip()
    job.variables["GITHUB_BASE_REF"] = ""
    given = {"install": "false", "cache": "false", "policy": "infra/policies/prod.yaml"}
    for before, expected in (
        (sha, [f"AUDITPROOF_BASE=git:{sha}:infra/policies/prod.yaml"]),
        ("0" * 40, []),
        ("f" * 40, []),
    ):
        job.event = {f"github.event.{of}": before}
        assert job.run(**given) == 0, job.log
        assert [one for one in calls(job, "run")[-1] if one.startswith("AUDITPROOF_")] == expected


def test_a_base_branch_that_cannot_be_fetched_is_an_error_and_no_run_without_a_base(job: Job) -> None:
    job.variables["GITHUB_BASE_REF"] = "gone"
    assert job.run(install="false", cache="false", policy="infra/policies/prod.yaml") == 4
    assert "::error::the base branch gone cannot be fetched" in job.log
    assert job.failed == "Find the policy of the base branch"


@pytest.mark.parametrize(
    ("lint", "lint_code", "run_code", "code"),
    [
        ("fail", 1, 0, 1),
        ("report", 1, 0, 0),
        ("report", 4, 0, 4),
        ("off", 1, 0, 0),
        ("fail", 0, 1, 1),
        ("fail", 1, 5, 5),
    ],
)
def test_everything_is_done_before_the_job_fails(lint: str, lint_code: int, run_code: int, code: int, job: Job) -> None:
    job.variables |= {"LINT_CODE": str(lint_code), "RUN_CODE": str(run_code)}
    assert job.run(install="false", policy="infra/policies/prod.yaml", lint=lint) == code
    assert job.failed == ("Result" if code else "")
    assert job.outputs["result"]["exit-code"] == str(code)
    assert "actions/upload-artifact" in job.used
    assert calls(job, "comment")


def test_a_comment_that_cannot_be_written_is_a_warning(job: Job) -> None:
    job.variables["COMMENT_CODE"] = "4"
    assert job.run(install="false", policy="infra/policies/prod.yaml") == 0
    assert "::warning title=No comment on the pull request::comment created" in job.log


def test_the_summary_links_the_artifact(job: Job) -> None:
    job.outputs["artifact"] = {"artifact-url": "https://github.example.test/artifacts/7"}
    assert job.run(install="false", policy="infra/policies/prod.yaml") == 0
    assert job.summary == "\n[The whole report](https://github.example.test/artifacts/7)\n"
    assert calls(job, "comment")[0][1:] == ["--link", "https://github.example.test/artifacts/7"]


def test_the_cache_is_filled_only_if_it_is_empty_and_not_if_it_is_not_wanted(job: Job) -> None:
    job.outputs["restored"] = {"cache-hit": "true"}
    assert job.run(install="false", policy="infra/policies/prod.yaml") == 0
    assert calls(job, "fetch") == []
    assert "actions/cache/save" not in job.used


def test_no_input_becomes_part_of_a_script() -> None:
    """A branch called $(...) would be executed: inputs go through the environment."""
    scripts = [step["run"] for step in ACTION["runs"]["steps"] if "run" in step]
    assert not [script for script in scripts if "${{" in script]
    files = {re.search(r"ci/github/\w+\.sh", script)[0] for script in scripts if "ci/github" in script}  # type: ignore[index]
    assert files == {f"ci/github/{path.name}" for path in (ROOT / "ci" / "github").iterdir()}


def test_every_input_is_used_and_every_script_is_bash() -> None:
    text = (ROOT / "action.yml").read_text()
    assert all(f"inputs.{name} " in text for name in ACTION["inputs"])
    assert {step["shell"] for step in ACTION["runs"]["steps"] if "run" in step} == {"bash"}
    for path in (ROOT / "ci" / "github").iterdir():
        subprocess.run(["bash", "-n", path], check=True)
        assert path.read_text().startswith("#!/usr/bin/env bash\n")
    assert yaml.safe_load(text)["runs"]["using"] == "composite"


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
def test_shellcheck_finds_nothing() -> None:
    scripts = [*(ROOT / "ci" / "github").iterdir(), *(ROOT / ".ci").glob("container-base")]
    done = subprocess.run(["shellcheck", *scripts], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
