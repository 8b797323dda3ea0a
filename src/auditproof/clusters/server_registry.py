"""One API server for each policy of a run: started by whichever process needs it first, joined by all others."""

from __future__ import annotations

import hashlib
import json
import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import astuple
from typing import TYPE_CHECKING

from auditproof.audit.server_flags import DEFAULT_FLAGS, ServerFlags
from auditproof.clusters.machine import cannot
from auditproof.clusters.pki import x509 as pki
from auditproof.clusters.run.run_directory import RunDirectory, cpu_count
from auditproof.clusters.server_record import RECORD, FailedStart, StartedServer, read_server, write_record
from auditproof.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from auditproof.clusters.cluster import Cluster

PREFIX = "kube-apiserver-"
STARTS = 3  # in parallel on a processor: a server that starts takes a second of it, and waits for almost two more


class ServerRegistry:
    """The API servers of a run, each in ``servers/<name>`` of the run directory; safe between processes and threads.

    ``common`` are the settings of all of them. ``start`` starts a server: it is given its name, its folder,
    which holds a copy of the policy (``policy.yaml``) already, the policy file that was asked for, and the settings of
    this one server; it raises ClusterError, which then all processes of the run see.
    """

    def __init__(
        self, run: RunDirectory, common: object, start: Callable[[str, Path, Path, ServerFlags], Cluster]
    ) -> None:
        self._run = run
        self._common = json.dumps(common, sort_keys=True)
        self._start = start
        self._starting: dict[tuple[Path, ServerFlags], Future[Cluster]] = {}

    def start_all(self, servers: Sequence[tuple[Path, ServerFlags]]) -> None:
        """Begin to start servers, several in parallel on each processor."""
        pool = ThreadPoolExecutor(max_workers=STARTS * cpu_count(), thread_name_prefix="auditproof-start")
        self._starting |= {server: pool.submit(self.join, *server) for server in servers}
        # The threads end when the servers run; ``cluster`` waits for the one that it needs.
        pool.shutdown(wait=False)

    def cluster(self, policy: Path, settings: ServerFlags = DEFAULT_FLAGS) -> Cluster:
        """The server that runs ``policy``. Raises ClusterError where it does not start."""
        starting = self._starting.get((policy, settings))
        return starting.result() if starting else self.join(policy, settings)

    def name(self, policy: Path, settings: ServerFlags = DEFAULT_FLAGS) -> str:
        """The name of the server that runs ``policy``: the same for the same bytes and settings.

        Raises ClusterError where the file cannot be read.
        """
        return self._name(self._read(policy), settings)

    def _name(self, text: bytes, settings: ServerFlags) -> str:
        # By content, not by path: two files with the same policy share a server.
        own = json.dumps(astuple(settings)) if settings != DEFAULT_FLAGS else ""
        return PREFIX + hashlib.sha256(text + self._common.encode() + own.encode()).hexdigest()[:16]

    def join(self, policy: Path, settings: ServerFlags = DEFAULT_FLAGS) -> Cluster:
        """As ``cluster``, but in this thread: for a start that needs another server first."""
        text = self._read(policy)
        name = self._name(text, settings)
        folder = self._run.path / "servers" / name

        def start() -> None:
            shutil.rmtree(folder, ignore_errors=True)  # of a process that was killed while it started the server
            folder.mkdir(mode=0o700)
            pki.write_private(folder / "policy.yaml", text)
            record: StartedServer | FailedStart
            try:
                record = StartedServer(self._start(name, folder, policy, settings), policy, settings)
            except ClusterError as error:  # recorded, so that every process of the run sees it
                record = FailedStart(str(error))
            write_record(folder, record)

        try:
            self._run.once(name, folder / RECORD, start)
            return read_server(folder).cluster
        except OSError as error:
            raise cannot("no API server can be started", error, self._run.path) from None

    def _read(self, policy: Path) -> bytes:
        try:
            return self._run.read_once(policy)
        except OSError as error:
            raise ClusterError(f"{policy}: cannot be read: {error.strerror}") from None
