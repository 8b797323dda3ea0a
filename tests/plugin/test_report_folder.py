"""One writer for a report folder: a second run is refused while the first lives, and only then."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.small_project import POLICY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WAITS = """
import sys

def pytest_collection_finish(session):
    if not hasattr(session.config, "workerinput"):
        print("collected", flush=True)
        sys.__stdin__.readline()
"""
COMMAND = (sys.executable, "-m", "pytest", "-s", "--audit-policy=policy.yaml", "--audit-report=out")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project whose run has the report folder ``out`` and waits, once it has collected, for a line."""
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "conftest.py").write_text(WAITS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_plain.py").write_text("def test_plain(): ...\n")
    return tmp_path


@pytest.fixture
def first(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A run that has begun, and goes on when it is given a line."""
    with subprocess.Popen(COMMAND, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert any("collected" in line for line in process.stdout), "it collects"
        yield process
        process.kill()


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *options], cwd=folder, input="\n", capture_output=True, text=True, check=False)


def test_a_second_run_is_refused_until_the_first_ends_even_by_a_kill(
    folder: Path, first: subprocess.Popen[str]
) -> None:
    kept = folder / "out" / "results.json"
    kept.write_text("of the first run")

    second = run(folder)

    assert second.returncode == pytest.ExitCode.USAGE_ERROR, second.stdout
    (line,) = filter(None, second.stderr.splitlines())
    assert line.startswith(f"ERROR: --audit-report: {folder / 'out'} is being written by another run ")
    assert f"(process {first.pid} on " in line
    assert kept.read_text() == "of the first run"
    assert run(folder, "--audit-report=other").returncode == pytest.ExitCode.OK

    first.kill()
    first.communicate()

    assert run(folder, "-n", "2").returncode == pytest.ExitCode.OK, "its workers share the folder"
    assert {file.name for file in (folder / "out").iterdir()} == {"junit.xml", "tests.html"}, "no lock is left"
