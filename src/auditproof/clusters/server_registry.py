"""One API server for each policy of a run: started by whichever process needs it first, joined by all others."""

from __future__ import annotations

import hashlib
import json
import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, astuple
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditproof.audit.server_flags import NO_SETTINGS, Settings
from auditproof.clusters.cluster import Capability, Cluster
from auditproof.clusters.machine import cannot
from auditproof.clusters.pki import x509 as pki
from auditproof.clusters.run.run_directory import RunDirectory, cpu_count
from auditproof.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_ASKED = ("source", "settings")  # in the record of a cluster beside its own fields
PREFIX = "kube-apiserver-"
RECORD = "cluster.json"
_PATHS = (
    "ca",
    "admin_cert",
    "admin_key",
    "client_ca",
    "client_ca_key",
    "policy",
    "log",
    "front_proxy_ca",
    "front_proxy_ca_key",
    "service_account_key",
    "issuer_key",
)


class Servers:
    """The API servers of a run, each in ``servers/<name>`` of the run directory; safe between processes and threads.

    ``common`` are the settings of all of them. ``start`` starts a server: it is given its name, its folder,
    which holds a copy of the policy (``policy.yaml``) already, the policy file that was asked for, and the settings of
    this one server; it raises ClusterError, which then all processes of the run see.
    """

    def __init__(
        self, run: RunDirectory, common: object, start: Callable[[str, Path, Path, Settings], Cluster]
    ) -> None:
        self._run = run
        self._common = json.dumps(common, sort_keys=True)
        self._start = start
        self._starting: dict[tuple[Path, Settings], Future[Cluster]] = {}

    def start_all(self, servers: Sequence[tuple[Path, Settings]]) -> None:
        """Begin to start servers, as many beside each other as there are processors."""
        pool = ThreadPoolExecutor(max_workers=cpu_count(), thread_name_prefix="auditproof-start")
        self._starting |= {server: pool.submit(self.join, *server) for server in servers}
        pool.shutdown(wait=False)

    def cluster(self, policy: Path, settings: Settings = NO_SETTINGS) -> Cluster:
        """The server that runs ``policy``. Raises ClusterError where it does not start."""
        starting = self._starting.get((policy, settings))
        return starting.result() if starting else self.join(policy, settings)

    def name(self, policy: Path, settings: Settings = NO_SETTINGS) -> str:
        """The name of the server that runs ``policy``: the same for the same bytes and settings.

        Raises ClusterError where the file cannot be read.
        """
        return self._name(self._read(policy), settings)

    def _name(self, text: bytes, settings: Settings) -> str:
        own = json.dumps(astuple(settings)) if settings != NO_SETTINGS else ""
        return PREFIX + hashlib.sha256(text + self._common.encode() + own.encode()).hexdigest()[:16]

    def join(self, policy: Path, settings: Settings = NO_SETTINGS) -> Cluster:
        """As ``cluster``, but in this thread: for a start that needs another server first."""
        text = self._read(policy)
        name = self._name(text, settings)
        folder = self._run.path / "servers" / name
        record = folder / RECORD

        def start() -> None:
            shutil.rmtree(folder, ignore_errors=True)  # of a process that was killed while it started the server
            folder.mkdir(mode=0o700)
            pki.write_private(folder / "policy.yaml", text)
            made = folder / f"{RECORD}.new"
            made.write_text(json.dumps(self._outcome(name, folder, policy, settings), default=str))
            made.rename(record)

        try:
            self._run.once(name, record, start)
            return _cluster(json.loads(record.read_text()))
        except OSError as error:
            raise cannot("no API server can be started", error, self._run.path) from None

    def _read(self, policy: Path) -> bytes:
        try:
            return self._run.read_once(policy)
        except OSError as error:
            raise ClusterError(f"{policy}: cannot be read: {error.strerror}") from None

    def _outcome(self, name: str, folder: Path, policy: Path, settings: Settings) -> dict[str, Any]:
        """The record of a start: a cluster, or the error that all processes of the run shall see."""
        try:
            cluster = self._start(name, folder, policy, settings)
        except ClusterError as error:
            return {"error": str(error)}
        return {
            **asdict(cluster),
            "capabilities": sorted(cluster.capabilities),
            "source": str(policy),
            "settings": asdict(settings),
        }


def started(run: RunDirectory) -> list[tuple[Cluster, Path, Settings]]:
    """The API servers that any process of the run has started: policy file and settings are those asked for."""
    files = sorted((run.path / "servers").glob("*/cluster.json"))
    records = [json.loads(file.read_text()) for file in files]
    return [
        (_cluster(record), Path(record["source"]), _settings(record["settings"]))
        for record in records
        if "error" not in record
    ]


def _settings(record: dict[str, Any]) -> Settings:
    return Settings.of(*(dict(record[key]) for key in ("audit_log", "flags")))


def _cluster(record: dict[str, Any]) -> Cluster:
    if "error" in record:
        raise ClusterError(record["error"])
    fields: dict[str, Any] = {
        key: Path(value) if key in _PATHS and value else value for key, value in record.items() if key not in _ASKED
    }
    capabilities = frozenset(map(Capability, record["capabilities"]))
    return Cluster(**{**fields, "capabilities": capabilities, "sources": tuple(record["sources"])})
