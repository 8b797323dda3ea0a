"""The stand-in kubelet behind a real API server: what a client asks of a node or a pod gets there, and is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditproof.audit.policy.load import load_policy
from auditproof.cases.case import Case
from auditproof.cases.expectation import Expectation
from auditproof.kube.action import act, to_request
from auditproof.kube.identity import Identity
from auditproof.proof.prover import Prover
from auditproof.proof.server_view import ServerView

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from auditproof.client.exchange import Exchange
    from auditproof.clusters.cluster import Cluster
    from auditproof.clusters.embedded import EmbeddedProvider
    from auditproof.clusters.run.run_directory import RunDirectory

ALICE = Identity.x509("alice", "developers")
WHERE = "kubelet"
GIVEN: tuple[dict[str, Any], ...] = (
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": WHERE}},
    {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": WHERE}},
    {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": WHERE, "labels": {"app": "web"}},
        "spec": {"nodeName": "<node>", "containers": [{"name": "main", "image": "<pod-image>"}]},
    },
    {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "waiting", "namespace": WHERE},
        "spec": {"nodeName": "<node>", "containers": [{"name": "absent", "image": "registry.invalid/absent:1"}]},
    },
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": WHERE},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
    },
)
COMMAND = {"command": "id", "stdout": "true", "stderr": "true"}


@pytest.fixture
def prover(embedded: EmbeddedProvider, everything: Path, run_directory: RunDirectory) -> Iterator[Prover]:
    cluster: Cluster = embedded.cluster(everything)
    policy = load_policy(everything)
    folder = run_directory.private_folder()
    prover = Prover(ServerView(cluster, embedded), policy, running=policy, folder=folder)
    yield prover
    prover.close()


def ask(prover: Prover, verb: str, target: str, **options: Any) -> Exchange:
    namespace = "" if target.startswith("nodes") else WHERE
    request = to_request(act(verb, target, namespace, **options))
    (proof,) = prover.prove([Case("step", ALICE, request, Expectation(), GIVEN)])
    return proof.verdict.evidence.exchange


@pytest.mark.covers("T35")
@pytest.mark.parametrize(
    ("verb", "target", "options"),
    [
        ("get", "pods/web/exec", {"query": COMMAND, "upgrade": "websocket"}),
        (
            "get",
            "pods/web/exec",
            {"query": COMMAND, "upgrade": "websocket", "headers": (("Sec-WebSocket-Protocol", "v4.channel.k8s.io"),)},
        ),
        ("create", "pods/web/exec", {"query": COMMAND, "upgrade": "spdy"}),
        ("get", "pods/web/attach", {"query": {"stdout": "true"}, "upgrade": "websocket"}),
        ("create", "pods/web/attach", {"query": {"stdout": "true"}, "upgrade": "spdy"}),
        ("get", "pods/web/portforward", {"query": {"ports": "80"}, "upgrade": "websocket"}),
        ("create", "pods/web/portforward", {"query": {"ports": "80"}, "upgrade": "spdy"}),
    ],
)
def test_a_stream_is_opened_and_its_answer_has_no_audit_id(
    prover: Prover, verb: str, target: str, options: dict[str, Any]
) -> None:
    exchange = ask(prover, verb, target, **options)

    assert exchange.status == 101, (exchange.body, exchange.error)
    assert exchange.header("Audit-Id") == ""


@pytest.mark.parametrize(
    ("verb", "target"),
    [
        ("get", "pods/web/log"),
        ("get", "pods/web/proxy/health"),
        ("create", "pods/web/proxy/health"),
        ("delete", "services/web/proxy/thing"),
        ("get", "nodes/<node>/proxy/healthz"),
    ],
)
def test_a_plain_request_is_answered(prover: Prover, verb: str, target: str) -> None:
    exchange = ask(prover, verb, target)

    assert exchange.status == 200, exchange.body


@pytest.mark.parametrize(("target", "status"), [("pods/waiting/log", 400), ("pods/waiting/exec", 500)])
def test_what_does_not_run_is_refused(prover: Prover, target: str, status: int) -> None:
    exchange = ask(
        prover,
        "create" if "exec" in target else "get",
        target,
        query=COMMAND if "exec" in target else {},
        upgrade="spdy" if "exec" in target else "",
    )

    assert exchange.status == status, (exchange.body, exchange.error)
