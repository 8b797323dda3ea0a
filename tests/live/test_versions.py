"""Every supported Kubernetes version: what differs between them is what the cases say, on real servers in one run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from auditproof.cases.load import load_case_file
from auditproof.clusters.binaries.find import find_binaries
from auditproof.content import root
from auditproof.errors import BinaryNotFound
from auditproof.kube.discovery import minors

if TYPE_CHECKING:
    from pathlib import Path

    from auditproof.cases.case import Case

REQUIRED = os.environ.get("AUDITPROOF_VERSIONS") == "required"  # in CI: a server that cannot be had is a failure
WHOLE = ("suites/recording/impersonation.audit.yaml",)  # its cases give each other's users their rights
OF_THE_NEWEST = "suites/levels/levels.audit.yaml"
WATCH = """
import os
from pathlib import Path

def pytest_runtest_call(item):
    folders = Path(os.environ["TMPDIR"]).glob("auditproof-*")
    running = [folder for folder in folders if any((folder / "ledger").iterdir())]
    with open(os.environ["WATCHED"], "a") as file:
        print(item.name, len(running), file=file)
"""


def special() -> dict[str, Case]:
    """The shipped cases that say something about versions, by their ids in a run on one version, and what they need.

    Of those that only the newest version has, one file is enough: test_suites.py proves them, and nothing is sent to
    the other versions.
    """
    found: dict[str, Case] = {}
    for path in sorted((root() / "suites").rglob("*.audit.yaml")):
        file = load_case_file(path)
        suite = str(path.relative_to(root()))
        for case in file.cases:
            held = [minor for minor in minors() if case.holds_on(minor)]
            if held == [minors()[-1]] and suite != OF_THE_NEWEST:
                continue
            if suite in WHOLE or case.differs or len(held) < len(minors()):
                found[f"{suite}::{case.id}"] = case
    return found


CASES = special()


def _find_all() -> None:
    """Find the servers of every version, or build them; without them the test fails in CI, and is skipped elsewhere."""
    for minor in minors():
        try:
            find_binaries(minor, None, print)
        except BinaryNotFound as error:
            assert not REQUIRED, str(error)
            pytest.skip(f"there are no servers of Kubernetes {minor} here: {error}")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, dict[str, Any], list[tuple[str, int]]]:
    """A run of these cases on every version; the process, results.json, and how many runs had servers in each test."""
    _find_all()
    folder = tmp_path_factory.mktemp("versions")
    (folder / "watch.py").write_text(WATCH)
    (folder / "tmp").mkdir()
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder),
        "WATCHED": str(folder / "watched"),
        "TMPDIR": str(folder / "tmp"),
    }
    options = ["--audit-policy=fixtures/policies/baseline.yaml", "--audit-kubernetes=all", f"--audit-report={folder}"]
    names = [f"{name}[{minor}]" for name in CASES for minor in minors()]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "watch", *options, *names],
        cwd=root(), env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (folder / "results.json").is_file(), done.stdout + done.stderr
    results = json.loads((folder / "results.json").read_text())
    watched = [line.rsplit(" ", 1) for line in (folder / "watched").read_text().splitlines()]
    return done, results, [(name, int(count)) for name, count in watched]


@pytest.mark.thorough
def test_every_case_holds_on_each_version_as_it_says(run: tuple[Any, dict[str, Any], Any]) -> None:
    done, results, _ = run

    verdicts = {proof["id"]: proof["verdict"] for proof in results["proofs"]}
    assert done.returncode == 0, done.stdout
    assert verdicts == {
        f"{name}[{minor}]": "PROVEN" if case.holds_on(minor) else "NOT_SUPPORTED"
        for name, case in CASES.items()
        for minor in minors()
    }
    assert [one["kubernetes"].rpartition(".")[0] for one in results["versions"]] == [f"v{minor}" for minor in minors()]


@pytest.mark.thorough
def test_what_differs_in_the_report_is_what_the_cases_say(run: tuple[Any, dict[str, Any], Any]) -> None:
    """A difference that a case states and no server shows would be no difference."""
    _, results, _ = run

    rows = {row["id"]: row for row in results["differing"]}
    assert {name for name, case in CASES.items() if _shows(case)} <= rows.keys() <= CASES.keys()
    for name, row in rows.items():
        assert row["why"], name
        assert [one["proof"] for one in row["results"]] == [f"{name}[{minor}]" for minor in minors()]


@pytest.mark.thorough
def test_no_standard_action_costs_a_server_an_event_where_everything_is_recorded(tmp_path: Path) -> None:
    """An event that a server loses leaves the whole batch without a proof: before 1.37 some bodies cost one."""
    _find_all()
    (tmp_path / "policy.yaml").write_text(
        "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules: [{level: RequestResponse}]\n"
    )
    suites = [f"suites/standard/{name}.audit.yaml" for name in ("writing", "custom-resources", "refused")]
    options = [f"--audit-policy={tmp_path / 'policy.yaml'}", f"--audit-kubernetes={','.join(minors()[:-1])}"]
    command = [sys.executable, "-m", "pytest", *suites, *options, f"--audit-report={tmp_path}"]

    done = subprocess.run(command, cwd=root(), capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads((tmp_path / "results.json").read_text())
    assert [(entry["lost"], entry["holds"]) for entry in results["counting"]] == [(0, True)] * (len(minors()) - 1)


def _shows(case: Case) -> bool:
    """Whether another status, or being there at all, tells the versions apart."""
    statuses = {case.on(minor).expectation.status for minor in minors() if case.holds_on(minor)}
    return len(statuses) > 1 or not all(case.holds_on(minor) for minor in minors())


@pytest.mark.thorough
def test_the_servers_of_one_version_end_before_those_of_the_next_begin(
    run: tuple[Any, Any, list[tuple[str, int]]],
) -> None:
    """So the memory that is needed is that of one version."""
    watched = run[2]

    assert {name.rpartition("[")[2].rstrip("]") for name, _ in watched} == set(minors())
    assert {count for _, count in watched} == {1}
