"""The policy files of a run, each read once: what is judged is what a server gets, whatever happens to the file."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from auditproof.errors import ClusterError

if TYPE_CHECKING:
    from pathlib import Path

    from auditproof.audit.policy.load import Policy
    from auditproof.clusters.cluster import Cluster
    from auditproof.clusters.run.run_directory import RunDirectory


class PolicyFiles:
    """Reads each file once; from ``share`` on, for all processes of a run, each of which has one of these.

    ``run`` is the run directory of a process that joins a run.
    """

    def __init__(self, run: RunDirectory | None = None) -> None:
        self._run = run
        self._known: dict[Path, bytes] = {}

    def read(self, path: Path) -> bytes:
        """The bytes of a file as the run read them first. Raises OSError."""
        if path not in self._known:
            self._known[path] = self._run.read_once(path) if self._run else path.read_bytes()
        return self._known[path]

    def share(self, run: RunDirectory) -> RunDirectory:
        """Let all processes of ``run`` have what this process has read; return ``run``."""
        for path, data in self._known.items():
            run.read_once(path, data)
        self._run = run
        return run


def check_given(cluster: Cluster, running: Policy) -> None:
    """See that the file that the server was started with is the policy that it is said to run, byte for byte.

    Raises ClusterError where it is not, or no longer is: then what the server runs is unknown.
    """
    try:
        found = hashlib.sha256(cluster.policy.read_bytes()).hexdigest()
    except OSError as error:
        raise ClusterError(f"{cluster.policy}, the policy file of the API server, is gone: {error.strerror}") from None
    if found != running.sha256:
        raise ClusterError(
            f"{cluster.policy}, the policy file of the API server, was changed by somebody: its SHA-256 is {found}, "
            f"but that of {running.path}, which it was started with, is {running.sha256}"
        )
