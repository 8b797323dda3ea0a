"""Measures CPU time: of work in this process, and of other processes; the smallest of several rounds counts."""

from __future__ import annotations

import gc
import os
import resource
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LEAST_ROUNDS = 5
MOST_ROUNDS = 12
SETTLED = 3  # rounds in which nothing got faster by more than _FASTER
_FASTER = 0.01


def smallest(works: Mapping[str, Callable[[], float]]) -> dict[str, float]:
    """The smallest CPU time of each work, which takes turns with the others so that all meet the same load.

    A load on the machine only ever adds to a time. So there are rounds until no time gets smaller.
    """
    least = {name: work() for name, work in works.items()}
    settled = 0
    for number in range(1, MOST_ROUNDS):
        if number >= LEAST_ROUNDS and settled >= SETTLED:
            break
        spent = {name: work() for name, work in works.items()}
        faster = any(spent[name] < least[name] * (1 - _FASTER) for name in works)
        settled = 0 if faster else settled + 1
        least = {name: min(least[name], spent[name]) for name in works}
    return least


def cpu_of(work: Callable[[], object]) -> float:
    """The CPU time of all threads of this process while it does the work."""
    gc.collect()
    begun = time.process_time()
    work()
    return time.process_time() - begun


def cpu_of_process(command: list[str], folder: str, environment: dict[str, str] | None = None) -> float:
    """The CPU time, user and system, of a process and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, check=False, cwd=folder, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 5):  # 5: pytest has found no test, which is what an empty folder has
        raise SystemExit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr.decode()[-3000:]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def environment(bytecode: str) -> dict[str, str]:
    """The environment of a measured process, which keeps its compiled modules in the folder ``bytecode``.

    Without auditproof's variables: one of them, such as that of the node image, is a reason to load the plugin.
    """
    kept = {key: value for key, value in os.environ.items() if not key.startswith("AUDITPROOF_")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return {**kept, "PYTHONPYCACHEPREFIX": bytecode}


def cpu_of_child(name: str) -> float:
    """The CPU time so far of the child process with this name; there must be exactly one."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:  # it has ended
            continue
        comm, _, rest = text.partition("(")[2].rpartition(")")[0], None, text.rpartition(")")[2].split()
        if comm == name and int(rest[1]) == os.getpid():
            found.append((int(rest[11]) + int(rest[12])) / os.sysconf("SC_CLK_TCK"))
    (spent,) = found
    return spent
