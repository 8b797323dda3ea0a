"""What every provider of clusters gives to everything else: a Cluster, in four parts, and the protocol Provider."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - pydantic needs it at run time
from typing import TYPE_CHECKING, Protocol

from auditproof.audit.server_flags import DEFAULT_FLAGS, ServerFlags
from auditproof.client.credential import Credential  # noqa: TC001 - pydantic needs it at run time
from auditproof.client.probe import Probe
from auditproof.kube.capability import Capability  # noqa: TC001 - pydantic needs it at run time

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Endpoint:
    """How the API server, or a load balancer in front of several, is reached.

    ``url`` is the https base address, ``ca`` the PEM file that verifies it (None: the system's authorities).
    ``client_address`` is the IP address from which the server sees the requests of this machine come.
    """

    url: str
    ca: Path | None
    client_address: str = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """A certificate and its private key, PEM files."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Authorities:
    """What issues the credentials that the API server accepts; None where it is not known to this run.

    ``client`` signs client certificates, ``front_proxy`` the certificates of authenticating proxies,
    ``service_account_key`` the tokens of service accounts, ``issuer_key`` those of the stand-in for an OpenID Connect
    issuer (PEM files). ``static_token`` is the token of the user STATIC_USER.
    """

    client: KeyFiles | None = None
    front_proxy: KeyFiles | None = None
    service_account_key: Path | None = None
    issuer_key: Path | None = None
    static_token: str | None = None


@dataclass(frozen=True, slots=True)
class LogPlace:
    """Where the audit log is: ``file``, or ``sources``, one for each API server (see auditlog.sources)."""

    file: Path
    sources: tuple[str, ...] = ()

    @property
    def servers(self) -> int:
        """How many API servers write a log."""
        return len(self.sources) or 1


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running API server with one policy; plain data, so that any process of a run can use it.

    ``policy`` is the file that the server was started with, ``admin`` the credential of a user who may set up what is
    to be proven. ``stand_in_url`` is the https address of the run's own OpenID Connect issuer and webhooks (see
    stand_ins.issuer_and_webhooks), None where the cluster has none. ``shared_run_id`` is None where the cluster belongs
    to the run; on a cluster that is shared with other teams it is the id of the run, by which everything that is made
    there is labelled, and nothing else is touched.
    """

    name: str
    provider: str
    kubernetes: str
    policy: Path
    capabilities: frozenset[Capability]
    endpoint: Endpoint
    admin: Credential
    authorities: Authorities
    log_place: LogPlace
    stand_in_url: str | None = None
    shared_run_id: str | None = None

    @property
    def url(self) -> str:
        """The https base address."""
        return self.endpoint.url

    @property
    def ca(self) -> Path | None:
        """The PEM file that verifies the server; None for the system's authorities."""
        return self.endpoint.ca

    @property
    def log(self) -> Path:
        """The audit log's file."""
        return self.log_place.file

    @property
    def servers(self) -> int:
        """How many API servers are behind the address."""
        return self.log_place.servers

    @property
    def is_shared(self) -> bool:
        """Whether the cluster is shared with other teams, so that nothing of theirs may be touched."""
        return self.shared_run_id is not None

    def probe(self) -> Probe:
        """Asks the API server as the admin; nothing is proven by that."""
        return Probe(self.endpoint.url, self.endpoint.ca, self.admin)


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

    def start_all(self, servers: Sequence[tuple[Path, ServerFlags]]) -> None:
        """Begin to start a cluster for each policy with its settings, in parallel, without waiting for them."""
        ...

    def cluster(self, policy: Path, settings: ServerFlags = DEFAULT_FLAGS) -> Cluster:
        """The cluster that runs ``policy`` with ``settings``: started now, or the one that this run has already.

        Raises ClusterError (with the server's own words) where it does not start.
        """
        ...

    def request_log(self, cluster: Cluster) -> str:
        """What the server says of the requests that it has served (klog of httplog); empty where nothing."""
        ...

    def failure(self, cluster: Cluster) -> str | None:
        """Which of the cluster's servers has ended, with its last log lines; None while all of them run."""
        ...
