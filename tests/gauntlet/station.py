"""The servers of a gauntlet: one real kube-apiserver for all runs of a station, with a proxy before it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING

from auditproof.clusters.embedded import Embedded
from auditproof.clusters.profile import load_profile
from auditproof.policy import load_policy, parse_policy
from auditproof.settings import NO_SETTINGS, Settings
from tests.gauntlet.cases import policy_text
from tests.gauntlet.proxy import Proxy

if TYPE_CHECKING:
    from pathlib import Path

    from auditproof.clusters.base import Cluster
    from auditproof.clusters.rundir import RunDirectory
    from auditproof.policy import Policy

BATCHED = Settings.of({"mode": "batch", "batch-max-wait": "50ms", "batch-throttle-enable": "false"})


@dataclass(frozen=True, slots=True)
class Kind:
    """What a station is like: ``said`` is whether it runs the policy that it is said to run."""

    name: str
    flavour: str = "mixed"
    settings: Settings = NO_SETTINGS
    said: bool = True
    guest: bool = False


KINDS = (
    Kind("blocking"),
    Kind("guest", guest=True),
    Kind("batch", settings=BATCHED),
    Kind("another policy", said=False, guest=True),
    Kind("nothing recorded", flavour="nothing"),
    Kind("blocking, too"),
)


@dataclass(frozen=True, slots=True)
class Station:
    """A server of a kind; ``judged`` is the policy that it is said to run. ``folder`` takes what runs leave."""

    kind: Kind
    cluster: Cluster
    judged: Policy
    folder: Path
    proxy: Proxy

    @staticmethod
    def start(kind: Kind, seed: int, directory: RunDirectory, folder: Path) -> Station:
        """Start the server of a kind, whose policy follows from the seed."""
        random = Random(f"{seed}:{kind.name}")
        folder.mkdir()
        path = folder / "policy.json"
        path.write_text(policy_text(random, kind.flavour))
        embedded = Embedded(load_profile("embedded"), directory, kubernetes="1.37", assets=None, report=print)
        cluster = embedded.cluster(path, kind.settings)
        judged = load_policy(path) if kind.said else parse_policy(policy_text(random).encode(), "said.json")
        keys = folder / "keys"
        keys.mkdir()
        if kind.guest:
            cluster = replace(cluster, sources=(f"file:{cluster.log}",), guest="gauntlet")
        return Station(kind, cluster, judged, folder, Proxy(cluster, folder, [keys]))

    @property
    def keys(self) -> Path:
        """Where the credentials of runs are, which the proxy finds there."""
        return self.folder / "keys"

    def close(self) -> None:
        """Stop the proxy; the server ends with its run directory."""
        self.proxy.close()
