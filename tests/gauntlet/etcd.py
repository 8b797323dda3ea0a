"""Servers that stand still for a moment, or are killed, while the prover works."""

from __future__ import annotations

import os
import signal
import threading
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditproof.clusters.run.run_directory import RunDirectory

KINDS = ("etcd", "server", "both")
WITHIN_S, LONGEST_S = 0.5, 0.8


class Pause:
    """Stops servers of a run directory for a moment, some time after its beginning; ``label`` is the API server's.

    ``kill``: ends one of them for good instead.
    """

    def __init__(self, directory: RunDirectory, label: str, kind: str, seed: str, *, kill: bool = False) -> None:
        random = Random(seed)
        labels = {"etcd": ["etcd"], "server": [label], "both": ["etcd", label]}[kind]
        self._pids = [directory.entry(each)[0] for each in labels]
        self._kill = kill
        self._after, self._long = random.uniform(0, WITHIN_S), random.uniform(0.02, LONGEST_S)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def close(self) -> None:
        """Let them go on, unless they are killed."""
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        if self._end.wait(self._after):
            return
        if self._kill:
            os.kill(self._pids[0], signal.SIGKILL)
            return
        for pid in self._pids:
            os.kill(pid, signal.SIGSTOP)
        self._end.wait(self._long)
        for pid in self._pids:
            os.kill(pid, signal.SIGCONT)
