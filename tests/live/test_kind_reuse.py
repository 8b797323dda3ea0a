"""Another policy on a running kind cluster, and a cluster that outlives its run: as good as new, or made anew.

It needs what test_kind needs. Nothing of it is left in the user's own cache.
"""

from __future__ import annotations

import os
import statistics
import time
from typing import TYPE_CHECKING

import pytest

from auditproof.audit.event import Level
from auditproof.audit.policy.load import load_policy
from auditproof.cases.case import Case
from auditproof.cases.expectation import Expectation
from auditproof.clusters.kind.binary import find_kind
from auditproof.clusters.kind.home import ClusterFolder, homes, remove_reusable
from auditproof.clusters.kind.provider import KindProvider
from auditproof.clusters.profile import load_profile
from auditproof.clusters.run.run_directory import RunDirectory
from auditproof.errors import ServerDied
from auditproof.kube.action import act, to_request
from auditproof.kube.identity import Identity
from auditproof.proof.prover import Prover
from auditproof.proof.run_counters import count
from auditproof.proof.server_view import ServerView
from auditproof.proof.verdict import Outcome
from auditproof.setup.admin import AdminClient
from auditproof.setup.objects import Objects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from auditproof.clusters.cluster import Cluster
    from auditproof.clusters.kind.engine import Engine

IMAGE = os.environ.get("AUDITPROOF_IMAGE", "")
SWAPS = 8
RULE = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: {}\n"


@pytest.fixture(scope="module", autouse=True)
def engine(container_engine: Engine) -> Engine:
    """The container engine; skips everything here where there is none."""
    return container_engine


@pytest.fixture(scope="module")
def metadata(write_policy: Callable[[str], Path]) -> Path:
    return write_policy(RULE.format("Metadata"))


@pytest.fixture(scope="module")
def bodies(write_policy: Callable[[str], Path]) -> Path:
    return write_policy(RULE.format("RequestResponse"))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache for this test alone, without a cluster in it; none is left in it."""
    monkeypatch.setenv("KIND", str(find_kind(print)))
    monkeypatch.setenv("AUDITPROOF_CACHE", str(tmp_path))
    yield tmp_path
    assert remove_reusable(print) == 0


def level_of(kind: KindProvider, cluster: Cluster, policy: Path, directory: RunDirectory) -> Level:
    """The level at which an action is recorded, proven by what ``policy`` decides."""
    judged = load_policy(policy)
    folder = directory.private_folder()
    prover = Prover(ServerView(cluster, kind), judged, running=judged, folder=folder)
    request = to_request(act("get", "namespaces/default"))
    (proof,) = prover.prove([Case("step", Identity.x509("alice"), request, Expectation())])
    prover.close()
    assert proof.verdict.outcome is Outcome.PROVEN, proof.verdict.reasons
    return proof.verdict.evidence.level


class Run:
    """A run that asks for a cluster that outlives it."""

    def __init__(self, policy: Path) -> None:
        self.policy = policy
        self.said: list[str] = []
        self.directory = RunDirectory.create()
        self.kind = KindProvider(
            load_profile("kind"),
            self.directory,
            kubernetes="1.37",
            image=IMAGE,
            policy=policy,
            report=self.said.append,
            reuse=True,
        )

    def __enter__(self) -> Run:
        try:
            self.cluster = self.kind.cluster(self.policy)
        except BaseException:
            self.directory.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        assert self.directory.close() == ""

    @property
    def node(self) -> str:
        return self.kind.node.engine.ask("inspect", "--format", "{{.Id}}", self.kind.node.name)

    def level(self) -> Level:
        return level_of(self.kind, self.cluster, self.policy, self.directory)


@pytest.fixture(scope="module")
def running(engine: Engine, metadata: Path) -> Iterator[tuple[KindProvider, Cluster, RunDirectory]]:
    """A cluster that records metadata, before and after each test."""
    del engine
    directory = RunDirectory.create()
    kind = KindProvider(load_profile("kind"), directory, kubernetes="1.37", image=IMAGE, policy=metadata, report=print)
    try:
        yield kind, kind.cluster(metadata), directory
    finally:
        directory.close()


def test_policies_are_swapped_on_the_running_cluster_many_times_in_a_row(
    running: tuple[KindProvider, Cluster, RunDirectory], metadata: Path, bodies: Path
) -> None:
    kind, cluster, directory = running
    took = []
    assert level_of(kind, cluster, metadata, directory) is Level.METADATA
    for n in range(SWAPS):
        begun = time.monotonic()
        policy, level = ((bodies, Level.REQUEST_RESPONSE), (metadata, Level.METADATA))[n % 2]
        kind.swap(cluster, policy)
        took.append(time.monotonic() - begun)
        assert level_of(kind, cluster, policy, directory) is level
    account = count(cluster)
    assert account.holds, account.reason  # the log is that of the last process alone

    print("seconds a swap: " + " ".join(f"{seconds:.1f}" for seconds in took))
    assert statistics.median(took) < 20, took  # after that time a kubelet looks at its manifests by itself


def test_a_refused_policy_leaves_the_former_one_at_work(
    running: tuple[KindProvider, Cluster, RunDirectory], metadata: Path, write_policy: Callable[[str], Path]
) -> None:
    kind, cluster, directory = running

    with pytest.raises(ServerDied, match=r'rules\[0\]\.level: Unsupported value: "metadata"'):
        kind.swap(cluster, write_policy(RULE.format("metadata")))

    assert level_of(kind, cluster, metadata, directory) is Level.METADATA


def test_a_cluster_that_outlives_its_run_is_as_good_as_new(
    cache: Path, metadata: Path, bodies: Path, engine: Engine
) -> None:
    with Run(metadata) as first:
        assert first.level() is Level.METADATA
        other = first.kind.cluster(bodies)  # one more API server beside the first: it must not stay
        admin = AdminClient(first.cluster)
        objects = Objects(first.cluster, admin)
        for n in range(3):
            objects.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"left-{n}"}})
        objects.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "left", "namespace": "default"}})
        objects.create({**CLUSTER_ROLE, "metadata": {"name": "left"}})
        admin.close()
        node = first.node

    begun = time.monotonic()
    with Run(bodies) as second:
        took = time.monotonic() - begun
        assert second.node == node, "\n".join(second.said)
        assert second.level() is Level.REQUEST_RESPONSE
        assert "again" in " ".join(second.said)
        admin = AdminClient(second.cluster)
        namespaces = {item["metadata"]["name"] for item in admin.send("GET", "/api/v1/namespaces").json()["items"]}
        assert namespaces <= {"default", "kube-system", "kube-public", "kube-node-lease", "local-path-storage"}
        assert admin.send("GET", "/api/v1/namespaces/default/configmaps/left").status == 404
        assert admin.send("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles/left").status == 404
        admin.close()
        assert second.kind.node.ask("pidof", "kube-apiserver").split() != []
        assert len(second.kind.node.ask("pidof", "kube-apiserver").split()) == 1, other.name
        print(f"used again after {took:.1f} s")
        again_in_use(second, metadata)

    engine.ask("kill", f"{name_of_the_only(cache)}-control-plane")
    with Run(bodies) as third:
        assert third.node != node
        assert "recreating it" in " ".join(third.said)
        assert third.level() is Level.REQUEST_RESPONSE

    said: list[str] = []
    name = name_of_the_only(cache)
    assert remove_reusable(said.append) == 0
    assert said == [f"removed the kind cluster {name}"]
    assert name not in engine.ask("ps", "--all", "--format", "{{.Names}}")
    assert name not in engine.ask("network", "ls", "--format", "{{.Name}}")


CLUSTER_ROLE = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "rules": []}


def name_of_the_only(cache: Path) -> str:
    (home,) = homes().iterdir()
    assert home.is_relative_to(cache)
    return ClusterFolder.in_cache(home.name).name


def again_in_use(second: Run, metadata: Path) -> None:
    """A run beside one that uses the cluster makes its own, and nobody removes what is used."""
    said: list[str] = []
    assert remove_reusable(said.append) == 1
    assert "is being used by another run" in said[0]
    with Run(metadata) as beside:
        assert beside.node != second.node
        assert "makes a cluster of its own" in " ".join(beside.said)
        assert beside.level() is Level.METADATA
    assert second.level() is Level.REQUEST_RESPONSE
