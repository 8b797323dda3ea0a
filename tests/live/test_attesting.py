"""A run attests its reference cases if all of them are proven; later runs leave them out, and every output says so.

In a copy of auditproof with few suites: a run takes two servers, and files of it can be changed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest

from auditproof.content import root

if TYPE_CHECKING:
    from pathlib import Path

GIVEN, REFERENCE = "suites/standard/paths.audit.yaml", "suites/matching/any-group.audit.yaml"
SKIPS = """
import pytest
def pytest_collection_modifyitems(items):
    for item in items:
        if "any-group" in item.nodeid:
            item.add_marker(pytest.mark.skip("not today"))
"""


@dataclass(frozen=True)
class Done:
    """A run that has ended."""

    code: int
    output: str
    report: Path
    summary: str

    @property
    def results(self) -> dict[str, Any]:
        return json.loads((self.report / "results.json").read_text())  # type: ignore[no-any-return]

    @property
    def reference(self) -> dict[str, Any]:
        (found,) = self.results["reference"]
        return found  # type: ignore[no-any-return]

    def performed(self) -> set[str]:
        return {proof["id"].partition("::")[0] for proof in self.results["proofs"]}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of auditproof with a file of standard actions, and one with a policy of its own."""
    folder = tmp_path_factory.mktemp("copy")
    for name in ("src/auditproof", "fixtures", "clusters"):
        shutil.copytree(root() / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (GIVEN, REFERENCE, "conftest.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root() / name, folder / name)
    (folder / "src" / "skipper.py").write_text(SKIPS)
    return folder


def run(copy: Path, folder: Path, *options: str, kept: Path | None = None) -> Done:
    """A run in the copy; ``kept`` has cache and state, by default those of the copy."""
    kept, summary = kept or copy / "kept", folder / "summary.md"
    variables = {
        **os.environ,
        "PYTHONPATH": str(copy / "src"),
        "PYTHONPYCACHEPREFIX": str(copy / "bytecode"),  # compiled once, and not in what is hashed
        "AUDITPROOF_CACHE": str(kept / "cache"),
        "AUDITPROOF_STATE": str(kept / "state"),
        "AUDITPROOF_REFERENCE": "once",
        "GITHUB_STEP_SUMMARY": str(summary),
    }
    command = [sys.executable, "-m", "auditproof", "run", str(copy / "fixtures/policies/levels.yaml")]
    done = subprocess.run(
        [*command, "--coverage", "none", "--report", str(folder), *options],
        cwd=folder, env=variables, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return Done(done.returncode, done.stdout + done.stderr, folder, summary.read_text() if summary.exists() else "")


def kept_in(folder: Path) -> list[Path]:
    return sorted((folder / "cache").glob("attestations/*.attestation"))


@pytest.fixture(scope="module", autouse=True)
def assets(request: pytest.FixtureRequest) -> Any:
    """The real binaries, wherever the cache of a test is."""
    from auditproof.clusters.binaries.find import find_binaries

    with pytest.MonkeyPatch.context() as patch:
        if not os.environ.get("KUBEBUILDER_ASSETS"):
            patch.setenv("KUBEBUILDER_ASSETS", str(find_binaries("1.37", None, print).etcd.parent))
        yield


@pytest.fixture(scope="module")
def first(copy: Path, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """The first run on this machine."""
    return run(copy, tmp_path_factory.mktemp("first"))


def test_the_first_run_performs_the_reference_cases_and_attests_them(first: Done, copy: Path) -> None:
    assert first.code == 0, first.output
    assert first.performed() == {GIVEN, REFERENCE}
    assert (first.reference["state"], first.reference["why"]) == ("performed", "there is no attestation yet")
    assert f"attestation {first.reference['attestation'][:12]}: later runs need not repeat" in first.output
    assert len(kept_in(copy / "kept")) == 1


@pytest.mark.parametrize(
    "options", [(), pytest.param(("-n", "2"), marks=pytest.mark.thorough)], ids=["one process", "workers"]
)
def test_a_later_run_leaves_them_out_and_every_output_says_so(
    first: Done, copy: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    later = run(copy, tmp_path, *options)

    assert later.code == 0, later.output
    assert later.performed() == {GIVEN}
    assert (later.reference["state"], later.reference["attestation"]) == ("attested", first.reference["attestation"])
    assert later.reference["cases"] == first.reference["cases"] > 0
    assert len(later.results["counting"]) == 1, "one API server is enough"
    assert "deselected" not in later.results
    same = "with the same auditproof, kube-apiserver, etcd and flags"
    named = f"{same} (attestation {first.reference['attestation'][:12]})"
    for text in (later.output, later.results["decision"]["sentence"], (tmp_path / "report.html").read_text()):
        assert named in text
    suite = ElementTree.parse(tmp_path / "junit.xml").getroot().find("testsuite")
    assert suite is not None
    assert named in str(suite[0].find("property[@name='reference']").get("value"))  # type: ignore[union-attr]
    assert first.reference["attestation"][:12] in later.summary


def test_without_them_the_run_says_what_is_not_shown(copy: Path, tmp_path: Path) -> None:
    never = run(copy, tmp_path, "--reference", "never")

    assert never.code == 0, never.output
    assert never.performed() == {GIVEN}
    assert never.reference["state"] == "left out"
    said = "The reference cases were left out: it is not shown that auditproof works with this server."
    assert said in never.results["decision"]["sentence"]
    assert said in (tmp_path / "report.html").read_text()
    assert said.split(":")[0] in never.output


@pytest.mark.thorough
def test_a_run_in_which_one_case_is_not_proven_attests_nothing(copy: Path, first: Done, tmp_path: Path) -> None:
    """One case of the suite expects what the policy does not decide."""
    suite, known = copy / REFERENCE, (copy / REFERENCE).read_text()
    before = kept_in(copy / "kept")
    assert first.code == 0
    thing, wrong_thing = "{path: /version}, expect: {level: Metadata", "{path: /version}, expect: {level: Request"
    assert thing in known
    suite.write_text(known.replace(thing, wrong_thing))
    try:
        wrong = run(copy, tmp_path)
    finally:
        suite.write_text(known)

    assert wrong.code == 1
    assert wrong.performed() == {GIVEN, REFERENCE}
    assert wrong.results["summary"]["violated"] == 1, wrong.output
    assert "is not PROVEN in this run" in wrong.reference["why"]
    assert "attestation" not in wrong.reference
    assert kept_in(copy / "kept") == before
    assert "this has changed: the files of auditproof" in wrong.output


@pytest.mark.thorough
def test_cases_that_a_plugin_skips_are_not_attested(copy: Path, tmp_path: Path) -> None:
    skipped = run(copy, tmp_path, "-p", "skipper", kept=tmp_path)

    assert skipped.code == 0, skipped.output
    assert "is not PROVEN in this run" in skipped.reference["why"]
    assert kept_in(tmp_path) == []


@pytest.mark.thorough
def test_a_selection_of_them_is_not_attested(copy: Path, tmp_path: Path) -> None:
    some = run(copy, tmp_path, "-k", "name-core or healthz", kept=tmp_path)

    assert some.code == 0, some.output
    assert some.reference["why"] == "this run has not performed all of them"
    assert kept_in(tmp_path) == []
