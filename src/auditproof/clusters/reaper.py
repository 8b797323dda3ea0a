"""Ends what a run started, whatever became of the run. Standard library only: it is also run as a script of its own.

As a script it holds the read end of a pipe whose write end only the run's controller has. When the controller ends, in
whatever way, the pipe closes: every process in the run directory's ledger is killed and the directory removed. One
word through the pipe (``KEEP``) tells it to leave everything as it is.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

LEDGER = "ledger"
CLOSED = "ledger-closed"
KEEP = b"keep"
PATIENCE_S = 10.0


def sweep(directory: Path) -> None:
    """Kill every process in the ledger of ``directory`` and remove the directory; repeating it does no harm.

    The ledger is renamed first: a server that is being started right now cannot write its entry any more, and a server
    without an entry does not run (see RunDirectory.start).
    """
    if (directory / LEDGER).is_dir():
        (directory / LEDGER).rename(directory / CLOSED)
    deadline = time.monotonic() + PATIENCE_S
    for entry in sorted((directory / CLOSED).glob("*")):
        _kill(*_read(entry, deadline))
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


def _kill(pid: int, start: str) -> None:
    """Kill a process with its whole group: each server leads a session of its own."""
    if pid > 1 and is_alive(pid, start):
        try:
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        except (ProcessLookupError, ChildProcessError):
            return  # it ended in between, or it is another process's child: nothing to wait for


def _main() -> None:
    if sys.stdin.buffer.read() != KEEP:
        sweep(Path(sys.argv[1]))


if __name__ == "__main__":
    _main()
