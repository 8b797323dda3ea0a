"""The component for GitLab CI: its scripts, run by a shell with the variables that GitLab sets.

GitLab itself is not here: inputs are put in as its documents describe (docs.gitlab.com/ci/inputs), and auditproof is a
program that notes down how it is called. The form is checked against GitLab's own schema, in test_forms.py.
"""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.support.composite import ROOT
from tests.support.programs import program

if TYPE_CHECKING:
    from pathlib import Path

POLICY = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n"
FAKE = """\
{ printf '%s|' "$@"; printf 'base=%s\\n' "$AUDITPROOF_BASE"; } >>"$CALLS"
case "$1" in
  lint) exit "${LINT_CODE:-0}" ;;
  run) mkdir -p audit-report; touch audit-report/results.json; exit "${RUN_CODE:-0}" ;;
esac
"""


def component(**given: str) -> dict[str, Any]:
    """The job that GitLab makes of the component with these inputs (``_`` for ``-``)."""
    head, text = yaml.safe_load_all((ROOT / "templates" / "audit-policy.yml").read_text())
    inputs = {name: one.get("default") for name, one in head["spec"]["inputs"].items()}
    inputs |= {name.replace("_", "-"): value for name, value in given.items()}
    assert None not in inputs.values()

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {filled(key): filled(one) for key, one in value.items()}
        if isinstance(value, list):
            return [filled(one) for one in value]
        if not isinstance(value, str):
            return value
        return re.sub(r"\$\[\[ inputs\.([\w-]+) \]\]", lambda one: str(inputs[one[1]]), value)

    (job,) = filled(text).values()
    assert isinstance(job, dict)
    return job


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "infra" / "policies").mkdir(parents=True)
    (folder / "infra" / "policies" / "a b.yaml").write_text(POLICY)
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.test"]
    for command in (["init", "--quiet"], ["add", "-A"], ["commit", "--quiet", "-m", "one"]):
        subprocess.run([*git, *command], cwd=folder, check=True)
    (folder / "infra" / "policies" / "new.yaml").write_text(POLICY)
    subprocess.run([*git, "add", "-A"], cwd=folder, check=True)
    program(tmp_path / "bin", "auditproof", FAKE)
    return folder


def run(job: dict[str, Any], folder: Path, **variables: str) -> tuple[int, list[list[str]]]:
    """The exit code of the job, and how auditproof was called; after_script is a shell of its own, as in GitLab."""
    record = folder.parent / "calls"
    record.unlink(missing_ok=True)
    environment = {
        "PATH": f"{folder.parent / 'bin'}:{os.environ['PATH']}",
        "CALLS": str(record),
        "CI_PROJECT_DIR": str(folder),
        "CI_JOB_URL": "https://gitlab.example.test/job/1",
        **{name: str(value).replace("$CI_PROJECT_DIR", str(folder)) for name, value in job["variables"].items()},
        **variables,
    }
    done = subprocess.run(["sh", "-e", "-c", "\n".join(job["script"])], cwd=folder, env=environment, check=False)
    subprocess.run(["sh", "-e", "-c", "\n".join(job["after_script"])], cwd=folder, env=environment, check=True)
    return done.returncode, [line.split("|") for line in record.read_text().splitlines()]


def test_a_merge_request_is_linted_compared_proven_and_commented_on(checkout: Path) -> None:
    job = component(
        policy="policies/a b.yaml", folder="infra", cases="audit more", kubernetes="1.36", requirements="cis"
    )
    code, calls = run(job, checkout, CI_MERGE_REQUEST_DIFF_BASE_SHA="HEAD", GITLAB_TOKEN="t")
    base = "base=git:HEAD:infra/policies/a b.yaml"
    form = ["--report", "audit-report", "--formats", "code-quality"]
    assert code == 0
    assert calls == [
        ["lint", "policies/a b.yaml", "--kubernetes", "1.36", "base="],
        ["run", "policies/a b.yaml", "audit", "more", *form, base],
        ["comment", "audit-report/results.json", "--link",
         "https://gitlab.example.test/job/1/artifacts/browse/infra/audit-report", "base="],
    ]  # fmt: skip
    assert job["variables"]["AUDITPROOF_REQUIREMENTS"] == "cis"
    assert job["variables"]["AUDITPROOF_REFERENCE"] == "once"
    assert component(policy="p.yaml", reference="never")["variables"]["AUDITPROOF_REFERENCE"] == "never"
    assert job["artifacts"]["reports"]["junit"] == "infra/audit-report/junit.xml"


def test_a_push_is_compared_with_what_was_there_before(checkout: Path) -> None:
    job = component(policy="policies/a b.yaml", folder="infra")
    _, calls = run(job, checkout, CI_COMMIT_BEFORE_SHA="HEAD")
    assert calls[1][-1] == "base=git:HEAD:infra/policies/a b.yaml"


@pytest.mark.parametrize(("policy", "sha"), [("policies/a b.yaml", "0" * 40), ("policies/new.yaml", "HEAD")])
def test_a_new_branch_and_a_new_policy_are_compared_with_nothing_and_need_no_token(
    policy: str, sha: str, checkout: Path
) -> None:
    code, calls = run(component(policy=policy, folder="infra"), checkout, CI_MERGE_REQUEST_DIFF_BASE_SHA=sha)
    assert (code, [call[0] for call in calls], calls[1][-1]) == (0, ["lint", "run"], "base=")


@pytest.mark.parametrize(
    ("lint", "lint_code", "run_code", "code"),
    [
        ("fail", 1, 0, 1),
        ("report", 1, 0, 0),
        ("report", 4, 0, 4),
        ("off", 1, 0, 0),
        ("fail", 0, 1, 1),
        ("fail", 1, 4, 4),
    ],
)
def test_everything_is_done_before_the_job_fails(
    lint: str, lint_code: int, run_code: int, code: int, checkout: Path
) -> None:
    job = component(policy="policies/a b.yaml", folder="infra", lint=lint)
    found, calls = run(job, checkout, LINT_CODE=str(lint_code), RUN_CODE=str(run_code), GITLAB_TOKEN="t")
    assert (found, [call[0] for call in calls][-2:]) == (code, ["run", "comment"])
