"""Who ran it and of which state of the policy: with real git repositories, and the variables of CI systems."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from auditproof.report.model import RunRecord
from auditproof.report.provenance import policy_state, repository_files, repository_root, run_record
from auditproof.text.paths import path_below

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.test", "-c", "commit.gpgsign=false"]
    return subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """A policy that is committed."""
    file = tmp_path / "policies" / "p.yaml"
    file.parent.mkdir()
    file.write_text("rules: []\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "--quiet", "-m", "one")
    return file


def test_a_committed_policy_is_known_by_its_commit(policy: Path) -> None:
    assert policy_state(policy) == {"commit": git(policy.parent, "rev-parse", "HEAD"), "modified": False}


def test_a_change_that_is_not_committed_is_told(policy: Path) -> None:
    policy.write_text("rules: [{level: None}]\n")
    assert policy_state(policy)["modified"] is True


@pytest.mark.parametrize("ignored", [False, True])
def test_a_policy_that_git_does_not_know_is_modified(policy: Path, ignored: bool) -> None:
    other = policy.with_name("other.yaml")
    other.write_text("rules: []\n")
    if ignored:
        policy.with_name(".gitignore").write_text("other.yaml\n")
    assert policy_state(other)["modified"] is True


def test_a_name_that_is_a_pattern_is_the_name_of_one_file(policy: Path) -> None:
    odd = policy.with_name("[a].yaml")
    odd.write_text("rules: []\n")
    git(policy.parent, "add", "-A")
    git(policy.parent, "commit", "--quiet", "-m", "two")
    policy.with_name("a.yaml").write_text("rules: [{level: None}]\n")
    assert policy_state(odd)["modified"] is False


def test_the_repository_of_a_git_hook_is_not_taken_for_the_policys(
    policy: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path_factory.mktemp("other")
    git(other, "init", "--quiet")
    expected = policy_state(policy)
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    assert policy_state(policy) == expected


def test_outside_of_a_repository_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert policy_state(tmp_path / "p.yaml") == {"commit": None, "modified": None}


def test_a_machine_without_git_is_no_error(policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert policy_state(policy) == {"commit": None, "modified": None}


def test_a_job_of_ci_is_known_by_its_variables() -> None:
    variables = {
        "GITHUB_ACTIONS": "true", "GITHUB_ACTOR": "alice", "GITHUB_SERVER_URL": "https://git.example.test",
        "GITHUB_REPOSITORY": "shop/audit", "GITHUB_RUN_ID": "7",
    }  # fmt: skip
    assert run_record(["--audit-policy=p.yaml"], variables) == RunRecord(
        by="alice",
        ci="GitHub Actions",
        url="https://git.example.test/shop/audit/actions/runs/7",
        command=("--audit-policy=p.yaml",),
    )


def test_a_job_of_azure_pipelines_is_known_by_its_variables() -> None:
    variables = {
        "TF_BUILD": "True", "BUILD_REQUESTEDFOR": "Alice", "SYSTEM_COLLECTIONURI": "https://ci.example.test/org/",
        "SYSTEM_TEAMPROJECT": "shop", "BUILD_BUILDID": "7",
    }  # fmt: skip
    found = run_record([], variables)
    assert (found.by, found.url) == ("Alice", "https://ci.example.test/org/shop/_build/results?buildId=7")


def test_a_variable_that_is_not_set_leaves_its_field_empty() -> None:
    found = run_record([], {"GITLAB_CI": "true", "GITLAB_USER_LOGIN": "bob"})
    assert (found.by, found.ci, found.url) == ("bob", "GitLab CI", "")


def test_elsewhere_it_is_the_user_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "carol")
    assert (run_record([], {}).by, run_record([], {"CI": "1"}).ci) == ("carol", "CI")


def test_a_user_without_a_name_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> str:
        raise OSError("No username set in the environment")

    monkeypatch.setattr("getpass.getuser", unknown)
    assert run_record([], {}).by == ""


def test_no_secret_enters() -> None:
    """Credentials in options and in variables of the CI system are not in the record of a run."""
    variables = {"JENKINS_URL": "x", "BUILD_URL": "https://user:hunter2@ci.example.test/job/1"}
    words = ["--header", f"Bearer {TOKEN}", f"?token={TOKEN}", "--password", "hunter2", "DB_PASSWORD=hunter2"]
    text = str(run_record(words, variables))
    assert "hunter2" not in text
    assert TOKEN not in text


def test_the_root_of_a_repository_is_githubs_workspace_or_else_that_of_git(policy: Path, tmp_path: Path) -> None:
    folder = policy.parent

    assert repository_root(folder, {}) == tmp_path.resolve()
    assert repository_root(folder, {"GITHUB_WORKSPACE": str(tmp_path.parent)}) == tmp_path.parent.resolve()
    assert repository_root(folder, {"GITHUB_WORKSPACE": str(folder / "elsewhere")}) == tmp_path.resolve()


@pytest.mark.parametrize(
    "variable",
    ["GITHUB_WORKSPACE", "CI_PROJECT_DIR", "WORKSPACE", "BUILD_SOURCESDIRECTORY", "CIRCLE_WORKING_DIRECTORY"],
)
def test_the_workspace_of_a_ci_system_is_the_root_also_where_git_knows_none(tmp_path: Path, variable: str) -> None:
    folder = tmp_path / "acme" / "policies"
    folder.mkdir(parents=True)
    assert repository_root(folder, {variable: str(tmp_path)}) == tmp_path.resolve()


def test_files_are_named_from_the_root_for_ci_systems_also_where_they_hold_a_policy_inside(
    policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for system in ("GITHUB_WORKSPACE", "CI_PROJECT_DIR", "WORKSPACE"):
        monkeypatch.delenv(system, raising=False)
    named = repository_files([policy.parent], otherwise=policy.parent)
    shown = ("p.yaml", str(policy), "p.yaml#data.policy", "git:main:p.yaml", "")
    assert [named(one) for one in shown] == ["policies/p.yaml", "policies/p.yaml", "policies/p.yaml", "", ""]


def test_a_file_is_named_from_that_root_wherever_it_is_shown_from(policy: Path, tmp_path: Path) -> None:
    folders = (policy.parent, tmp_path)

    assert path_below(tmp_path, "p.yaml", folders) == "policies/p.yaml"
    assert path_below(tmp_path, "policies/p.yaml", folders) == "policies/p.yaml"
    assert path_below(tmp_path, str(policy), folders) == "policies/p.yaml"
    assert path_below(tmp_path / "policies", "p.yaml", folders) == "p.yaml"
    assert [path_below(tmp_path, shown, folders) for shown in ("standard input", "", "missing.yaml")] == ["", "", ""]
    assert path_below(tmp_path / "other", "p.yaml", folders) == ""
