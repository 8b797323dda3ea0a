"""The end of a run: what is no process of ours is removed by the scripts that were left for it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from auditproof.clusters.run.run_directory import RunDirectory
from auditproof.wait import wait_until

CONTROLLER = """
import sys, threading
from auditproof.clusters.run.run_directory import RunDirectory
directory = RunDirectory.create()
directory.at_end("container", "touch " + sys.argv[1])
print(directory.path, flush=True)
threading.Event().wait()
"""


def test_what_was_left_to_be_undone_is_undone_at_the_end(tmp_path: Path) -> None:
    directory = RunDirectory.create()
    directory.at_end("container", f"touch {tmp_path}/undone")

    assert directory.close() == ""

    assert (tmp_path / "undone").exists()
    assert not directory.path.exists()


def test_what_cannot_be_undone_is_told_with_the_script_that_does_it(tmp_path: Path) -> None:
    """The run directory goes, so the message has the commands to run by hand."""
    directory = RunDirectory.create()
    directory.at_end("container", "echo the daemon is gone >&2\nfalse\n")

    text = directory.close()

    assert "container is left behind: the daemon is gone" in text
    assert "echo the daemon is gone" in text
    assert not directory.path.exists()


def test_it_is_undone_twice_where_a_process_had_to_be_killed(tmp_path: Path) -> None:
    """What the killed client had asked a daemon for may appear only after the first attempt."""
    directory = RunDirectory.create()
    directory.at_end("container", f"echo undone >>{tmp_path}/undone")
    pid = directory.start("client", ["/bin/sleep", "60"], tmp_path / "log")
    wait_until(lambda: directory.runs("client") or None, what="the client to run", timeout_s=5)

    directory.close()

    assert pid > 0
    assert (tmp_path / "undone").read_text().splitlines() == ["undone", "undone"]


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM"])
def test_it_is_undone_for_a_controller_that_is_killed(tmp_path: Path, name: str) -> None:
    """The reaper is another process, and notices the end of the controller even after SIGKILL."""
    undone = tmp_path / "undone"
    command = [sys.executable, "-c", CONTROLLER, str(undone)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        directory = Path(process.stdout.readline().strip())
        process.send_signal(signal.Signals[name])

    wait_until(
        lambda: (undone.exists() and not directory.exists()) or None, what="the reaper to clean up", timeout_s=15
    )
