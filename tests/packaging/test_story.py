"""The first hour of a platform engineer: an empty repository, the wheel from a package index, and nothing else."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.support.installations import Installation, pythons, run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

POLICY, CASES, CHANGES = "policies/prod.yaml", "audit/own.audit.yaml", "policies/audit-changes.yaml"
pytestmark = pytest.mark.thorough
DIFF = ("diff", f"git:HEAD:{POLICY}", POLICY, "--forbid", "lost,exposed")
DELETES = '  - level: RequestResponse\n    verbs: [delete]\n    resources: [{group: "", resources: [configmaps]}]\n'
OWN_CASE = """\
  - id: settings-deleted
    title: What a developer deletes is recorded
    as: alice
    do: {delete: configmaps/settings, in: audit-example}
    expect: {level: RequestResponse}
"""
CARELESS = '  - level: None\n    resources: [{group: "", resources: [pods/exec]}]\n'


class Engineer:
    """Somebody with an installation and a repository, who edits files and runs commands."""

    def __init__(self, installed: Installation, folder: Path) -> None:
        self.installed = installed
        self.folder = folder

    def does(self, *arguments: str, code: int = 0) -> str:
        """Run auditproof, which must end with this exit code; returns what it wrote."""
        ended, text = self.installed.fails("auditproof", *arguments, cwd=self.folder)
        assert ended == code, f"auditproof {shlex.join(arguments)}: exit {ended}\n{text}"
        assert "Traceback" not in text
        return text

    def commits(self) -> None:
        git = ("git", "-c", "user.name=Zoë", "-c", "user.email=zoe@example.com", "-c", "commit.gpgsign=false")
        run(*git, "add", "--all", cwd=self.folder)
        run(*git, "commit", "--quiet", "--message=x", cwd=self.folder)

    def edits(self, name: str, old: str, new: str) -> None:
        """Replace the last occurrence of a text in a file."""
        file = self.folder / name
        before, found, after = file.read_text().rpartition(old)
        assert found, f"{name} has no {old!r}"
        file.write_text(before + new + after)

    def decision(self) -> dict[str, object]:
        """What the report of the last run says."""
        found: dict[str, object] = json.loads((self.folder / "reports" / "results.json").read_text())["decision"]
        return found


def test_from_an_empty_repository_to_a_change_that_may_go_in(
    install: Callable[..., Installation], tmp_path: Path
) -> None:
    """Install, init, lint, run; a case of one's own that fails, the fix, the gate, and the report for the ticket."""
    engineer = Engineer(install(pythons()[-1][1]), tmp_path)
    run("git", "init", "--quiet", "--initial-branch=main", "--template=", cwd=tmp_path)

    told = engineer.does("init")
    commands = [line.split()[1:] for line in told.splitlines() if line.startswith("  auditproof ")]
    assert [command[0] for command in commands] == ["lint", "requirements", "run"]
    for command in commands:  # as init says what comes next
        last = engineer.does(*command)
    assert "PROVEN: the server recorded what the policy decides" in last
    assert engineer.decision()["passes"] is True
    engineer.commits()

    (tmp_path / CASES).write_text((tmp_path / CASES).read_text() + OWN_CASE)
    failed = engineer.does("run", POLICY, "audit", "-W", "error", "-k", "settings-deleted", code=1)
    assert f"VIOLATED {CASES}::settings-deleted: recorded at Metadata, expected RequestResponse" in failed
    assert f"{POLICY}:20: rule 1 decides: recorded at level Metadata" in failed

    engineer.edits(POLICY, "\nrules:\n", f"\nrules:\n{CARELESS}{DELETES}")
    refused = engineer.does(*DIFF, code=1)
    assert "This change may not go in: 1 forbidden change" in refused
    assert "pods/exec" in refused

    engineer.does(*DIFF, "--acknowledge", code=1)
    (entry,) = yaml.safe_load((tmp_path / CHANGES).read_text())["changes"]
    assert "pods/exec" in str(entry)
    run("git", "checkout", "--quiet", CHANGES, cwd=tmp_path)  # nobody approves that
    engineer.edits(POLICY, CARELESS, "")
    assert "This change may go in" in engineer.does(*DIFF)

    base = ("--base", f"git:HEAD:{POLICY}", "--ticket", "CHG-1042", "--report", "reports")
    last = engineer.does("run", POLICY, "audit", "--requirements", "requirements/own.yaml", *base)
    assert "This change may go in" in last
    assert engineer.decision()["passes"] is True
    report = (tmp_path / "reports" / "report.html").read_text()
    assert "CHG-1042" in report
    assert "This change may go in" in report
