"""Two API servers over one etcd behind one address: an event is in the log of the server that answered."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from auditproof.audit.event import Level
from auditproof.audit.policy.load import load_policy
from auditproof.auditlog.file_log import FileLog
from auditproof.cases.case import Case
from auditproof.cases.expectation import Expectation
from auditproof.clusters.embedded import EmbeddedProvider
from auditproof.clusters.profile import load_profile
from auditproof.clusters.run.run_directory import RunDirectory
from auditproof.kube.action import act, to_request
from auditproof.kube.identity import Identity
from auditproof.proof.fence.fence import FENCE_TIMEOUT_S
from auditproof.proof.prover import Prover
from auditproof.proof.server_view import ServerView
from auditproof.proof.verdict import Outcome
from auditproof.setup.admin import AdminClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from auditproof.clusters.cluster import Cluster, LogPlace
    from auditproof.proof.verdict import Verdict

POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- {level: None, resources: [{resources: [configmaps]}]}
- {level: Metadata}
"""
PEOPLE = [Identity.x509(f"user-{number}", "people") for number in range(6)]


@pytest.fixture(scope="module")
def directory() -> Iterator[RunDirectory]:
    made = RunDirectory.create()
    yield made
    made.close()


@pytest.fixture(scope="module")
def policy(write_policy: Callable[[str], Path]) -> Path:
    return write_policy(POLICY)


@pytest.fixture(scope="module")
def provider(directory: RunDirectory) -> EmbeddedProvider:
    two = replace(load_profile("embedded"), servers=2)
    return EmbeddedProvider(two, directory, kubernetes="1.37", assets=None, report=print)


@pytest.fixture(scope="module")
def cluster(provider: EmbeddedProvider, policy: Path) -> Cluster:
    return provider.cluster(policy)


def prover_of(
    cluster: Cluster,
    policy: Path,
    directory: RunDirectory,
    provider: EmbeddedProvider,
    patience_s: float = FENCE_TIMEOUT_S,
) -> Prover:
    loaded = load_policy(policy)
    folder = directory.private_folder()
    return Prover(ServerView(cluster, provider), loaded, running=loaded, folder=folder, patience_s=patience_s)


def steps(resource: str, expectation: Expectation, namespace: str = "several") -> list[Case]:
    request = to_request(act("list", resource, namespace))
    given = ({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},)
    return [Case(f"{resource}-{who.user}", who, request, expectation, given) for who in PEOPLE]


def verdicts(prover: Prover, wanted: list[Case]) -> list[Verdict]:
    return [proof.verdict for proof in prover.prove(wanted)]


def files(cluster: Cluster) -> list[str]:
    return [source.removeprefix("file:") for source in cluster.log_place.sources]


def with_sources(cluster: Cluster, *sources: str) -> LogPlace:
    """The place of the cluster's logs, said to be these."""
    return replace(cluster.log_place, sources=sources)


def test_what_either_server_records_is_proven_and_so_is_what_neither_does(
    cluster: Cluster, policy: Path, directory: RunDirectory, provider: EmbeddedProvider
) -> None:
    prover = prover_of(cluster, policy, directory, provider)
    recorded = verdicts(prover, steps("secrets", Expectation(level=Level.METADATA, status=200)))
    excluded = verdicts(prover, steps("configmaps", Expectation(level=Level.NONE, status=200)))
    prover.close()

    assert {verdict.outcome for verdict in (*recorded, *excluded)} == {Outcome.PROVEN}
    assert {event.source for verdict in recorded for event in verdict.evidence.events} == set(files(cluster))
    assert all(len({event.source for event in verdict.evidence.events}) == 1 for verdict in recorded)
    assert "each of 2 logs" in excluded[0].evidence.fence


def test_the_log_of_one_server_alone_proves_nothing_to_be_absent(
    cluster: Cluster, policy: Path, directory: RunDirectory, provider: EmbeddedProvider
) -> None:
    """The sabotage twin: who reads one log only must not take the other server's events for excluded ones."""
    loaded = load_policy(policy)
    folder, log = directory.private_folder(), FileLog(cluster.log)
    prover = Prover(ServerView(cluster, provider, log), loaded, running=loaded, folder=folder, patience_s=2)
    found = verdicts(prover, steps("configmaps", Expectation(level=Level.NONE, status=200)))
    prover.close()

    assert {verdict.outcome for verdict in found} == {Outcome.UNPROVEN}


def test_a_server_that_nobody_spoke_of_is_noticed_and_what_is_absent_is_unproven(
    cluster: Cluster, policy: Path, directory: RunDirectory, provider: EmbeddedProvider
) -> None:
    """Somebody else's cluster of two servers, of which one log is given."""
    first = cluster.log_place.sources[0]
    guest = replace(cluster, log_place=with_sources(cluster, first), shared_run_id="somebody")
    prover = prover_of(guest, policy, directory, provider, patience_s=2)
    excluded = verdicts(prover, steps("configmaps", Expectation(level=Level.NONE, status=200), "guests"))
    recorded = verdicts(prover, steps("secrets", Expectation(level=Level.METADATA, status=200), "guests"))
    prover.close()

    assert str(AdminClient(guest).unread_servers()).startswith(
        f"more API servers answer at {guest.url} than logs are read (1): "
    )
    assert {verdict.outcome for verdict in excluded} == {Outcome.UNPROVEN}
    assert Outcome.VIOLATED not in {verdict.outcome for verdict in recorded}


def test_a_log_that_is_of_neither_server_is_noticed(
    cluster: Cluster, policy: Path, directory: RunDirectory, provider: EmbeddedProvider, tmp_path: Path
) -> None:
    stale = tmp_path / "audit.log"
    stale.write_bytes(cluster.log.read_bytes())
    wrong = replace(cluster, log_place=with_sources(cluster, cluster.log_place.sources[1], f"file:{stale}"))
    prover = prover_of(wrong, policy, directory, provider, patience_s=2)
    found = verdicts(prover, steps("configmaps", Expectation(level=Level.NONE, status=200)))
    prover.close()

    assert {verdict.outcome for verdict in found} == {Outcome.UNPROVEN}


def test_a_server_that_ends_leaves_nothing_proven(
    cluster: Cluster, policy: Path, directory: RunDirectory, provider: EmbeddedProvider
) -> None:
    prover = prover_of(cluster, policy, directory, provider)
    assert verdicts(prover, steps("secrets", Expectation()))[0].outcome is Outcome.PROVEN
    wanted = steps("configmaps", Expectation(level=Level.NONE))
    located = prover.begin(wanted)
    pid, _ = directory.entry(f"{cluster.name}-2")
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    proofs = prover.finish(located, prover.perform(located))
    prover.close()

    assert {proof.verdict.outcome for proof in proofs} == {Outcome.UNPROVEN}
    assert f"{cluster.name}-2 exited" in " ".join(proofs[0].verdict.reasons)
