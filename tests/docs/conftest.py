"""The folder in which the commands of the documents are run: policies, rules, a log and a report, in git."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from auditproof.report.model import plain
from tests.browser.reports import everything
from tests.support.pages import change_policy, make_project

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="session")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project, with a report of a run."""
    folder = tmp_path_factory.mktemp("docs") / "project"
    make_project(folder)
    for name in ("reports/results.json", "out/results.json", "A.json", "B.json"):
        file = folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(plain(everything()), default=str))
    return folder


@pytest.fixture
def project(committed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], Path]:
    """Makes a copy of the project the working directory; with ``changed``, its policy has been changed."""

    def begin(changed: bool) -> Path:
        folder = tmp_path / "project"
        shutil.copytree(committed, folder)
        if changed:
            change_policy(folder)
        monkeypatch.chdir(folder)
        return folder

    return begin
