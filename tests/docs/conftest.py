"""The folder in which the commands of the documents are run: policies, rules, a log and a report, in git."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from auditproof.content import root
from auditproof.report.model import plain
from tests.browser.conftest import browser
from tests.browser.reports import everything

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["browser"]
PROJECT = Path(__file__).parent / "project"
GIT = ["git", "-c", "user.name=Zoë", "-c", "user.email=zoe@example.com", "-c", "commit.gpgsign=false"]


@pytest.fixture(scope="session")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with a branch main, which origin has as well."""
    folder = tmp_path_factory.mktemp("docs") / "project"
    shutil.copytree(PROJECT, folder)
    shutil.copytree(root() / "fixtures" / "policies", folder / "fixtures" / "policies")
    shutil.copy(folder / "policies" / "prod.yaml", folder / "policies" / "staging.yaml")
    for command in (
        ["init", "--quiet", "--template=", "--initial-branch=main"],
        ["add", "--all"],
        ["commit", "--quiet", "--message=Policies"],
        ["update-ref", "refs/remotes/origin/main", "main"],
    ):
        subprocess.run([*GIT, *command], cwd=folder, check=True)
    for name in ("reports/results.json", "out/results.json", "A.json", "B.json"):
        file = folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(plain(everything()), default=str))
    return folder


@pytest.fixture
def project(committed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], Path]:
    """Makes a copy of the project the working directory; with ``changed``, prod.yaml has become next.yaml."""

    def begin(changed: bool) -> Path:
        folder = tmp_path / "project"
        shutil.copytree(committed, folder)
        if changed:
            shutil.copy(folder / "policies" / "next.yaml", folder / "policies" / "prod.yaml")
        monkeypatch.chdir(folder)
        return folder

    return begin
