"""A server that dies in the middle of a run ends what needs it within seconds, and is told in one sentence."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from typing import TYPE_CHECKING

import pytest

from auditproof.audit.policy.load import load_policy
from auditproof.audit.server_flags import ServerFlags
from auditproof.cases.case import Case
from auditproof.cases.expectation import Expectation
from auditproof.clusters import embedded as provider
from auditproof.clusters.embedded import EmbeddedProvider
from auditproof.clusters.profile import load_profile
from auditproof.clusters.run import reaper
from auditproof.clusters.run.run_directory import RunDirectory
from auditproof.clusters.stand_ins.small_disk import CannotMount, fill, mount_disk
from auditproof.errors import ClusterError, ServerDied
from auditproof.kube.action import act, to_request
from auditproof.kube.identity import Identity
from auditproof.proof.prover import Prover
from auditproof.proof.run_counters import count
from auditproof.proof.server_view import ServerView
from auditproof.proof.verdict import Outcome
from auditproof.wait import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

WORKER = """
import sys
from pathlib import Path
from auditproof.clusters.embedded import EmbeddedProvider
from auditproof.clusters.profile import load_profile
from auditproof.clusters.run.run_directory import RunDirectory
run = RunDirectory.open(sys.argv[1])
EmbeddedProvider(load_profile("embedded"), run, kubernetes="1.37", assets=None, report=print).cluster(Path(sys.argv[2]))
"""
ALICE = Identity.x509("alice")
SOON_S = 30.0  # half of what each of the requests would take that wait for etcd


@pytest.fixture
def run() -> Iterator[RunDirectory]:
    directory = RunDirectory.create()
    yield directory
    directory.close()


@pytest.fixture
def servers(run: RunDirectory) -> EmbeddedProvider:
    return EmbeddedProvider(load_profile("embedded"), run, kubernetes="1.37", assets=None, report=print)


def prover_of(servers: EmbeddedProvider, run: RunDirectory, path: Path, performed: Callable[[], None]) -> Prover:
    cluster, policy = servers.cluster(path), load_policy(path)
    view, folder = ServerView(cluster, servers), run.private_folder()
    return Prover(view, policy, running=policy, folder=folder, performed=performed, patience_s=10)


def steps(count: int) -> list[Case]:
    """Requests that are answered out of etcd."""
    read = to_request(act("get", "namespaces/default"))
    return [Case(f"step-{number}", ALICE, read, Expectation(status=200)) for number in range(count)]


def signal_to(run: RunDirectory, label: str, how: signal.Signals) -> None:
    os.kill(run.entry(label)[0], how)


@pytest.mark.parametrize("frozen_before", [False, True], ids=["at-once", "while-a-request-waits-for-it"])
def test_the_death_of_etcd_ends_the_batch(
    servers: EmbeddedProvider, run: RunDirectory, everything: Path, frozen_before: bool
) -> None:
    sent, killed = [0], [0.0]

    def kill() -> None:
        killed[0] = time.monotonic()
        signal_to(run, provider.ETCD, signal.SIGKILL)

    def performed() -> None:
        sent[0] += 1
        if sent[0] == 20 and frozen_before:
            signal_to(run, provider.ETCD, signal.SIGSTOP)
            threading.Timer(1, kill).start()
        elif sent[0] == 20:
            kill()

    prover = prover_of(servers, run, everything, performed)

    proofs = prover.prove(steps(200))
    took = time.monotonic() - killed[0]

    assert took < SOON_S
    assert {proof.verdict.outcome for proof in proofs} == {Outcome.UNPROVEN}
    unsent = [proof for proof in proofs if not proof.verdict.evidence.exchange.audit_id]
    assert len(unsent) > 150, "they are not counted as performed"
    assert all("it was not sent, because etcd exited" in proof.verdict.reasons[0] for proof in unsent)
    assert sent[0] == len(proofs) - len(unsent)

    errors = []
    for _ in range(50):
        with pytest.raises(ServerDied, match=r"^etcd exited: ") as error:
            prover.prove(steps(1))
        errors.append(error.value)
    assert len(set(map(id, errors[1:]))) == 1, "one error for all"
    prover.close()


def test_the_death_of_etcd_while_an_api_server_starts_ends_the_start(
    servers: EmbeddedProvider, run: RunDirectory, everything: Path
) -> None:
    killed = [0.0]

    def kill() -> None:
        wait_until(
            lambda: any((run.path / "ledger").glob("kube-apiserver*")) or None, what="a start", timeout_s=30, pause_s=0
        )
        killed[0] = time.monotonic()
        signal_to(run, provider.ETCD, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()

    with pytest.raises(ClusterError, match=r"^etcd exited: "):
        servers.cluster(everything)

    killer.join()
    assert time.monotonic() - killed[0] < SOON_S


@pytest.mark.parametrize("label", [provider.ETCD, "kube-apiserver-"])
def test_a_worker_that_is_killed_while_it_starts_a_server_leaves_none(
    servers: EmbeddedProvider, run: RunDirectory, everything: Path, label: str
) -> None:
    with subprocess.Popen([sys.executable, "-c", WORKER, str(run.path), str(everything)]) as worker:
        wait_until(
            lambda: next((run.path / "ledger").glob(f"{label}*"), None),
            what=f"{label} to be started",
            timeout_s=60,
            pause_s=0.001,
        )
        worker.kill()

    prover = prover_of(servers, run, everything, lambda: None)
    proofs = prover.prove(steps(5))
    account = count(servers.cluster(everything))

    prover.close()
    attempts = [reaper.parse_stat(entry.read_text()) for entry in (run.path / "ledger").glob(f"{label}*")]
    assert len(attempts) == 2
    assert [reaper.is_alive(*attempt) for attempt in attempts].count(True) == 1
    assert {proof.verdict.outcome for proof in proofs} == {Outcome.PROVEN}
    assert account.holds, account


def test_a_full_disk_is_told_with_its_folder(
    run: RunDirectory, everything: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        disk = mount_disk(run, "full", "1m")
    except CannotMount as error:
        pytest.skip(str(error))
    monkeypatch.setattr(tempfile, "tempdir", str(disk))
    directory = RunDirectory.create()
    servers = EmbeddedProvider(load_profile("embedded"), directory, kubernetes="1.37", assets=None, report=print)
    try:
        with pytest.raises(ClusterError, match=f"no space left on the disk of {directory.path} .*set TMPDIR"):
            servers.cluster(everything)  # etcd cannot write

        fill(disk)
        with pytest.raises(ClusterError, match=f"no API server can be started: no space left on the disk of {disk}"):
            servers.cluster(everything, ServerFlags.of({}, {"v": "1"}))  # and then we cannot either
    finally:
        directory.close()


def test_what_stands_still_for_a_while_is_not_dead(
    servers: EmbeddedProvider, run: RunDirectory, everything: Path
) -> None:
    sent = [0]

    def performed() -> None:
        sent[0] += 1
        if sent[0] == 5:
            signal_to(run, provider.ETCD, signal.SIGSTOP)
            threading.Timer(3, lambda: signal_to(run, provider.ETCD, signal.SIGCONT)).start()

    prover = prover_of(servers, run, everything, performed)

    proofs = prover.prove(steps(20))

    prover.close()
    assert [proof.verdict.outcome for proof in proofs] == [Outcome.PROVEN] * 20
