"""Ctrl-C before the first action: no traceback, no file that says less than "interrupted"."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from auditproof import content

if TYPE_CHECKING:
    from pathlib import Path

POLICY = content.root() / "fixtures" / "policies" / "baseline.yaml"


def run(project: Path, conftest: str) -> subprocess.CompletedProcess[str]:
    """``auditproof run`` in a project whose conftest.py interrupts it as a terminal does."""
    (project / "conftest.py").write_text(f"import os, signal\n\n\n{conftest}")
    command = [sys.executable, "-m", "auditproof", "run", str(POLICY), ".", "-k", "get-secret", "--report", "out"]
    return subprocess.run(
        command, cwd=project, capture_output=True, text=True, check=False, preexec_fn=listen_to_interruptions
    )


def listen_to_interruptions() -> None:
    """A job in the background ignores SIGINT, and so do all of its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_an_interruption_before_the_session_ends_without_a_traceback(tmp_path: Path) -> None:
    done = run(tmp_path, "os.kill(os.getpid(), signal.SIGINT)\n")

    assert done.returncode == pytest.ExitCode.INTERRUPTED
    assert "Traceback" not in done.stdout + done.stderr
    assert done.stderr == "auditproof: interrupted before anything was started\n"


def test_an_interruption_while_cases_are_collected_is_what_every_file_says(tmp_path: Path) -> None:
    """junit.xml alone, without a test in it, would look like a run that had nothing to show."""
    done = run(tmp_path, "def pytest_make_collect_report():\n    os.kill(os.getpid(), signal.SIGINT)\n")

    assert done.returncode == pytest.ExitCode.INTERRUPTED, done.stdout + done.stderr
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["ended"] == "was interrupted"
    assert results["summary"]["planned"] == 0
    assert "was interrupted" in (tmp_path / "out" / "report.html").read_text()
    assert '<error message="UNPROVEN' in (tmp_path / "out" / "junit.xml").read_text()
