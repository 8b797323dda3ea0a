"""The servers of a gauntlet: one real kube-apiserver for all runs of a station, with a proxy before it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING

from auditproof.audit.policy.load import load_policy
from auditproof.audit.server_flags import ServerFlags
from auditproof.clusters.cluster import LogPlace
from auditproof.clusters.embedded import EmbeddedProvider
from auditproof.clusters.profile import load_profile
from auditproof.clusters.run.run_directory import RunDirectory
from auditproof.clusters.stand_ins.node_network import SOCKET
from auditproof.proof.server_view import ServerView
from tests.gauntlet.cases import policy_text
from tests.gauntlet.kubelet import Way, selection
from tests.gauntlet.proxy import Proxy

if TYPE_CHECKING:
    from pathlib import Path

    from auditproof.audit.policy.load import Policy
    from auditproof.clusters.cluster import Cluster

BATCHED = {"mode": "batch", "batch-max-wait": "50ms", "batch-throttle-enable": "false"}
REQUEST_TIMEOUT = "2s"  # of a server whose etcd is gone; one that is well takes milliseconds


@dataclass(frozen=True, slots=True)
class Kind:
    """What a station is like.

    ``said``: it runs the policy that it is said to run. ``guest``: it is somebody else's. ``part`` is what misbehaves
    beyond the server, "kubelet" or "etcd"; such a station has an etcd of its own.
    """

    name: str
    flavour: str = "mixed"
    batch: bool = False
    said: bool = True
    guest: bool = False
    part: str = ""


KINDS = (
    Kind("blocking"),
    Kind("guest", guest=True),
    Kind("batch", batch=True),
    Kind("kubelet", part="kubelet"),
    Kind("another policy", said=False, guest=True),
    Kind("nothing recorded", flavour="nothing"),
    Kind("etcd", part="etcd"),
    Kind("blocking, too"),
)


@dataclass(frozen=True, slots=True)
class Station:
    """A server of a kind; ``judged`` is the policy that it is said to run. ``folder`` takes what runs leave."""

    kind: Kind
    cluster: Cluster
    judged: Policy
    folder: Path
    directory: RunDirectory
    proxy: Proxy
    way: Way
    embedded: EmbeddedProvider

    @staticmethod
    def start(kind: Kind, seed: int, folder: Path) -> Station:
        """Start the server of a kind, whose policy follows from the seed."""
        directory = RunDirectory.create()
        random = Random(f"{seed}:{kind.name}")
        path, socket, egress, keys = (folder / name for name in ("policy.json", "way.sock", "egress.json", "keys"))
        keys.mkdir(parents=True)
        path.write_text(policy_text(random, kind.flavour))
        egress.write_text(selection(socket))
        flags = {"egress-selector-config-file": str(egress), "request-timeout": REQUEST_TIMEOUT}
        way = Way(socket, directory.path / SOCKET, directory.path / "pki")
        embedded = EmbeddedProvider(load_profile("embedded"), directory, kubernetes="1.37", assets=None, report=print)
        cluster = embedded.cluster(path, ServerFlags.of(BATCHED if kind.batch else {}, flags))
        said = path if kind.said else folder / "said.json"
        if not kind.said:
            said.write_text(policy_text(random))
        judged = load_policy(said)
        if kind.guest:  # the file that a user gives is all that is known of its policy
            cluster = replace(
                cluster,
                policy=said,
                log_place=LogPlace(cluster.log, (f"file:{cluster.log}",)),
                shared_run_id="gauntlet",
            )
        proxy = Proxy(cluster, folder, [keys])
        return Station(kind, cluster, judged, folder, directory, proxy, way, embedded)

    def view(self, cluster: Cluster) -> ServerView:
        """What a prover sees of ``cluster``, which is this station's with another address or another log."""
        return _View(cluster, self.embedded, station=self)

    @property
    def keys(self) -> Path:
        """Where the credentials of runs are, which the proxy finds there."""
        return self.folder / "keys"

    def close(self) -> None:
        """End everything."""
        self.proxy.close()
        self.way.close()
        self.directory.close()


@dataclass(frozen=True)
class _View(ServerView):
    """The provider is asked about the station's own cluster; the log of a guest's server is not for us to read."""

    station: Station | None = None

    def failure(self) -> str | None:
        assert self.station is not None
        return self.provider.failure(self.station.cluster)

    def request_log(self) -> str:
        assert self.station is not None
        return "" if self.station.kind.guest else self.provider.request_log(self.station.cluster)
