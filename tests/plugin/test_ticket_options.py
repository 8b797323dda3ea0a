"""Title, ticket, author and reviewer: what a run is told about the change, and what its report says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import auditproof.plugin.hooks
import auditproof.plugin.reporting  # noqa: F401 - here, and not again in every pytest within this process
from auditproof.options import OPTIONS
from tests.support.fakes import CONFTEST, POLICY, case_file, put_in_place

pytest_plugins = ["pytester"]


@pytest.fixture(autouse=True)
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project with a policy and a case, on a cluster that is a fake."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest -p no:anyio -p no:cacheprovider")
    for option in OPTIONS:
        monkeypatch.delenv(option.variable or "-", raising=False)
    put_in_place(monkeypatch.setattr)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    pytester.path.joinpath("policy.yaml").write_text(POLICY)
    pytester.path.joinpath("conftest.py").write_text(CONFTEST)
    pytester.path.joinpath("it.audit.yaml").write_text(case_file(first="web"))
    return pytester


def results(project: pytest.Pytester, *options: str) -> dict[str, Any]:
    project.runpytest_inprocess("--audit-policy=policy.yaml", "--audit-report=out", *options)
    found: dict[str, Any] = json.loads((project.path / "out" / "results.json").read_text())
    return found


def test_the_command_line_comes_before_the_variable_and_that_before_the_ini_file(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.makeini("[pytest]\naudit_title = Of the file\naudit_author = Of the file\naudit_reviewer = Of the file\n")
    monkeypatch.setenv("AUDITPROOF_AUTHOR", "Of the variable")
    monkeypatch.setenv("AUDITPROOF_REVIEWER", "Of the variable")

    found = results(project, "--audit-ticket=CHG-1042", "--audit-reviewer= Zoë ")

    assert found["ticket"] == {
        "title": "Of the file", "number": "CHG-1042", "author": "Of the variable", "reviewer": "Zoë",
    }  # fmt: skip


def test_a_run_that_is_told_nothing_has_no_ticket_in_its_results(project: pytest.Pytester) -> None:
    assert "ticket" not in results(project)


def test_a_secret_in_a_title_does_not_reach_the_results(project: pytest.Pytester) -> None:
    token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"

    results(project, f"--audit-title=with {token}", f"--audit-ticket=https://me:{token}@example.test/1")

    files = [path for path in (project.path / "out").iterdir() if path.is_file()]
    assert [path.name for path in files if token in path.read_text(errors="replace")] == []


def test_a_ticket_alone_does_not_concern_a_project_without_audit_cases(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A CI system may set the variable for every pytest of its jobs."""
    pytester.path.joinpath("it.audit.yaml").unlink()
    pytester.path.joinpath("conftest.py").unlink()
    pytester.makepyfile("def test_one(): pass")
    monkeypatch.setenv("AUDITPROOF_TICKET", "CHG-1042")

    result = pytester.runpytest_inprocess()

    assert result.ret == pytest.ExitCode.OK
    assert "auditproof:" not in result.stdout.str()
