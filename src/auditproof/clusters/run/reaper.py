"""Ends what a run started, however the run ended. Standard library only: it is also run as a script of its own.

As a script it holds the read end of a pipe whose write end only the run's controller has. When the controller ends, in
whatever way, the pipe closes: every process of the run is killed, containers are removed by
the scripts that were left for it, and then the directory. One word through the pipe (``KEEP``) lets it leave
everything as it is. While it waits it ends what has lost a server that it cannot do without (``NEEDS``).

A process of a run is known by its entry in the ledger, and by the variable MARK of its environment, which it has from
its first instruction on and passes on to what it starts. Only Linux shows other processes' environments.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LEDGER = "ledger"
CLOSED = "ledger-closed"
NEEDS = "needs"
UNDO = "undo"
KEEP = b"keep"
MARK = "AUDITPROOF_STARTED_AS"
AT = "@"  # in the name of an entry, between the label and what distinguishes this attempt from others
LOOK_S = 0.2
PATIENCE_S = 10.0
UNDO_TIMEOUT_S = 60.0


def sweep(directory: Path) -> list[str]:
    """Kill every process of the run in ``directory``, run its undo scripts, and remove it; repeating does no harm.

    The ledger is renamed first: a server that is being started right now can no longer write its entry, and a server
    without an entry does not run (see RunDirectory.start). Returns what could not be removed, and by which script.
    """
    if (directory / LEDGER).is_dir():
        (directory / LEDGER).rename(directory / CLOSED)
    deadline = time.monotonic() + PATIENCE_S
    killed = [_kill(*_read(entry, deadline)) for entry in sorted((directory / CLOSED).glob("*"))]
    killed.append(kill_marked(f"{directory}/"))
    problems = undo(directory)
    if any(killed):
        problems = undo(directory)  # what a killed process had asked a daemon for may have come after the first time
    until = time.monotonic() + PATIENCE_S
    while directory.exists() and time.monotonic() < until:
        shutil.rmtree(directory, ignore_errors=True)  # what a dying process still writes is removed in the next round
        if directory.exists():
            threading.Event().wait(0.02)
    return problems


def kill_marked(mark: str) -> bool:
    """Kill every process whose mark begins so, until there is none; return whether there was one."""
    deadline, found = time.monotonic() + PATIENCE_S, False
    # Until there is none: a process may fork between the listing and the kill.
    while killed := [process for process in _processes() if _kill_exactly(process, mark)]:
        found = True
        if time.monotonic() > deadline:
            sys.stderr.write(f"auditproof: of {mark} there are still the processes {killed}\n")
            break
    return found


def _processes() -> Iterator[int]:
    names = (path.name for path in Path("/proc").iterdir()) if Path("/proc").is_dir() else ()
    yield from (int(name) for name in names if name.isdigit() and int(name) != os.getpid())


def _kill_exactly(process: int, mark: str) -> bool:
    """Kill a process if it has the mark, and no other one that might get its id meanwhile."""
    try:
        descriptor = os.pidfd_open(process)
    except OSError:
        return False
    try:
        marked = f"\0{MARK}={mark}".encode() in b"\0" + Path(f"/proc/{process}/environ").read_bytes()
        if marked:
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            waiting = select.poll()  # select() takes no descriptor beyond 1023
            waiting.register(descriptor, select.POLLIN)
            waiting.poll(PATIENCE_S * 1000)
    except OSError:  # it belongs to another user, or has ended
        return False
    finally:
        os.close(descriptor)
    if marked:
        with suppress(ChildProcessError):
            os.waitpid(process, os.WNOHANG)
    return marked


def kill(entry: Path) -> None:
    """Kill the process of a ledger entry, and wait until it is gone.

    To be called after ``kill_marked``: where that sees all processes, nobody is left to complete an entry, and one that
    is not complete becomes that of no process.
    """
    if Path("/proc").is_dir() and not entry.read_text().endswith("\n"):
        entry.write_text("0\n")
    process, start = _read(entry, deadline := time.monotonic() + PATIENCE_S)
    _kill(process, start)
    while process > 1 and is_alive(process, start) and time.monotonic() < deadline:
        threading.Event().wait(0.01)


def undo(directory: Path) -> list[str]:
    """Run every undo script of ``directory``; return what went wrong."""
    return [problem for script in sorted((directory / UNDO).glob("*")) if (problem := run_script(script))]


def run_script(script: Path) -> str | None:
    """Run an undo script; return what went wrong and how to do it by hand, None if it worked."""
    command = ["/bin/sh", "-e", str(script)]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=UNDO_TIMEOUT_S, check=False
        )
        words = None if done.returncode == 0 else done.stderr.strip() or f"exit code {done.returncode}"
    except (OSError, subprocess.TimeoutExpired) as error:
        words = str(error)
    return f"{script.name} is left behind: {words}\nremove it by\n{script.read_text()}" if words else None


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


def attempts(directory: Path, label: str) -> list[Path]:
    """The entries of every attempt to start what is called ``label``, the oldest first."""
    found = (directory / LEDGER).glob(f"{label}{AT}*")
    return sorted(found, key=lambda entry: entry.stat().st_mtime_ns)


def end_bereft(directory: Path) -> None:
    """Kill what runs although what it needs has ended: it would let every request wait for its own time-out."""
    for needed in (directory / NEEDS).iterdir():
        texts = [entry.read_text() for entry in attempts(directory, needed.name)]
        # An entry that is being written is one of a process that is going to run.
        if texts and not any(not text.endswith("\n") or is_alive(*parse_stat(text)) for text in texts):
            for label in needed.iterdir():
                for entry in attempts(directory, label.name):
                    _kill(*parse_stat(entry.read_text()))


def is_alive(pid: int, start: str) -> bool:
    """Whether the process that had ``pid`` and began at ``start`` still runs (not another one of the same id)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return not start and pid > 0 and _answers(pid)  # 0 is no process: see ``kill``
    return parse_stat(text)[1] == start and text.rpartition(")")[2].split()[0] not in ("Z", "X")


def _answers(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def _kill(pid: int, start: str) -> bool:
    """Kill a process with its whole group: each server leads a session of its own. Returns whether it was alive."""
    if pid <= 1 or not is_alive(pid, start):
        return False
    try:
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError):
        pass  # it ended in between, or it is another process's child, which collects it
    return True


def _main() -> None:
    directory = Path(sys.argv[1])
    if _last_word(directory) != KEEP:
        for problem in sweep(directory):
            sys.stderr.write(f"auditproof: {problem}\n")


def _last_word(directory: Path) -> bytes:
    """What the controller has said when its end of the pipe closes."""
    said = b""
    while True:
        if not select.select([sys.stdin.fileno()], [], [], LOOK_S)[0]:
            with suppress(OSError):  # the controller may be removing the directory right now
                end_bereft(directory)
        elif part := os.read(sys.stdin.fileno(), 64):
            said += part
        else:
            return said


if __name__ == "__main__":
    _main()
