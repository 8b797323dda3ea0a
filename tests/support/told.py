"""A pytest project on a fake cluster, and what a run of it tells: terminal, page, report, JUnit file, exit code."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import auditproof.plugin.hooks
import auditproof.plugin.reporting  # noqa: F401 - here, and not again in every pytest within this process
from auditproof.options import OPTIONS
from tests.support.fakes import CONFTEST, POLICY, TEST, put_in_place

if TYPE_CHECKING:
    import pytest

PROVEN, VIOLATED, UNPROVEN, NOT_SUPPORTED = "PROVEN", "VIOLATED", "UNPROVEN", "NOT_SUPPORTED"
OF_JUNIT = {"failure": VIOLATED, "error": UNPROVEN, "skipped": NOT_SUPPORTED}


def fake_project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project with a policy, on a cluster that is a fake."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest -p no:anyio -p no:cacheprovider")
    for option in OPTIONS:
        monkeypatch.delenv(option.variable or "-", raising=False)
    for name in ("GITHUB_STEP_SUMMARY", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)
    put_in_place(monkeypatch.setattr)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))  # for workers
    pytester.path.joinpath("policy.yaml").write_text(POLICY)
    pytester.path.joinpath("conftest.py").write_text(CONFTEST)
    return pytester


@dataclass
class Told:
    """What a run tells in each of its forms."""

    code: int
    terminal: str
    page: str
    report: dict[str, Any]
    junit: dict[str, str]

    @property
    def verdicts(self) -> dict[str, str]:
        return {proof["id"].partition("::")[2]: proof["verdict"] for proof in self.report["proofs"]}

    @property
    def reasons(self) -> list[str]:
        return [reason for proof in self.report["proofs"] for reason in proof["reasons"]]


def told(project: pytest.Pytester, *options: str, test: str = "", cases: str = "", conftest: str = "") -> Told:
    """Run the project."""
    if test:
        project.path.joinpath("test_it.py").write_text(TEST + test)
    if cases:
        project.path.joinpath("it.audit.yaml").write_text(cases)
    if conftest:
        with project.path.joinpath("conftest.py").open("a") as file:
            file.write(conftest)
    result = project.runpytest_inprocess("--audit-policy=policy.yaml", "--audit-report=out", *options)
    out = project.path / "out"
    print(result.stdout.str(), result.stderr.str())
    return Told(
        int(result.ret),
        result.stdout.str() + result.stderr.str(),
        (out / "report.html").read_text(),
        json.loads((out / "results.json").read_text()),
        of_junit(out / "junit.xml"),
    )


def of_junit(file: Path) -> dict[str, str]:
    found, every = {}, []
    suite = ElementTree.parse(file).getroot().find("testsuite")
    assert suite is not None
    for case in suite.iter("testcase"):
        kinds = [verdict for tag, verdict in OF_JUNIT.items() if case.find(tag) is not None]
        every.append(kinds[0] if kinds else PROVEN)
        found[case.attrib["name"]] = every[-1]
        assert len(kinds) < 2, kinds
    counts = {tag: every.count(verdict) for tag, verdict in OF_JUNIT.items()}
    said = (suite.get("failures"), suite.get("errors"), suite.get("skipped"), suite.get("tests"))
    assert said == (*map(str, counts.values()), str(len(every)))
    return found
