"""No process outlives a run, whoever was killed at whatever moment: real processes, of a shell and of Python."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from auditproof.clusters.run import reaper
from auditproof.clusters.run.run_directory import RunDirectory
from auditproof.wait import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows other processes' environments")
SLEEP = ["/bin/sleep", "60"]
WORKER = """
import os, signal, sys, threading
from pathlib import Path
from auditproof.clusters.run.run_directory import RunDirectory
run = RunDirectory.open(sys.argv[1])
def make():
    print(run.start("server", ["/bin/sleep", "60"], run.path / "log"), flush=True)
    threading.Event().wait()
run.once("server", run.path / "done", make)
"""


@pytest.fixture
def run() -> Iterator[RunDirectory]:
    directory = RunDirectory.create()
    yield directory
    directory.close()


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def ended(pid: int) -> bool | None:
    return True if not running(pid) else None


def killed_while_it_starts(run: RunDirectory) -> int:
    """The server of a worker that was killed before it had said that the server is up."""
    with subprocess.Popen([sys.executable, "-c", WORKER, str(run.path)], stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        pid = int(worker.stdout.readline())
        worker.kill()
    return pid


def test_a_second_attempt_ends_what_the_first_one_left(run: RunDirectory) -> None:
    """A starter that is killed between spawn and ready leaves a server that would write the same log."""
    first = killed_while_it_starts(run)
    assert running(first)
    second: list[int] = []

    def make() -> None:
        assert not running(first), "both would write the same log"
        second.append(run.start("server", SLEEP, run.path / "log"))
        (run.path / "done").touch()

    run.once("server", run.path / "done", make)
    wait_until(lambda: run.runs("server") or None, what="the second attempt to run", timeout_s=5)

    assert len(reaper.attempts(run.path, "server")) == 2, "no entry is overwritten"
    assert run.entry("server")[0] == second[0]
    run.close()
    assert not running(second[0])


def test_an_entry_that_was_never_completed_is_not_waited_for(run: RunDirectory) -> None:
    """It is of a process that was killed while it entered itself: nobody else writes it."""
    entry = run.path / reaper.LEDGER / f"server{reaper.AT}1234"
    entry.touch()
    assert not reaper.is_alive(*reaper.parse_stat(entry.read_text()))
    began = time.monotonic()

    run.end("server")

    assert time.monotonic() - began < reaper.PATIENCE_S / 2
    assert entry.read_text() == "0\n"
    assert not run.runs("server")


def test_every_attempt_is_ended_with_the_run(run: RunDirectory) -> None:
    """Three servers under one label: each attempt has its own entry, so none is forgotten."""
    processes = [run.start("server", SLEEP, run.path / "log") for _ in range(3)]
    wait_until(lambda: len(reaper.attempts(run.path, "server")) == 3 or None, what="three entries", timeout_s=5)

    run.close()

    assert not any(map(running, processes))


@linux
def test_what_is_in_no_ledger_yet_is_known_by_its_mark(run: RunDirectory) -> None:
    """A process that is spawned, but not yet entered, has the run's mark in its environment."""
    entry = run.path / "ledger" / "server@1"
    unlisted = subprocess.Popen(SLEEP, env={**os.environ, reaper.MARK: str(entry)}, start_new_session=True)
    other = subprocess.Popen(SLEEP, env={**os.environ, reaper.MARK: f"{run.path}-other/ledger/server@1"})
    try:
        run.close()

        assert not running(unlisted.pid)
        assert running(other.pid), "the process of another run"
    finally:
        for process in (unlisted, other):
            process.kill()
            process.wait()


@linux
def test_what_a_server_has_started_ends_with_it(run: RunDirectory, tmp_path: Path) -> None:
    """The child has its own session, so killing the server's process group does not reach it."""
    script = f"setsid /bin/sleep 60 & echo $! >{tmp_path}/child; wait"
    run.start("server", ["/bin/sh", "-c", script], run.path / "log")
    child = tmp_path / "child"

    def read() -> int | None:
        return int(child.read_text()) if child.is_file() and child.read_text().endswith("\n") else None

    pid = wait_until(read, what="the server to start another process", timeout_s=5)

    run.close()

    assert wait_until(lambda: ended(pid), what="the other process to end", timeout_s=5)


def test_what_cannot_do_without_a_server_ends_with_it(run: RunDirectory) -> None:
    """Without etcd an API server answers every request only after its own time-out."""
    needed = run.start("etcd", SLEEP, run.path / "log")
    bereft = run.start("server", SLEEP, run.path / "log", needs="etcd")
    other = run.start("other", SLEEP, run.path / "log")
    for label in ("etcd", "server", "other"):
        wait_until(lambda label=label: run.runs(label) or None, what=f"{label} to run", timeout_s=5)
    os.kill(needed, signal.SIGSTOP)
    os.kill(needed, signal.SIGCONT)

    os.kill(needed, signal.SIGKILL)

    wait_until(lambda: ended(bereft), what="the reaper to end it", timeout_s=2)
    assert running(other)
