"""Proofs on a real API server: what is shown, and what must not pass for shown."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from auditproof.audit.event import Level, Stage
from auditproof.audit.policy.load import load_policy, parse_policy
from auditproof.cases.case import Case
from auditproof.cases.expectation import Expectation
from auditproof.clusters.embedded import EmbeddedProvider
from auditproof.clusters.profile import load_profile
from auditproof.clusters.run.run_directory import RunDirectory
from auditproof.errors import AuditproofError
from auditproof.kube.action import Action, act, path_request, to_request
from auditproof.kube.identity import Identity, IdentityKind, Impersonation
from auditproof.proof.prover import Prover
from auditproof.proof.server_view import ServerView
from auditproof.proof.verdict import Outcome
from tests.support.views import silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from auditproof.clusters.cluster import Cluster
    from auditproof.proof.prover import Proof
    from auditproof.proof.verdict import Verdict

ALICE = Identity.x509("alice", "developers")
READ = act("get", "namespaces/default")


def step(action: Action, identity: Identity = ALICE, expect: Expectation | None = None, name: str = "step") -> Case:
    return Case(name, identity, to_request(action), expect or Expectation())


@pytest.fixture(scope="module")
def cluster(embedded: EmbeddedProvider, everything: Path) -> Cluster:
    return embedded.cluster(everything)


@pytest.fixture
def prover(cluster: Cluster, everything: Path, run_directory: RunDirectory) -> Iterator[Prover]:
    policy = load_policy(everything)
    prover = Prover(silent(cluster), policy, running=policy, folder=run_directory.private_folder())
    yield prover
    prover.close()


@pytest.fixture
def own(everything: Path) -> Iterator[tuple[RunDirectory, Cluster, Prover]]:
    """A cluster that a test may break."""
    directory = RunDirectory.create()
    embedded = EmbeddedProvider(load_profile("embedded"), directory, kubernetes="1.37", assets=None, report=print)
    cluster = embedded.cluster(everything)
    policy = load_policy(everything)
    folder = directory.private_folder()
    prover = Prover(ServerView(cluster, embedded), policy, running=policy, folder=folder)
    yield directory, cluster, prover
    prover.close()
    directory.close()


def only(proofs: tuple[Proof, ...]) -> Proof:
    (proof,) = proofs
    return proof


def test_a_recorded_action_is_proven(prover: Prover) -> None:
    verdict = only(prover.prove([step(READ)])).verdict

    assert verdict.outcome is Outcome.PROVEN, verdict.reasons
    assert [event.stage for event in verdict.evidence.events] == [Stage.REQUEST_RECEIVED, Stage.RESPONSE_COMPLETE]
    assert verdict.evidence.exchange.status == 200


def test_what_later_cases_need_is_defined_before_them_and_no_mistake_is_told_for_them(
    prover: Prover, cluster: Cluster
) -> None:
    names = {"plural": "boats", "singular": "boat", "kind": "Boat"}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "boats.sea.example.com"},
        "spec": {"group": "sea.example.com", "scope": "Namespaced", "names": names, "versions": [version]},
    }
    wrong = {**definition, "metadata": {"name": "not.what.it.is"}}
    elsewhere = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "harbour"}}

    prover.define([wrong, elsewhere, definition])

    assert cluster.probe().request("GET", "/apis/sea.example.com/v1/boats").status == 200
    assert cluster.probe().request("GET", "/api/v1/namespaces/harbour").status == 404
    assert only(prover.prove([step(READ)])).verdict.outcome is Outcome.PROVEN


def test_under_recording_is_violated(prover: Prover) -> None:
    verdict = only(prover.prove([step(READ, expect=Expectation(level=Level.REQUEST_RESPONSE))])).verdict

    assert verdict.outcome is Outcome.VIOLATED
    assert verdict.reasons[0] == "recorded at Metadata, expected RequestResponse"


def test_over_recording_is_violated(prover: Prover) -> None:
    verdict = only(prover.prove([step(READ, expect=Expectation(level=Level.NONE))])).verdict

    assert verdict.outcome is Outcome.VIOLATED
    assert verdict.reasons[0] == "recorded at Metadata, expected excluded"


def test_a_stage_too_many_is_violated(prover: Prover) -> None:
    expect = Expectation(stages=frozenset({Stage.RESPONSE_COMPLETE}))

    verdict = only(prover.prove([step(READ, expect=expect)])).verdict

    assert verdict.outcome is Outcome.VIOLATED
    assert "recorded at stage RequestReceived" in verdict.reasons[0]


def test_another_answer_than_the_case_says_is_unproven(prover: Prover) -> None:
    verdict = only(prover.prove([step(READ, expect=Expectation(status=403))])).verdict

    assert verdict.outcome is Outcome.UNPROVEN
    assert "got HTTP 200, expected 403" in verdict.reasons[0]


def test_a_server_that_runs_another_policy_is_found_out(
    cluster: Cluster, everything: Path, run_directory: RunDirectory
) -> None:
    judged = parse_policy(b"apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Request\n", "judged.yaml")
    running, folder = load_policy(everything), run_directory.private_folder()
    prover = Prover(silent(cluster), judged, running=running, folder=folder)

    verdict = only(prover.prove([step(READ)])).verdict
    prover.close()

    assert verdict.outcome is Outcome.VIOLATED
    assert any("either the server does not run this policy, or auditproof is wrong" in text for text in verdict.reasons)


def test_every_impersonated_group_reaches_the_server(prover: Prover) -> None:
    asked = Impersonation("bob", ("ops", "oncall"))
    deputy = Identity(IdentityKind.X509, "deputy", impersonates=asked)

    verdict = only(prover.prove([step(READ, deputy)])).verdict

    assert verdict.outcome is Outcome.PROVEN, verdict.reasons
    impersonated = verdict.evidence.events[-1].raw["impersonatedUser"]
    assert impersonated["groups"] == ["ops", "oncall", "system:authenticated"]


def test_a_user_with_a_name_longer_than_x520_allows_is_proven(prover: Prover) -> None:
    verdict = only(prover.prove([step(READ, Identity.x509("a" * 200))])).verdict

    assert verdict.outcome is Outcome.PROVEN, verdict.reasons
    assert verdict.evidence.events[-1].username == "a" * 200


def test_each_request_is_sent_once_with_a_name_of_its_own(prover: Prover) -> None:
    proofs = prover.prove([step(READ, name=f"step-{n}") for n in range(20)])

    exchanges = [proof.verdict.evidence.exchange for proof in proofs]
    assert len({exchange.audit_id for exchange in exchanges}) == 20
    assert [len(proof.verdict.evidence.events) for proof in proofs] == [2] * 20
    agents = {proof.verdict.evidence.events[0].raw["userAgent"].partition(" ")[0] for proof in proofs}
    assert agents == {f"auditproof/step-{n}" for n in range(20)}


def test_a_large_answer_with_a_declared_length_is_proven(prover: Prover) -> None:
    request = path_request("GET", "/openapi/v2")
    proofs = prover.prove([Case(f"openapi-{n}", ALICE, request, Expectation()) for n in range(10)])

    assert [proof.verdict.outcome for proof in proofs] == [Outcome.PROVEN] * 10


def meanwhile(prover: Prover, disturb: Callable[[], object]) -> Verdict:
    """The verdict of a watch of a second in the middle of which ``disturb`` happens."""
    prover.prove([step(READ)])  # the rights and connections are there, so that the next batch begins at once
    watch = step(act("watch", "namespaces"), name="watch")
    prover.prove([watch])
    timer = threading.Timer(0.4, disturb)
    timer.start()
    proof = only(prover.prove([watch]))
    timer.join()
    return proof.verdict


def test_a_line_that_is_no_event_leaves_everything_unproven(own: tuple[RunDirectory, Cluster, Prover]) -> None:
    _, cluster, prover = own

    def scribble() -> None:
        with cluster.log.open("ab") as log:
            log.write(b"this is no event\n")

    verdict = meanwhile(prover, scribble)

    assert verdict.outcome is Outcome.UNPROVEN
    assert "this line is not an audit event" in " ".join(verdict.reasons)


def test_a_log_that_is_truncated_leaves_everything_unproven(own: tuple[RunDirectory, Cluster, Prover]) -> None:
    _, cluster, prover = own

    verdict = meanwhile(prover, lambda: os.truncate(cluster.log, 0))

    assert verdict.outcome is Outcome.UNPROVEN
    assert "truncated" in " ".join(verdict.reasons)


def test_a_log_that_is_deleted_leaves_everything_unproven(own: tuple[RunDirectory, Cluster, Prover]) -> None:
    _, cluster, prover = own

    verdict = meanwhile(prover, cluster.log.unlink)

    assert verdict.outcome is Outcome.UNPROVEN
    assert "audit.log" in " ".join(verdict.reasons)


def test_a_server_that_dies_in_the_middle_leaves_everything_unproven(
    own: tuple[RunDirectory, Cluster, Prover],
) -> None:
    directory, cluster, prover = own
    pid, _ = directory.entry(cluster.name)

    def kill() -> None:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)

    verdict = meanwhile(prover, kill)

    assert verdict.outcome is Outcome.UNPROVEN
    assert "exited" in " ".join(verdict.reasons)


def test_nothing_is_performed_on_a_server_that_is_dead_already(own: tuple[RunDirectory, Cluster, Prover]) -> None:
    directory, cluster, prover = own
    pid, _ = directory.entry(cluster.name)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)

    with pytest.raises(AuditproofError):
        prover.prove([step(READ)])
