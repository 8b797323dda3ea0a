"""Large bodies on a real API server: what is taken is recorded whole, what is refused as too large is not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from auditproof.audit.policy.load import load_policy
from auditproof.cases.case import Case
from auditproof.cases.expectation import Expectation
from auditproof.kube.action import act, to_request
from auditproof.kube.identity import Identity
from auditproof.proof.prover import Prover
from auditproof.proof.server_view import ServerView
from auditproof.proof.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from auditproof.clusters.embedded import EmbeddedProvider
    from auditproof.clusters.run.run_directory import RunDirectory
    from auditproof.kube.action import Action

ALICE = Identity.x509("alice")
WHERE = "large"
GIVEN = (
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": WHERE}},
    {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": WHERE}},
)
MIB = 1024 * 1024
LIMIT = 3 * MIB  # of a body (k8s.io/apiserver pkg/server/config.go, MaxRequestBodyBytes)
POLICY = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: RequestResponse\n"


@pytest.fixture
def prover(
    embedded: EmbeddedProvider, write_policy: Callable[[str], Path], run_directory: RunDirectory
) -> Iterator[Prover]:
    path = write_policy(POLICY)
    policy, cluster = load_policy(path), embedded.cluster(path)
    folder = run_directory.private_folder()
    prover = Prover(ServerView(cluster, embedded), policy, running=policy, folder=folder)
    yield prover
    prover.close()


def event(prover: Prover, action: Action, status: int) -> dict[str, Any]:
    (proof,) = prover.prove([Case("step", ALICE, to_request(action), Expectation(status=status), GIVEN)])
    assert proof.verdict.outcome is Outcome.PROVEN, proof.verdict.reasons
    return dict(proof.verdict.evidence.events[-1].raw)


def test_a_body_that_is_taken_is_recorded_whole_on_one_line(prover: Prover) -> None:
    text = "x" * 1_000_000

    recorded = event(prover, act("create", "configmaps/big", WHERE, body={"data": {"text": text}}), 201)

    assert recorded["requestObject"]["data"]["text"] == text
    assert recorded["responseObject"]["data"]["text"] == text


def test_a_list_of_large_objects_is_recorded_whole(prover: Prover) -> None:
    for number in range(3):
        event(prover, act("create", f"configmaps/big-{number}", WHERE, body={"data": {"text": "x" * 900_000}}), 201)

    recorded = event(prover, act("list", "configmaps", WHERE), 200)

    assert sum(len(item.get("data", {}).get("text", "")) for item in recorded["responseObject"]["items"]) >= 2_700_000


def test_a_body_that_validation_finds_too_long_is_recorded_whole(prover: Prover) -> None:
    text = "x" * (MIB + 1)

    recorded = event(prover, act("create", "configmaps/too-big", WHERE, body={"data": {"text": text}}), 422)

    assert recorded["requestObject"]["data"]["text"] == text
    assert recorded["responseObject"]["reason"] == "Invalid"


@pytest.mark.parametrize(("verb", "name"), [("create", "huge"), ("update", "settings"), ("patch", "settings")])
def test_a_body_beyond_the_limit_is_not_recorded(prover: Prover, verb: str, name: str) -> None:
    body = json.dumps({"metadata": {"name": name}, "data": {"text": "x" * LIMIT}}).encode()

    recorded = event(prover, act(verb, f"configmaps/{name}", WHERE, raw=body), 413)

    assert "requestObject" not in recorded
    assert recorded["responseStatus"]["code"] == 413
    assert recorded["responseObject"]["reason"] == "RequestEntityTooLarge"


def test_a_json_patch_of_too_many_operations_is_recorded_whole(prover: Prover) -> None:
    operations = [{"op": "add", "path": "/data", "value": {}}] * 10_001

    recorded = event(prover, act("patch", "configmaps/settings", WHERE, patch="json", body=operations), 413)

    assert len(recorded["requestObject"]) == 10_001
