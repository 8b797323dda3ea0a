"""The embedded provider: one real etcd, and a real kube-apiserver for every policy.

etcd listens on a unix socket in the run directory and nowhere else. A kube-apiserver's port is reserved by a bound
socket that never listens; the server may share it (SO_REUSEPORT, --permit-port-sharing), no other process gets it.
"""

from __future__ import annotations

import json
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from auditproof.audit.server_flags import DEFAULT_FLAGS, ServerFlags
from auditproof.client.credential import Credential
from auditproof.clusters.binaries.find import Binaries, find_binaries
from auditproof.clusters.bootstrap_data import BootstrapData, file_in_cache
from auditproof.clusters.cluster import Authorities, Cluster, Endpoint, KeyFiles, LogPlace
from auditproof.clusters.machine import memory
from auditproof.clusters.pki import x509 as pki
from auditproof.clusters.pki.static_tokens import FILE as STATIC_TOKENS
from auditproof.clusters.pki.static_tokens import read_static_token, write_static_token
from auditproof.clusters.ports import LOOPBACK, reserve_port
from auditproof.clusters.run.readiness import REQUESTS_LOGGED, START_TIMEOUT_S, ask, exited, is_ready, wait_ready
from auditproof.clusters.server_registry import ServerRegistry
from auditproof.clusters.stand_ins import balancer
from auditproof.clusters.stand_ins.callback import ISSUER_KEY, start_callback
from auditproof.clusters.stand_ins.callback import LABEL as CALLBACK
from auditproof.clusters.stand_ins.callback import LOG as CALLBACK_LOG
from auditproof.clusters.stand_ins.node_network import LABEL as NETWORK
from auditproof.clusters.stand_ins.node_network import LOG as NETWORK_LOG
from auditproof.clusters.stand_ins.node_network import accepts, start_network, write_network_keys
from auditproof.clusters.unread_metrics import UNREAD_METRICS
from auditproof.errors import ClusterError
from auditproof.kube.capability import Capability
from auditproof.kube.identity import FRONT_PROXY, MASTERS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from auditproof.clusters.profile import Profile
    from auditproof.clusters.run.run_directory import RunDirectory

# What the only member calls itself, because etcd before 3.7 wants a host and a port: nothing listens there, and nothing
# is ever sent.
CLIENT, PEER = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
SERVER_LOG = "server.log"
ETCD = "etcd"
# A quarter less CPU time for the start, for 100 MB more memory: Go collects garbage later, and sooner near the limit.
RARE_COLLECTIONS = {"GOGC": "400", "GOMEMLIMIT": "400MiB"}
MUCH_MEMORY = 14 * 2**30  # bytes: the shipped suites have a dozen servers at once
CAPABILITIES = frozenset(Capability) - {Capability.RUNS_PODS, Capability.CONTROLLERS}


class EmbeddedProvider:
    """Starts etcd once and an API server for each policy of a run (see clusters.cluster.Provider)."""

    capabilities = CAPABILITIES

    def __init__(
        self,
        profile: Profile,
        run_directory: RunDirectory,
        *,
        kubernetes: str,
        assets: Path | None,
        report: Callable[[str], None],
    ) -> None:
        self._profile = profile
        self._run = run_directory
        self._kubernetes = kubernetes
        self._assets = assets
        self._report = report
        self._found: Binaries | None = None
        common = [kubernetes, profile.audit_log, profile.flags, profile.servers]
        self._servers = ServerRegistry(run_directory, common, self._start)

    def prepare(self) -> None:
        """Find the binaries. Raises BinaryNotFound."""
        self._binaries()

    def _binaries(self) -> Binaries:
        if self._found is None:
            self._found = find_binaries(self._kubernetes, self._assets, self._report)
        return self._found

    def start_all(self, servers: Sequence[tuple[Path, ServerFlags]]) -> None:
        """Begin to start servers, several in parallel on each processor."""
        self._binaries()
        self._servers.start_all(servers)

    def cluster(self, policy: Path, settings: ServerFlags = DEFAULT_FLAGS) -> Cluster:
        """The cluster that runs ``policy``. Raises ClusterError where it does not start."""
        return self._servers.cluster(policy, settings)

    def request_log(self, cluster: Cluster) -> str:
        """The servers' own logs, where they have a line about each request that is over."""
        logs = (_label_and_log(cluster, log.parent.name)[1] for log in self._logs(cluster))
        return "".join(log.read_text(errors="replace") for log in logs)

    def failure(self, cluster: Cluster) -> str | None:
        """Which of its servers has ended, with its last log lines; None while all of them run."""
        servers = dict(_label_and_log(cluster, log.parent.name) for log in self._logs(cluster))
        if len(servers) > 1:
            servers[f"{cluster.name}-balancer"] = cluster.policy.parent / "balancer.log"
        logs = {
            ETCD: self._etcd_log,  # first: API servers are killed when it ends
            **servers,
            NETWORK: self._run.path / NETWORK_LOG,
            CALLBACK: self._run.path / CALLBACK_LOG,
        }
        for label, log in logs.items():
            if not self._run.runs(label):
                return exited(label, log)
        return None

    def _start(self, name: str, folder: Path, policy: Path, settings: ServerFlags) -> Cluster:
        keys = self._keys()
        authority = pki.Authority.load(keys / "ca.crt", keys / "ca.key")
        # Before the servers, whose flags name the files and addresses of these; each takes a while to start.
        with ThreadPoolExecutor(thread_name_prefix="auditproof-start") as pool:
            starting_etcd = pool.submit(self._etcd)
            starting_network = pool.submit(start_network, self._run, keys)
            callback = start_callback(self._run, keys, authority)
        network, etcd = starting_network.result(), starting_etcd.result()
        copy = folder / "policy.yaml"
        described = replace(self._describe(name, folder, "", keys, copy), stand_in_url=callback.url)
        flags = partial(self._flags, keys=keys, socket_path=etcd, others=network | callback.flags)
        earlier = file_in_cache(self._binaries().kube_apiserver, self._profile.flags)
        data = BootstrapData(etcd, self._run.path / f"bootstrap-{self._kubernetes}.json", earlier)
        # Flags that are not about auditing may lead to other objects: such a server creates its own.
        alike = all(name.startswith("audit-") for name, _ in settings.flags)
        if alike:
            with suppress(ClusterError):  # without etcd, the server itself does not start, and names the cause
                data.copy_to(_etcd_prefix(described))
        clusters = []
        for log in self._logs(described):
            # Held until the server listens there as well (permit-port-sharing): no other process can take the port.
            with reserve_port() as port:
                endpoint = replace(described.endpoint, url=f"https://{LOOPBACK}:{port.getsockname()[1]}")
                cluster = replace(described, endpoint=endpoint, log_place=LogPlace(log))
                self._start_one(cluster, log.parent.name, flags(cluster, settings=settings), str(policy))
            clusters.append(cluster)
        if alike:
            with suppress(ClusterError), self._run.lock("bootstrap-data"):
                data.keep_from(_etcd_prefix(described))
        version = json.loads(ask(clusters[0], "/version") or b"{}").get("gitVersion", "unknown")
        return replace(self._behind_one_address(name, folder, clusters), kubernetes=version)

    def _logs(self, cluster: Cluster) -> list[Path]:
        """Where the API servers of a policy write; mostly there is one."""
        others = [f"audit-{number}" for number in range(2, self._profile.servers + 1)]
        return [cluster.log, *(cluster.policy.parent / folder / "audit.log" for folder in others)]

    def _start_one(self, cluster: Cluster, which: str, flags: list[str], policy: str) -> None:
        label, log = _label_and_log(cluster, which)
        command = [str(self._binaries().kube_apiserver), *flags]
        environment = RARE_COLLECTIONS if memory() >= MUCH_MEMORY else {}
        pid = self._run.start(label, command, log, needs=ETCD, environment=environment)
        what = f"kube-apiserver with the policy {policy}"
        names = {str(cluster.policy): policy}
        try:
            with cluster.probe().repeatedly() as get:
                wait_ready(lambda: is_ready(get), pid, log, what, START_TIMEOUT_S, names)
        except ClusterError:
            # Without etcd an API server fails with an obscure message: name the cause.
            self._must_have_etcd()
            raise

    def _behind_one_address(self, name: str, folder: Path, clusters: Sequence[Cluster]) -> Cluster:
        """The API servers as one cluster: where there are several, behind a balancer, each with a log of its own."""
        first = clusters[0]
        if len(clusters) == 1:
            return first
        targets = [cluster.url.rpartition(":")[2] for cluster in clusters]
        with reserve_port() as port:
            number = port.getsockname()[1]
            command = [sys.executable, "-I", "-S", balancer.__file__, str(number), *targets]
            sources = tuple(f"file:{cluster.log}" for cluster in clusters)
            together = replace(
                first,
                endpoint=replace(first.endpoint, url=f"https://{LOOPBACK}:{number}"),
                log_place=replace(first.log_place, sources=sources),
            )
            log = folder / "balancer.log"
            pid = self._run.start(f"{name}-balancer", command, log)
            wait_ready(lambda: ask(together, "/readyz") is not None, pid, log, "the balancer", START_TIMEOUT_S, {})
        return together

    def _describe(self, name: str, folder: Path, url: str, keys: Path, policy: Path) -> Cluster:
        authorities = Authorities(
            client=KeyFiles(keys / "ca.crt", keys / "ca.key"),
            front_proxy=KeyFiles(keys / "front-proxy-ca.crt", keys / "front-proxy-ca.key"),
            service_account_key=keys / "service-account.key",
            issuer_key=keys / ISSUER_KEY,
            static_token=read_static_token(keys),
        )
        return Cluster(
            name=name,
            provider="embedded",
            kubernetes=self._kubernetes,
            policy=policy,
            capabilities=CAPABILITIES,
            endpoint=Endpoint(url, keys / "ca.crt"),
            admin=Credential(keys / "admin.crt", keys / "admin.key"),
            authorities=authorities,
            log_place=LogPlace(folder / "audit" / "audit.log"),
        )

    def _flags(
        self, cluster: Cluster, keys: Path, socket_path: Path, others: dict[str, str], settings: ServerFlags
    ) -> list[str]:
        flags = {
            "etcd-servers": f"unix://{socket_path}",
            # The servers of a run share one etcd, and no object in it.
            "etcd-prefix": _etcd_prefix(cluster),
            "bind-address": "127.0.0.1",
            "advertise-address": "127.0.0.1",
            "secure-port": cluster.url.rpartition(":")[2],
            "permit-port-sharing": "true",
            "endpoint-reconciler-type": "none",  # it would refuse to advertise a loopback address
            "tls-cert-file": keys / "server.crt",
            "tls-private-key-file": keys / "server.key",
            "client-ca-file": keys / "ca.crt",
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": keys / "service-account.pub",
            "service-account-signing-key-file": keys / "service-account.key",
            "authorization-mode": "Node,RBAC",
            "token-auth-file": keys / STATIC_TOKENS,
            "enable-bootstrap-token-auth": "true",
            "requestheader-client-ca-file": keys / "front-proxy-ca.crt",
            "requestheader-allowed-names": FRONT_PROXY,
            "requestheader-username-headers": "X-Remote-User",
            "requestheader-group-headers": "X-Remote-Group",
            "requestheader-extra-headers-prefix": "X-Remote-Extra-",
            "proxy-client-cert-file": keys / "front-proxy-client.crt",
            "proxy-client-key-file": keys / "front-proxy-client.key",
            "service-cluster-ip-range": "10.96.0.0/16",
            "allow-privileged": "true",
            "vmodule": REQUESTS_LOGGED,
            "disabled-metrics": ",".join(UNREAD_METRICS),
            **others,
            "audit-policy-file": cluster.policy,
            "audit-log-path": cluster.log,
            # No rotation: every line stays in the one file.
            "audit-log-maxsize": "0",
            **{f"audit-log-{key}": value for key, value in self._profile.audit_log.items()},
            **self._profile.flags,
        }
        return [f"--{name}={value}" for name, value in settings.over(flags).items()]

    def _keys(self) -> Path:
        """The folder of the run's PEM files, made once."""
        folder, made = self._run.path / "pki", self._run.path / "pki-new"

        def make() -> None:
            shutil.rmtree(made, ignore_errors=True)
            made.mkdir(mode=0o700)
            authority = pki.Authority.create("auditproof")
            authority.pair().write(made, "ca")
            authority.server("kube-apiserver").write(made, "server")
            authority.client("auditproof-admin", [MASTERS]).write(made, "admin")
            write_network_keys(made, authority)
            proxies = pki.Authority.create("auditproof-front-proxy-ca")
            proxies.pair().write(made, "front-proxy-ca")
            proxies.client(FRONT_PROXY).write(made, "front-proxy-client")
            write_static_token(made)
            private, public = pki.signing_key()
            pki.write_private(made / "service-account.key", private)
            pki.write_private(made / "service-account.pub", public)
            # Renamed when complete: a process that finds the folder finds all keys.
            made.rename(folder)

        self._run.once("pki", folder, make)
        return folder

    def _etcd(self) -> Path:
        """The socket of the run's etcd, started once."""
        folder = self._run.path / ETCD
        client, peer, ready = folder / "client.sock", folder / "peer.sock", folder / "ready"

        def start() -> None:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700)
            command = [
                str(self._binaries().etcd),
                f"--data-dir={folder / 'data'}",
                f"--listen-client-urls=unix://{client}",
                f"--advertise-client-urls={CLIENT}",
                f"--listen-peer-urls=unix://{peer}",
                f"--initial-advertise-peer-urls={PEER}",
                f"--initial-cluster=default={PEER}",
                "--unsafe-no-fsync",  # the data does not outlive the run
                # The only member need not wait for others: by default, it elects itself after up to a second.
                "--heartbeat-interval=50",
                "--election-timeout=250",
                "--log-level=warn",
            ]
            pid = self._run.start(ETCD, command, self._etcd_log)
            wait_ready(lambda: accepts(client), pid, self._etcd_log, ETCD, START_TIMEOUT_S, {})
            ready.touch()

        self._run.once(ETCD, ready, start)
        self._must_have_etcd()
        return client

    @property
    def _etcd_log(self) -> Path:
        return self._run.path / "etcd.log"

    def _must_have_etcd(self) -> None:
        """Raises ClusterError if etcd no longer runs."""
        if not self._run.runs(ETCD):
            raise ClusterError(exited(ETCD, self._etcd_log))


def _etcd_prefix(cluster: Cluster) -> str:
    return f"/{cluster.name}"


def _label_and_log(cluster: Cluster, which: str) -> tuple[str, Path]:
    """What a server is called in the ledger, and where its own log is; ``which`` is the folder of its audit log."""
    suffix = which.removeprefix("audit")
    return f"{cluster.name}{suffix}", cluster.policy.parent / f"{Path(SERVER_LOG).stem}{suffix}.log"
