"""``auditproof init``, as a user calls it: what it writes is valid, green by itself, and replaces nothing."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from auditproof.analysis.gate import load_acknowledged
from auditproof.analysis.requirements import load_requirements
from auditproof.audit.event import Level
from auditproof.cases.load import load_case_file
from auditproof.cli.main import main
from tests.support.programs import program

FILES = Path(__file__).parents[1] / "audit" / "policy_sources" / "files"
HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n"
SECRETS_IN_FULL = HEAD + "- level: RequestResponse\n"
WRITTEN = [
    ".auditproof/case.schema.json",
    ".auditproof/changes.schema.json",
    ".auditproof/policy.schema.json",
    ".auditproof/requirements.schema.json",
    ".github/workflows/audit-policy.yml",
    ".pre-commit-config.yaml",
    "audit/own.audit.yaml",
    "policies/audit-changes.yaml",
    "policies/prod.yaml",
    "pytest.ini",
    "requirements/own.yaml",
]
RUN = "auditproof run policies/prod.yaml audit --requirements requirements/own.yaml --report reports"


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is no part of another repository."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    return tmp_path


def files_in(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts
    )


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@example.test", *arguments], cwd=folder, check=True)


def expected_levels() -> list[Level | None]:
    return [case.expectation.level for case in load_case_file("audit/own.audit.yaml").cases]


def test_an_empty_folder_gets_what_is_green_without_a_server(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init"]) == 0
    told = capsys.readouterr().out
    assert files_in(repository) == WRITTEN
    assert told.splitlines()[-4:] == [
        "next:",
        "  auditproof lint policies/prod.yaml",
        "  auditproof requirements policies/prod.yaml --requirements requirements/own.yaml",
        f"  {RUN}",
    ]
    assert main(["lint", "policies/prod.yaml"]) == 0
    assert main(["requirements", "policies/prod.yaml", "--requirements", "requirements/own.yaml"]) == 0
    assert len(load_requirements("requirements/own.yaml").requirements) == 5
    assert expected_levels() == [Level.METADATA, Level.REQUEST]
    assert load_acknowledged(Path("policies/audit-changes.yaml")).changes == ()


def test_each_file_names_a_schema_that_is_there_and_agrees() -> None:
    main(["init"])
    for name in ("policies/prod.yaml", "audit/own.audit.yaml", "requirements/own.yaml", "policies/audit-changes.yaml"):
        file = Path(name)
        first, _, text = file.read_text().partition("\n")
        schema = file.parent / first.removeprefix("# yaml-language-server: $schema=")
        jsonschema.validate(yaml.safe_load(text), json.loads(schema.read_text()))


def test_a_second_time_writes_nothing(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["init"])
    before = {name: (repository / name).stat().st_mtime_ns for name in WRITTEN}
    capsys.readouterr()
    assert main(["init"]) == 0
    told = capsys.readouterr().out.splitlines()
    # The policy is the user's own by now.
    assert [line for line in told if line.startswith(("written", "kept", "replaced"))] == []
    assert sum(line.startswith("same") for line in told) == len(WRITTEN) - 1
    assert {name: (repository / name).stat().st_mtime_ns for name in WRITTEN} == before


def test_a_policy_that_is_there_is_taken_as_it_is(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repository / "infra").mkdir()
    (repository / "infra" / "audit.yaml").write_text(SECRETS_IN_FULL)
    assert main(["init", "--ci", "none"]) == 0
    assert (repository / "infra" / "audit.yaml").read_text() == SECRETS_IN_FULL
    assert not (repository / ".github").exists()
    assert (repository / "infra" / "audit-changes.yaml").is_file()
    assert expected_levels() == [Level.REQUEST_RESPONSE, Level.REQUEST_RESPONSE]
    requirements = load_requirements("requirements/own.yaml").requirements
    assert [one.id for one in requirements] == ["secrets-are-seen", "ways-in", "rights", "failed-logins"]
    assert "#  - id: secrets-without-content\n" in Path("requirements/own.yaml").read_text()
    told = capsys.readouterr().out
    assert "infra/audit.yaml meets 4 of 5 first requirements, but not secrets-without-content" in told
    assert main(["requirements", "infra/audit.yaml", "--requirements", "requirements/own.yaml"]) == 0


def test_a_policy_that_meets_no_requirement_gets_no_file_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    rules = "- level: Request\n  resources: [{group: '', resources: [secrets]}]\n  verbs: [create]\n- level: None\n"
    Path("p.yaml").write_text(HEAD + rules)
    assert main(["init"]) == 0
    assert not Path("requirements").exists()
    told = capsys.readouterr().out
    assert "p.yaml meets 0 of 5 first requirements" in told
    assert "auditproof run p.yaml audit --report reports" in told
    assert "--requirements" not in told + Path(".github/workflows/audit-policy.yml").read_text()


@pytest.mark.parametrize(("file", "place"), [("configmap.yaml", "#data.policy.yaml"), ("kops.yaml", "")])
def test_a_policy_inside_another_document_is_named_by_its_place(
    file: str, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(file).write_bytes((FILES / file).read_bytes())
    if not place:  # kOps' example has two
        assert main(["init"]) == 4
        assert f"2 audit policies are in .; name one with --policy:\n  {file}#spec" in capsys.readouterr().err
        place = "#spec.fileAssets[0].content"
    assert main(["init", "--policy", f"{file}{place}"]) == 0
    assert f"audit_policy = {file}{place}\n" in Path("pytest.ini").read_text()
    assert f"run {shlex.quote(file + place)} audit" in Path(".github/workflows/audit-policy.yml").read_text()
    assert f"files: ^{re.escape(file)}$" in Path(".pre-commit-config.yaml").read_text().replace("\\\\", "\\").replace(
        '"', ""
    )


def test_what_is_there_is_kept_and_only_what_is_named_is_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("requirements/own.yaml", "audit/own.audit.yaml", ".pre-commit-config.yaml"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text("mine\n")
    assert main(["init", "--force", "audit/own.audit.yaml"]) == 0
    told = capsys.readouterr().out
    assert "kept      requirements/own.yaml (it exists; --force requirements/own.yaml replaces it)" in told
    assert "replaced  audit/own.audit.yaml" in told
    assert "add to its list repos: {repo: local, hooks: [{id: auditproof-lint," in told
    assert Path("requirements/own.yaml").read_text() == Path(".pre-commit-config.yaml").read_text() == "mine\n"
    assert load_case_file("audit/own.audit.yaml").cases


def test_a_dry_run_lists_and_writes_nothing(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "new/repo", "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("nothing is written (--dry-run)\nwritten   new/repo/policies/prod.yaml\n")
    assert "next:\n  cd new/repo\n" in told
    assert files_in(repository) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--force", "policies/prod.yml"], "init does not write this file; did you mean policies/prod.yaml?"),
        (["file"], "init: file is a file; name the folder of your repository"),
        (["--policy", "nowhere.yaml"], "nowhere.yaml:1:1: the policy cannot be read: No such file or directory"),
        (["--policy", "broken.yaml"], "broken.yaml:3:"),
        (
            ["folder", "--policy", "good.yaml"],
            "good.yaml is not a file in folder: CI needs the policy in the repository",
        ),
        (["--policy", "git:main:good.yaml"], "git cannot read it"),
        (["--policy", "a\nb.yaml"], "a job cannot name this file; rename it"),
        (["blocked", "--policy", "blocked/p.yaml"], "blocked/audit/own.audit.yaml cannot be written: "),
    ],
)
def test_what_cannot_be_done_is_an_error_that_says_what_to_do(
    arguments: list[str], said: str, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "file").write_text("")
    (repository / "folder").mkdir()
    (repository / "blocked").mkdir()
    (repository / "blocked" / "audit").write_text("a file where a folder is needed")
    (repository / "blocked" / "p.yaml").write_text(SECRETS_IN_FULL)
    if "good.yaml" in str(arguments):
        (repository / "good.yaml").write_text(SECRETS_IN_FULL)
    if "a\nb.yaml" in arguments:
        (repository / "a\nb.yaml").write_text(SECRETS_IN_FULL)
    if "broken.yaml" in arguments:
        (repository / "broken.yaml").write_text(HEAD)
    if "--force" in arguments:
        (repository / "blocked" / "p.yaml").unlink()
    before = files_in(repository)
    assert main(["init", *arguments]) == 4
    assert said in capsys.readouterr().err
    assert files_in(repository) == before


def steps_of(workflow: str) -> tuple[dict[str, Any], list[str]]:
    """The job of a GitHub workflow, and its scripts that call auditproof."""
    (job,) = yaml.safe_load(Path(workflow).read_text())["jobs"].values()
    return job, [step["run"] for step in job["steps"] if "auditproof " in step.get("run", "")]


def calls(script: str, folder: Path, variables: dict[str, str], shell: tuple[str, ...]) -> list[list[str]]:
    """What a script of a job calls auditproof with. The program is a fake here: it prints what it is given."""
    program(folder / ".bin", "auditproof", 'for one in "$@"; do printf "%s\\0" "$one"; done; printf "\\n"')
    environment = {"PATH": f"{folder / '.bin'}:{os.environ['PATH']}", **variables}
    done = subprocess.run([*shell, script], cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return [line.split("\0")[:-1] for line in done.stdout.splitlines()]


@pytest.mark.parametrize("name", ["prod.yaml", 'it\'s a "b" #c $d: e.yaml'])
@pytest.mark.parametrize("ci", ["github", "gitlab"])
def test_the_job_compares_with_the_base_branch_wherever_the_policy_is(repository: Path, name: str, ci: str) -> None:
    project = repository / "team a" / "cluster"
    (project / "policies").mkdir(parents=True)
    (project / "policies" / name).write_text(SECRETS_IN_FULL)
    git(repository, "init", "--quiet", "-b", "main")
    git(repository, "add", "-A")
    git(repository, "commit", "--quiet", "-m", "one")
    git(repository, "update-ref", "refs/remotes/origin/main", "HEAD")
    assert main(["init", str(project), "--ci", ci]) == 0
    policy, needs = f"policies/{name}", ["--requirements", "requirements/own.yaml"]
    where = f"team a/cluster/{policy}"

    if ci == "github":
        job, scripts = steps_of(".github/workflows/audit-policy.yml")
        folder = repository / job["defaults"]["run"]["working-directory"]
        assert folder == project
        assert job["steps"][-1]["with"]["path"] == "team a/cluster/reports"
        assert [step["env"] for step in job["steps"] if "env" in step] == [{"BEFORE": "${{ github.event.before }}"}]
        compared, before, shell = {"GITHUB_BASE_REF": "main"}, "BEFORE", ("bash", "-eo", "pipefail", "-c")
        base, more, lint = f"git:origin/main:{where}", [], ["--format", "github"]
    else:
        job = yaml.safe_load(Path(".gitlab/audit-policy.yml").read_text())["audit-policy"]
        scripts, folder, shell = job["script"], repository, ("sh", "-e", "-c")
        assert job["artifacts"]["reports"]["junit"] == "team a/cluster/reports/junit.xml"
        assert yaml.safe_load(Path(".gitlab-ci.yml").read_text()) == {
            "include": [{"local": ".gitlab/audit-policy.yml"}]
        }
        compared, before = {"CI_MERGE_REQUEST_DIFF_BASE_SHA": "refs/remotes/origin/main"}, "CI_COMMIT_BEFORE_SHA"
        base, more, lint = f"git:refs/remotes/origin/main:{where}", ["--formats", "code-quality"], []
    run = ["run", policy, "audit", *needs]
    lint += ["--fail-on", "never"]  # this policy has findings

    def called(variables: dict[str, str]) -> list[list[str]]:
        return [call for script in scripts for call in calls(script, folder, variables, shell)]

    assert called(compared) == [["lint", policy, *lint], [*run, "--base", base, "--report", "reports", *more]]
    assert called({before: "HEAD"})[1] == [*run, "--base", f"git:HEAD:{where}", "--report", "reports", *more]
    assert called({before: "0" * 40})[1] == [*run, "--report", "reports", *more]  # the first push of a branch
    git(repository, "rm", "--quiet", "--cached", "-r", "team a")
    git(repository, "commit", "--quiet", "-m", "two")
    git(repository, "update-ref", "refs/remotes/origin/main", "HEAD")
    assert called(compared)[1] == [*run, "--report", "reports", *more]  # nor has a new policy


def test_a_repository_on_gitlab_gets_its_job_and_keeps_its_pipeline(capsys: pytest.CaptureFixture[str]) -> None:
    Path(".gitlab-ci.yml").write_text("stages: [test]\n")
    assert main(["init"]) == 0
    assert Path(".gitlab-ci.yml").read_text() == "stages: [test]\n"
    assert Path(".gitlab/audit-policy.yml").is_file()
    assert not Path(".github").exists()
    assert "add to it, so that the job runs: include: [{local: .gitlab/audit-policy.yml}]" in capsys.readouterr().out


def test_another_version_of_kubernetes_is_the_one_of_the_job_and_of_the_commands(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["init", "--kubernetes", "1.36"]) == 0
    told = capsys.readouterr().out
    assert "  auditproof lint policies/prod.yaml --kubernetes 1.36\n" in told
    assert (
        "run policies/prod.yaml audit --requirements requirements/own.yaml --kubernetes 1.36 --report reports" in told
    )
    job = Path(".github/workflows/audit-policy.yml").read_text()
    assert "lint policies/prod.yaml --kubernetes 1.36 --format github --fail-on never" in job  # AP603, before 1.37
    assert "run policies/prod.yaml --kubernetes 1.36 audit --requirements" in job
    assert "-kubernetes-1.36\n" in job


@pytest.mark.parametrize("name", ["pyproject.toml", "tox.ini", "conftest.py"])
def test_the_settings_of_a_python_project_are_left_alone(name: str) -> None:
    Path(name).write_text("")
    assert main(["init"]) == 0
    assert not Path("pytest.ini").exists()
