"""The existing provider: a cluster that another team runs, with a policy that it is said to run.

No setting of it is changed. Everything that is made there carries the labels of the run (see clusters.cleanup) and is
removed when the run ends, however it ends: the script for that is left in the run directory before anything is made.
"""

from __future__ import annotations

import hashlib
import shlex
import sys
from typing import TYPE_CHECKING

from auditproof.audit.server_flags import DEFAULT_FLAGS, ServerFlags
from auditproof.clusters.binaries.find import satisfies
from auditproof.clusters.cluster import Authorities, Cluster, Endpoint, LogPlace
from auditproof.clusters.existing.cleanup import has_controllers
from auditproof.clusters.existing.csr import signer_answers
from auditproof.clusters.existing.kubeconfig import find_kubeconfig, load_kubeconfig
from auditproof.clusters.existing.preflight import (
    FOR_CERTIFICATES,
    METRICS,
    NEEDED,
    ON_CLUSTER,
    missing_rights,
    who_am_i,
)
from auditproof.clusters.kubeconfig_file import write_kubeconfig
from auditproof.clusters.server_registry import ServerRegistry
from auditproof.errors import ClusterError
from auditproof.kube.capability import Capability

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from auditproof.client.probe import Probe
    from auditproof.clusters.profile import Place
    from auditproof.clusters.run.run_directory import RunDirectory


class ExistingProvider:
    """Joins one cluster that runs one policy (see clusters.cluster.Provider)."""

    def __init__(
        self,
        place: Place,
        run_directory: RunDirectory,
        *,
        kubernetes: str,
        policy: Path,
        report: Callable[[str], None],
    ) -> None:
        self._place = place
        self._run = run_directory
        self._kubernetes = kubernetes
        self._policy = policy
        self._report = report
        self.run = hashlib.sha256(str(run_directory.path).encode()).hexdigest()[:12]
        self._servers = ServerRegistry(run_directory, ["existing"], self._join)

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What this cluster lets us do; it is asked at the first call. Raises ClusterError."""
        return self.cluster(self._policy).capabilities

    def prepare(self) -> None:
        """Reach the cluster and see what is allowed there.

        Raises ClusterError with everything that is missing.
        """
        self.cluster(self._policy)

    def start_all(self, servers: Sequence[tuple[Path, ServerFlags]]) -> None:
        """Nothing is started here."""

    def cluster(self, policy: Path, settings: ServerFlags = DEFAULT_FLAGS) -> Cluster:
        """The cluster, if it is said to run ``policy``.

        Raises ClusterError where another policy or other flags are asked for, or it cannot be used.
        """
        if policy != self._policy or settings != DEFAULT_FLAGS:
            raise ClusterError(f"an existing cluster runs the given policy with the flags that it has, not {policy}")
        return self._servers.cluster(policy)

    def failure(self, cluster: Cluster) -> str | None:
        """Why the API server does not respond; None while it does."""
        try:
            cluster.probe().request("GET", "/livez")
        except ClusterError as error:
            return str(error)
        return None

    def request_log(self, cluster: Cluster) -> str:
        """An empty text: the server's own log cannot be read."""
        del cluster
        return ""

    def _join(self, name: str, folder: Path, _policy: Path, _settings: ServerFlags) -> Cluster:
        if not self._place.logs:
            raise ClusterError(
                "an existing cluster needs its audit log: give --audit-log with a file, command:COMMAND, "
                "node:NODE/PATH, api:PATH or webhook:FOLDER"
            )
        file = find_kubeconfig(self._place.kubeconfig)
        probe = load_kubeconfig(file, self._place.context, folder)
        version = self._version(probe)
        self._preflight(probe, file)
        # Before anything is made there: the script removes it, however the run ends.
        kubeconfig = write_kubeconfig(folder / "kubeconfig", probe.url, probe.ca, probe.credential)
        command = [sys.executable, "-m", "auditproof", "cleanup", "--kubeconfig", str(kubeconfig), "--run", self.run]
        self._run.at_end(f"run {self.run} on {probe.url}".replace("/", "_"), f"{shlex.join(command)} >/dev/null\n")
        cluster = Cluster(
            name=name,
            provider="existing",
            kubernetes=version,
            policy=folder / "policy.yaml",
            capabilities=frozenset(self._capabilities(probe)),
            endpoint=Endpoint(probe.url, probe.ca),
            admin=probe.credential,
            authorities=Authorities(client=self._place.client_authority),
            log_place=LogPlace(folder / "audit.log", self._place.logs),
            shared_run_id=self.run,
        )
        self._report(
            f"auditproof: run {self.run} on {probe.url} (Kubernetes {version}) as {who_am_i(probe)}; what it "
            "makes there is labelled, and removed at the end"
        )
        return cluster

    def _version(self, probe: Probe) -> str:
        answer = probe.request("GET", "/version")
        version = str(answer.json().get("gitVersion", ""))
        if answer.status != 200 or not version:
            raise ClusterError(f"{probe.url}: GET /version was answered {answer.status}: {answer.message}")
        # Without a vendor's suffix, as in v1.31.4-eks-ac2d5a0 or v1.31.4+k3s1.
        if not satisfies(version.removeprefix("v").partition("-")[0].partition("+")[0], self._kubernetes):
            minor = ".".join(version.removeprefix("v").split(".")[:2])
            raise ClusterError(
                f"{probe.url} runs Kubernetes {version}, expected {self._kubernetes}: "
                f"give --audit-kubernetes {minor} (auditproof run: --kubernetes {minor})"
            )
        return version

    def _preflight(self, probe: Probe, file: Path) -> None:
        needed = (*NEEDED, *(ON_CLUSTER if self._place.cluster_rights else ()))
        missing = missing_rights(probe, needed)
        if missing:
            lines = "\n".join(f"  {right}" for right in missing)
            raise ClusterError(
                f"the user of {file}, {who_am_i(probe) or 'whose name is not known'}, lacks these rights on "
                f"{probe.url}; nothing was made there:\n{lines}"
            )
        if missing_rights(probe, [METRICS]):
            self._report("auditproof: GET /metrics is not allowed: that something is not recorded cannot be proven")

    def _capabilities(self, probe: Probe) -> Iterator[Capability]:
        yield Capability.READS_LOG
        if self._place.cluster_rights:
            yield Capability.GRANTS_CLUSTER_RIGHTS
        if self._place.client_authority:
            yield Capability.MINTS_X509
            yield Capability.SIGNS_CERTIFICATES
        elif has_controllers(probe) and not missing_rights(probe, FOR_CERTIFICATES) and signer_answers(probe, self.run):
            yield Capability.MINTS_X509
