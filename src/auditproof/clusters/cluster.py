"""The seam between providers and everything else: Capability, Cluster, Provider."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from auditproof.audit.server_flags import NO_SETTINGS, Settings
from auditproof.client.probe import Probe
from auditproof.kube.capability import Capability as Capability  # noqa: TC001 - the providers take it from here

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running API server with one policy; plain data, so that any process of a run can use it.

    ``url`` is the https base address, ``ca`` the PEM file that verifies it (None: the system's own authorities),
    ``client_ca`` and ``client_ca_key`` the PEM files of the authority whose client certificates it accepts, where they
    are known, ``admin_cert`` and ``admin_key`` those of a user who may set up what is to be proven, or ``admin_token``
    that user's token. ``front_proxy_ca`` and its key are those of the authority whose certificates make an
    authenticating proxy, ``static_token`` is the token of the user STATIC_USER, each where the cluster is capable
    of it. ``policy`` is the file that the server was started with and ``log`` its audit log, or ``sources`` say where
    it is read (see clusters.sources), one for each API server behind ``url``.
    ``service_account_key`` signs the tokens of service accounts, ``issuer_key`` those of the local OpenID Connect
    issuer, whose https address is ``callback``: there webhooks of ours answer, too (see ``answering``).
    ``client`` is the address from which the server sees the requests of this machine come.
    ``guest`` is empty where the cluster is the run's own; on somebody else's it is the id of the run, by which
    everything that is made there is labelled, and nothing else is touched.
    """

    name: str
    provider: str
    kubernetes: str
    url: str
    ca: Path | None
    admin_cert: Path | None
    admin_key: Path | None
    client_ca: Path | None
    client_ca_key: Path | None
    policy: Path
    log: Path
    capabilities: frozenset[Capability]
    front_proxy_ca: Path | None = None
    front_proxy_ca_key: Path | None = None
    static_token: str = ""
    service_account_key: Path | None = None
    issuer_key: Path | None = None
    callback: str = ""
    client: str = "127.0.0.1"
    admin_token: str = ""
    sources: tuple[str, ...] = ()
    guest: str = ""

    @property
    def servers(self) -> int:
        """How many API servers are behind the address."""
        return len(self.sources) or 1


class Provider(Protocol):
    """Starts clusters. Safe to call from several processes and threads of one run at once."""

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What its clusters can do; known before any is started."""
        ...

    def prepare(self) -> None:
        """Find, download or build what is needed to start a cluster, with progress.

        Raises ClusterError where it cannot be had.
        """
        ...

    def start_all(self, servers: Sequence[tuple[Path, Settings]]) -> None:
        """Begin to start a cluster for each policy with its settings, beside each other, without waiting for them."""
        ...

    def cluster(self, policy: Path, settings: Settings = NO_SETTINGS) -> Cluster:
        """The cluster that runs ``policy`` with ``settings``: started now, or the one that this run has already.

        Raises ClusterError (with the server's own words) where it does not start.
        """
        ...

    def request_log(self, cluster: Cluster) -> str:
        """What the server says of the requests that it has served (klog of httplog); empty where nothing."""
        ...

    def failure(self, cluster: Cluster) -> str | None:
        """Which of the cluster's servers has ended, with its last words; None while all of them run."""
        ...


def probe_of(cluster: Cluster) -> Probe:
    """The admin's connection to a cluster."""
    return Probe(cluster.url, cluster.ca, cluster.admin_cert, cluster.admin_key, cluster.admin_token)
