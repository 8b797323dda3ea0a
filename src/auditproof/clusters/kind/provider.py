"""The kind provider: a real node with kubelet and controllers in a container, and an API server for every policy.

The cluster's own API server runs the policy that the run was given. Every other policy of the run gets one more API
server next to it: a static pod of the same node, the same in all but its port, policy and log. All share one etcd, so
an object is the same on all of them; controllers and kubelet talk to the first one.

A cluster may outlive its run, for runs that ask for the same: then the first server is given another policy.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import yaml

from auditproof.audit.server_flags import DEFAULT_FLAGS, ServerFlags
from auditproof.client.credential import Credential
from auditproof.clusters.binaries.find import satisfies
from auditproof.clusters.cluster import Authorities, Cluster, Endpoint, KeyFiles, LogPlace
from auditproof.clusters.kind.binary import find_kind
from auditproof.clusters.kind.config import (
    FIRST_PORT,
    IN_NODE,
    LOOPBACK,
    additional_server,
    cluster_config,
    server_flags,
)
from auditproof.clusters.kind.engine import find_engine
from auditproof.clusters.kind.home import ClusterFolder
from auditproof.clusters.kind.leftovers import inventory
from auditproof.clusters.kind.node_cluster import FIRST_SERVER, MANIFESTS, KindCluster
from auditproof.clusters.kind.reuse import choose_home, digest_of, leave_at_end, use_again
from auditproof.clusters.kind.swap_policy import swap_policy
from auditproof.clusters.pki import x509 as pki
from auditproof.clusters.pki.static_tokens import read_static_token, write_static_token
from auditproof.clusters.run.readiness import START_TIMEOUT_S, ask, in_user_words, why_it_ended
from auditproof.clusters.server_registry import ServerRegistry
from auditproof.errors import AuditproofError, ClusterError, ServerDied
from auditproof.kube.capability import Capability
from auditproof.kube.identity import MASTERS
from auditproof.wait import TimedOut, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path, PurePath

    from auditproof.clusters.kind.engine import Engine, NodeContainer
    from auditproof.clusters.profile import Profile
    from auditproof.clusters.run.run_directory import RunDirectory

# Inside a node, loopback is another one, and its API servers share what is in etcd.
CAPABILITIES = frozenset(Capability) - {
    Capability.LEGACY_TOKENS,
    Capability.OIDC,
    Capability.CALLS_BACK,
    Capability.AGGREGATES,
}
PORTS = range(FIRST_PORT + 1, FIRST_PORT + 33)  # published when the node is made: of these can further servers be
LOOK_S = 0.2
PKI = "/etc/kubernetes/pki"


class KindProvider:
    """Starts a kind cluster once and an API server for each policy of a run (see clusters.cluster.Provider).

    ``policy`` is what the cluster's own API server runs, ``image`` the node image, kind's own where it is empty.
    ``reuse`` takes the cluster of an earlier run that asked for the same, and leaves it to later ones.
    """

    capabilities = CAPABILITIES

    def __init__(
        self,
        profile: Profile,
        run_directory: RunDirectory,
        *,
        kubernetes: str,
        image: str,
        policy: Path,
        report: Callable[[str], None],
        reuse: bool = False,
    ) -> None:
        self._profile = profile
        self._run = run_directory
        self._kubernetes = kubernetes
        self._image = image
        self._policy = policy
        self._report = report
        self._reuse = reuse
        settings = [kubernetes, image, profile.audit_log, profile.flags]
        self._servers = ServerRegistry(run_directory, settings, self._start)

    def prepare(self) -> None:
        """Find the container engine and kind. Raises ClusterError."""
        _ = self._kind

    @cached_property
    def _home(self) -> ClusterFolder:
        if not self._reuse:
            return ClusterFolder.of_run(self._run)
        engine, config = self._engine, self._config(IN_NODE)
        digest = digest_of(engine.name, self._image, engine.image_id(self._image) or "", self._kubernetes, config)
        return choose_home(self._run, digest, self._report)

    @cached_property
    def _engine(self) -> Engine:
        return find_engine(self._profile.engine)

    @cached_property
    def _kind(self) -> KindCluster:
        return KindCluster(self._run, self._home, self._engine, find_kind(self._report))

    @property
    def node(self) -> NodeContainer:
        """The cluster's node."""
        return self._kind.node

    def start_all(self, servers: Sequence[tuple[Path, ServerFlags]]) -> None:
        """Begin to create the cluster, and then a server for each further policy."""
        self.prepare()
        self._servers.start_all(servers)

    def cluster(self, policy: Path, settings: ServerFlags = DEFAULT_FLAGS) -> Cluster:
        """The API server that runs ``policy``. Raises ClusterError where it does not start."""
        return self._servers.cluster(policy, settings)

    def request_log(self, cluster: Cluster) -> str:
        """The server's own log, where it has a line about each request that is over; empty where it cannot be had."""
        try:
            return self._kind.server_log(self._pod(cluster.name))
        except ClusterError:
            return ""

    def failure(self, cluster: Cluster) -> str | None:
        """What has ended, the node or the server, with its last log lines; None while the server responds."""
        if ask(cluster, "/livez") is not None:
            return None
        # Asked last: the engine may call a container that was just killed a running one for a moment.
        ended = self.node.ended()
        return ended or (
            f"{cluster.name} does not respond; its last log lines: {self._last_words(self._pod(cluster.name))}"
        )

    def swap(self, cluster: Cluster, policy: Path) -> None:
        """Let the cluster's own API server run another policy, in some six seconds.

        Raises ServerDied where it refuses the policy, ClusterError where it does not come back.
        """
        swap_policy(self._kind, cluster, self._run.read_once(policy))

    def _pod(self, name: str) -> str:
        """The static pod of the server ``name``, and its folder in what the node sees."""
        return FIRST_SERVER if name == self._servers.name(self._policy) else name

    def _last_words(self, pod: str) -> str:
        try:
            text = self._kind.server_log(pod)
        except ClusterError as error:
            return f"({error})"
        return why_it_ended(text) or "\n".join(text.strip().splitlines()[-5:]) or "(nothing)"

    def _start(self, name: str, folder: Path, policy: Path, settings: ServerFlags) -> Cluster:
        pod = self._pod(name)
        flags = server_flags(self._profile, pod, settings)
        names = {flags["audit-policy-file"]: str(policy)}
        text = (folder / "policy.yaml").read_bytes()
        try:
            return self._first(name, text) if pod == FIRST_SERVER else self._add(name, text, flags)
        except ServerDied as error:
            raise ServerDied(
                f"kube-apiserver with the policy {policy} ended: {in_user_words(str(error), names)}"
            ) from None
        except TimedOut as error:
            raise ClusterError(f"{error}; its last log lines: {self._last_words(pod)}") from None

    def _first(self, name: str, policy: bytes) -> Cluster:
        """The cluster with its own API server: made, or found as an earlier run has left it."""
        if not self._home.reusable:
            return self._create(name, policy)
        cluster = self._found(name, policy) or self._create(name, policy)
        leave_at_end(self._run, self._kind, self._home, self._home.before() or ())
        return cluster

    def _found(self, name: str, policy: bytes) -> Cluster | None:
        """The cluster of an earlier run, now with ``policy``; None if there is no usable one."""
        before = self._home.before()
        if before is not None:
            self._report(f"auditproof: using the kind cluster {self._home.name} again")
            try:
                cluster = self._describe(name, FIRST_PORT)
                use_again(self._kind, self._home, cluster, before, policy)
                return self._ready(cluster, FIRST_SERVER)
            except ServerDied:
                raise
            except AuditproofError as error:
                self._report(f"auditproof: it is no longer usable ({error}): removing and recreating it")
        problem = self._home.remove()
        if problem:
            raise ClusterError(problem)
        return None

    def _create(self, name: str, policy: bytes) -> Cluster:
        image = self._image or "the node image of kind itself"
        self._report(f"auditproof: creating the kind cluster {self._home.name} ({image})")
        # Before the cluster exists: its node mounts the folder, and its API server starts with this policy.
        self._furnish(FIRST_SERVER, policy)
        write_static_token(self._home.servers)
        self._kind.create(self._config(self._home.servers))
        self._take_keys()
        cluster = self._ready(self._describe(name, FIRST_PORT), FIRST_SERVER)
        if not satisfies(cluster.kubernetes.removeprefix("v"), self._kubernetes.removeprefix("v")):
            raise ClusterError(
                f"the node image {self._image or 'of kind itself'} runs Kubernetes {cluster.kubernetes}, expected "
                f"{self._kubernetes}: give another image with --audit-image, or that version with --audit-kubernetes"
            )
        if self._home.reusable:
            self._home.remember(inventory(cluster))
        return cluster

    def _config(self, servers: PurePath) -> str:
        flags = server_flags(self._profile, FIRST_SERVER)
        return cluster_config(servers, self._image, flags, PORTS, self._kubernetes)

    def _furnish(self, pod: str, policy: bytes) -> Path:
        """The folder of a server in what the node sees, with its policy and an empty log."""
        folder = self._home.servers / pod
        (folder / "audit").mkdir(mode=0o700, parents=True, exist_ok=True)
        pki.write_private(folder / "policy.yaml", policy)
        pki.write_private(folder / "audit" / "audit.log", b"")  # made here, it is ours to read; the server appends
        return folder

    def _add(self, name: str, policy: bytes, flags: dict[str, str]) -> Cluster:
        """One more API server, next to the cluster's own."""
        # The cluster's own API server first: the others are copies of its static pod.
        self._servers.join(self._policy)
        folder, port = self._furnish(name, policy), self._take_port()
        first = yaml.safe_load(self.node.ask("cat", f"{MANIFESTS}/{FIRST_SERVER}.yaml"))
        pod = json.dumps(additional_server(first, name, port, flags), indent=1)
        pki.write_private(folder / "pod.json", pod.encode())
        self._kind.start_pod(name, f"{IN_NODE}/{name}/pod.json")
        try:
            return self._ready(self._describe(name, port), name)
        except (ClusterError, TimedOut):
            self._kind.stop_pod(name)  # the kubelet would start it again and again
            raise

    def _ready(self, cluster: Cluster, pod: str) -> Cluster:
        """The cluster once its server is ready, with the version that it calls its own."""

        def look() -> bool | None:
            if ask(cluster, "/readyz") is not None:
                return True
            words = why_it_ended(self._kind.server_log(pod))
            if words:
                raise ServerDied(words)
            return None

        wait_until(look, what=f"{cluster.name} to be ready", timeout_s=START_TIMEOUT_S, pause_s=LOOK_S)
        version = json.loads(ask(cluster, "/version") or b"{}").get("gitVersion", "unknown")
        return replace(cluster, kubernetes=version)

    def _take_port(self) -> int:
        """A port of the node that no other server of the run uses."""
        for port in PORTS:
            try:
                (self._run.path / f"port-{port}").mkdir()
            except FileExistsError:
                continue
            return port
        raise ClusterError(f"a kind cluster takes {len(PORTS) + 1} policies: prove the others in a run of their own")

    def _take_keys(self) -> None:
        """Write the cluster's authorities out of its node, and an admin signed by one, into its home."""
        made = self._home.path / "pki-new"
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(mode=0o700)
        for name in ("ca.crt", "ca.key", "front-proxy-ca.crt", "front-proxy-ca.key"):
            pki.write_private(made / name, self.node.ask("cat", f"{PKI}/{name}").encode())
        authority = pki.Authority.load(made / "ca.crt", made / "ca.key")
        authority.client("auditproof-admin", [MASTERS]).write(made, "admin")
        made.rename(self._home.path / "pki")

    def _describe(self, name: str, port: int) -> Cluster:
        keys, folder = self._home.path / "pki", self._home.servers / self._pod(name)
        authorities = Authorities(
            client=KeyFiles(keys / "ca.crt", keys / "ca.key"),
            front_proxy=KeyFiles(keys / "front-proxy-ca.crt", keys / "front-proxy-ca.key"),
            static_token=read_static_token(self._home.servers),
        )
        return Cluster(
            name=name,
            provider="kind",
            kubernetes=self._kubernetes,
            policy=folder / "policy.yaml",
            capabilities=CAPABILITIES,
            endpoint=Endpoint(f"https://{LOOPBACK}:{self.node.port(port)}", keys / "ca.crt", self.node.gateway()),
            admin=Credential(keys / "admin.crt", keys / "admin.key"),
            authorities=authorities,
            log_place=LogPlace(folder / "audit" / "audit.log"),
        )
