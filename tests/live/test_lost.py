"""What an API server itself loses, which no policy and no fence brings back: it is found out, and never a pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditproof.audit.policy.load import load_policy
from auditproof.cases.case import Case
from auditproof.cases.expectation import Expectation
from auditproof.kube.action import act, to_request
from auditproof.kube.identity import Identity
from auditproof.proof.prover import Prover
from auditproof.proof.verdict import Outcome
from tests.support.views import silent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from auditproof.clusters.embedded import EmbeddedProvider
    from auditproof.clusters.run.run_directory import RunDirectory
    from auditproof.proof.verdict import Verdict

ALICE = Identity.x509("alice")
GIVEN = ({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "lost"}},)
FLOW = b"{apiVersion: v1, kind: ConfigMap, metadata: {name: flow}, data: {colour: blue}}"


def apply(level: str, body: bytes, cluster: tuple[EmbeddedProvider, RunDirectory, Callable[[str], Path]]) -> Verdict:
    embedded, directory, write = cluster
    head = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\n"
    path = write(f"{head}rules:\n- {{level: {level}, namespaces: [lost]}}\n- {{level: Metadata}}\n")
    running = load_policy(path)
    folder = directory.private_folder()
    prover = Prover(silent(embedded.cluster(path)), running, running=running, folder=folder)
    request = to_request(act("patch", "configmaps/flow", "lost", patch="apply", raw=body))
    (proof,) = prover.prove([Case("step", ALICE, request, Expectation(status=201), GIVEN)])
    prover.close()
    return proof.verdict


@pytest.fixture
def cluster(
    embedded: EmbeddedProvider, run_directory: RunDirectory, write_policy: Callable[[str], Path]
) -> tuple[EmbeddedProvider, RunDirectory, Callable[[str], Path]]:
    return embedded, run_directory, write_policy


@pytest.mark.covers("T26")
def test_an_apply_in_yaml_that_looks_like_json_leaves_no_event_where_bodies_are_recorded(
    cluster: tuple[EmbeddedProvider, RunDirectory, Callable[[str], Path]],
) -> None:
    """It begins with a brace, so that ToJSON leaves it as it is (k8s.io/apimachinery pkg/util/yaml/decoder.go)."""
    verdict = apply("Request", FLOW, cluster)

    assert verdict.evidence.exchange.status == 201, "the object is made"
    assert verdict.evidence.events == ()
    assert verdict.outcome is Outcome.UNPROVEN
    assert verdict.reasons[0] == "the server counts 1 lost audit events and 0 rejected requests"


def test_where_no_bodies_are_recorded_it_leaves_one(
    cluster: tuple[EmbeddedProvider, RunDirectory, Callable[[str], Path]],
) -> None:
    verdict = apply("Metadata", FLOW, cluster)

    assert verdict.outcome is Outcome.PROVEN, verdict.reasons
