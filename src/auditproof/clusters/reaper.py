"""Ends what a run started, whatever became of the run. Standard library only: it is also run as a script of its own.

As a script it holds the read end of a pipe whose write end only the run's controller has. When the controller ends, in
whatever way, the pipe closes: every process in the run directory's ledger is killed, what is no process of ours
(containers) is removed by the scripts that were left for it, and then the directory. One word through the pipe
(``KEEP``) tells it to leave everything as it is.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

LEDGER = "ledger"
CLOSED = "ledger-closed"
UNDO = "undo"
KEEP = b"keep"
PATIENCE_S = 10.0
UNDO_TIMEOUT_S = 60.0


def sweep(directory: Path) -> list[str]:
    """Kill every process in the ledger of ``directory``, run its undo scripts, and remove it; repeating does no harm.

    The ledger is renamed first: a server that is being started right now cannot write its entry any more, and a server
    without an entry does not run (see RunDirectory.start). Answers what could not be removed, and by which script.
    """
    if (directory / LEDGER).is_dir():
        (directory / LEDGER).rename(directory / CLOSED)
    deadline = time.monotonic() + PATIENCE_S
    killed = [_kill(*_read(entry, deadline)) for entry in sorted((directory / CLOSED).glob("*"))]
    problems = undo(directory)
    if any(killed):
        problems = undo(directory)  # what a killed process had asked a daemon for may have come after the first time
    _remove(directory)
    return problems


def undo(directory: Path) -> list[str]:
    """Run every undo script of ``directory``; answers what went wrong."""
    return [problem for script in sorted((directory / UNDO).glob("*")) if (problem := run_script(script))]


def run_script(script: Path) -> str:
    """Run an undo script; answers what went wrong, and how to do by hand what it does, or an empty text."""
    command = ["/bin/sh", "-e", str(script)]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=UNDO_TIMEOUT_S, check=False
        )
        words = "" if done.returncode == 0 else done.stderr.strip() or f"exit code {done.returncode}"
    except (OSError, subprocess.TimeoutExpired) as error:
        words = str(error)
    return f"{script.name} is left behind: {words}\nremove it by\n{script.read_text()}" if words else ""


def _remove(directory: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while directory.exists() and time.monotonic() < deadline:
        shutil.rmtree(directory, ignore_errors=True)  # what a dying process still writes is removed in the next round
        if directory.exists():
            threading.Event().wait(0.02)


def _read(entry: Path, deadline: float) -> tuple[int, str]:
    """Process id and start time of a ledger entry; an entry that is being written is waited for."""
    while not (text := entry.read_text()).endswith("\n") and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    return parse_stat(text)


def parse_stat(text: str) -> tuple[int, str]:
    """Process id and start time out of a line of /proc/<pid>/stat; no start time where there is only an id."""
    pid = text.split()[0] if text.split() else "0"
    fields = text.rpartition(")")[2].split()
    return int(pid), fields[19] if len(fields) > 19 else ""


def is_alive(pid: int, start: str) -> bool:
    """Whether the process that had ``pid`` and began at ``start`` still runs (not another one of the same id)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return not start and _answers(pid)
    return parse_stat(text)[1] == start and text.rpartition(")")[2].split()[0] not in ("Z", "X")


def _answers(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def _kill(pid: int, start: str) -> bool:
    """Kill a process with its whole group: each server leads a session of its own. Answers whether it was alive."""
    if pid <= 1 or not is_alive(pid, start):
        return False
    try:
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError):
        return True  # it ended in between, or it is another process's child: nothing to wait for
    return True


def _main() -> None:
    if sys.stdin.buffer.read() != KEEP:
        for problem in sweep(Path(sys.argv[1])):
            sys.stderr.write(f"auditproof: {problem}\n")


if __name__ == "__main__":
    _main()
