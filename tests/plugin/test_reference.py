"""``--reference``: which cases a run leaves out, for what reason, and what it says about that."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from auditproof.attestation import Attestation, Counted, keep, subject_of
from auditproof.clusters.binaries.find import Binaries
from auditproof.clusters.profile import load_profile
from auditproof.content import root
from tests.support.mirror import install
from tests.support.small_project import POLICY

if TYPE_CHECKING:
    from pathlib import Path

LISTER = """
def pytest_collection_finish(session):
    print("", *(f"ID {item.nodeid}" for item in session.items), sep="\\n")
"""
LEVELS = "suites/levels/"  # of files with a policy of their own


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a policy; binaries that say what real ones say, and a cache and a state folder of its own."""
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(install(tmp_path / "assets")))
    monkeypatch.setenv("AUDITPROOF_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("AUDITPROOF_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))  # before an attestation is made: it is bound to it
    monkeypatch.delenv("AUDITPROOF_REFERENCE")
    (tmp_path / "lister.py").write_text(LISTER)
    (tmp_path / "policy.yaml").write_text(POLICY)
    return tmp_path


def attest(project: Path) -> None:
    """An attestation of what is here: no run of real servers, but what such a run would keep."""
    binaries = Binaries(project / "assets" / "etcd", project / "assets" / "kube-apiserver", "1.37.9")
    attestation = Attestation(
        made=datetime(2026, 11, 27, 12, tzinfo=UTC),
        kubernetes="v1.37.9",
        subject=subject_of(binaries, load_profile("embedded")),
        proven=tuple(f"suites/levels/some.audit.yaml::{number}" for number in range(1058)),
        not_supported=(),
        counting=(Counted(policy="fixtures/policies/levels.yaml", events=1, lines=1),),
    )
    keep(attestation)


def collected(project: Path, *options: str) -> tuple[set[str], str]:
    """The ids that a run collects, and what it says before."""
    command = [sys.executable, "-m", "auditproof", "run", "policy.yaml", "-p", "lister", "--coverage", "none", *options]
    done = subprocess.run(
        [*command, "--collect-only"],
        cwd=project, capture_output=True, text=True, check=False,
    )  # fmt: skip
    ids = {line.removeprefix("ID ") for line in done.stdout.splitlines() if line.startswith("ID ")}
    return ids, done.stdout + done.stderr


def own(ids: set[str]) -> set[str]:
    """The ids of reference cases, as far as this test knows them."""
    return {name for name in ids if name.startswith((LEVELS, "suites/matching/", "suites/stages/", "suites/test_"))}


def test_without_an_attestation_they_are_performed_and_with_one_they_are_not(project: Path) -> None:
    before, said = collected(project)
    assert own(before)
    assert "reference cases on Kubernetes 1.37, if selected, are performed: there is no attestation yet" in said

    attest(project)
    after, said = collected(project)

    assert not own(after)
    assert {name for name in before if name.startswith(("suites/resources/", "suites/standard/"))} == after
    assert "1,058 reference cases were proven on Kubernetes 1.37 on 27 November 2026 (attestation " in said
    assert before == collected(project, "--reference", "always")[0]


def test_a_server_that_changed_since_makes_them_part_of_the_run_again(project: Path) -> None:
    attest(project)
    with (project / "assets" / "etcd").open("a") as program:
        program.write("\n")

    found, said = collected(project)

    assert own(found)
    assert "are performed: since the attestation of 27 November 2026 this has changed: etcd\n" in said


def test_who_asks_for_reference_cases_alone_gets_them(project: Path) -> None:
    attest(project)

    assert own(collected(project, "-m", "own_policy")[0])
    assert not collected(project, "-m", "own_policy", "--reference", "never")[0]


def test_pytest_itself_performs_what_it_is_given(project: Path) -> None:
    attest(project)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--audit-policy=policy.yaml", root() / "suites" / "levels", "--collect-only"],
        cwd=project, env={**os.environ, "PYTEST_ADDOPTS": "-q -p no:cacheprovider"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert LEVELS in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("value", ["onec", "sometimes"])
def test_another_value_is_refused(project: Path, value: str) -> None:
    _, said = collected(project, "--reference", value)

    meant = "; did you mean once?" if value == "onec" else ""
    assert f"--audit-reference: invalid value '{value}'{meant} (choose from always, once, never)" in said
