"""Requests whose answer does not show that they are over: streams, clients that hang up, time-outs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditproof.audit.event import Level, Stage
from auditproof.audit.policy.load import load_policy
from auditproof.cases.case import Case
from auditproof.cases.expectation import Expectation
from auditproof.kube.action import act, path_request, to_request
from auditproof.kube.identity import Identity
from auditproof.proof.prover import Prover
from auditproof.proof.server_view import ServerView
from auditproof.proof.verdict import Outcome
from tests.support.views import silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from auditproof.clusters.embedded import EmbeddedProvider
    from auditproof.clusters.run.run_directory import RunDirectory
    from auditproof.kube.action import Request
    from auditproof.proof.verdict import Verdict

ALICE = Identity.x509("alice", "developers")
SHORT = [Stage.REQUEST_RECEIVED, Stage.RESPONSE_COMPLETE]
LONG = [Stage.REQUEST_RECEIVED, Stage.RESPONSE_STARTED, Stage.RESPONSE_COMPLETE]
WAITS = "/api/v1/namespaces/default/configmaps?resourceVersion=900000000&resourceVersionMatch=NotOlderThan"
POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- {level: None, namespaces: [unseen]}
- {level: Metadata, namespaces: [unfinished], omitStages: [ResponseComplete]}
- {level: Metadata}
"""


@pytest.fixture(scope="module")
def policy(write_policy: Callable[[str], Path]) -> Path:
    return write_policy(POLICY)


@pytest.fixture
def prover(embedded: EmbeddedProvider, policy: Path, run_directory: RunDirectory) -> Iterator[Prover]:
    cluster = embedded.cluster(policy)
    loaded = load_policy(policy)
    prover = Prover(
        ServerView(cluster, embedded),
        loaded,
        running=loaded,
        folder=run_directory.private_folder(),
    )
    yield prover
    prover.close()


def given(namespace: str) -> tuple[dict[str, object], ...]:
    spec = {"nodeName": "<node>", "containers": [{"name": "main", "image": "<pod-image>"}]}
    return (
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": namespace}},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": namespace}, "spec": spec},
    )


def prove(prover: Prover, request: Request, *, namespace: str = "seen", status: int | None = None) -> Verdict:
    (proof,) = prover.prove([Case("step", ALICE, request, Expectation(status=status), given(namespace))])
    return proof.verdict


def stream(namespace: str, client: str = "") -> Request:
    query = {"command": "id", "stdout": "true", "stderr": "true"}
    return to_request(act("get", "pods/web/exec", namespace, query=query, upgrade="websocket", client=client))


@pytest.mark.parametrize("client", ["", "stays"])
def test_a_stream_is_proven_to_its_last_event(prover: Prover, client: str) -> None:
    verdict = prove(prover, stream("seen", client), status=101)

    assert verdict.outcome is Outcome.PROVEN, verdict.reasons
    assert [event.stage for event in verdict.evidence.events] == LONG


@pytest.mark.parametrize("namespace", ["unseen", "unfinished"])
def test_what_is_not_recorded_of_a_stream_is_proven_by_the_servers_own_log(prover: Prover, namespace: str) -> None:
    verdict = prove(prover, stream(namespace), namespace=namespace, status=101)

    assert verdict.outcome is Outcome.PROVEN, verdict.reasons
    assert len(verdict.evidence.events) == {"unseen": 0, "unfinished": 2}[namespace]


def test_without_the_servers_own_log_it_is_not(
    embedded: EmbeddedProvider, policy: Path, run_directory: RunDirectory
) -> None:
    cluster, loaded = embedded.cluster(policy), load_policy(policy)
    folder = run_directory.private_folder()
    prover = Prover(silent(cluster), loaded, running=loaded, folder=folder)

    verdict = prove(prover, stream("unseen"), namespace="unseen", status=101)

    prover.close()
    assert verdict.outcome is Outcome.UNPROVEN
    assert any("its connection ended before a follow-up request" in reason for reason in verdict.reasons)


@pytest.mark.parametrize(("namespace", "events"), [("seen", LONG), ("unseen", [])])
def test_a_watch_that_is_hung_up_is_proven(prover: Prover, namespace: str, events: list[Stage]) -> None:
    uri = f"/api/v1/namespaces/{namespace}/configmaps?watch=true&timeoutSeconds=300"

    verdict = prove(prover, path_request("GET", uri, client="hangsUpInAnswer"), namespace=namespace, status=200)

    assert verdict.outcome is Outcome.PROVEN, verdict.reasons
    assert [event.stage for event in verdict.evidence.events] == events


def test_a_request_that_is_hung_up_is_proven_by_its_last_event(prover: Prover) -> None:
    for request in (
        to_request(act("create", "configmaps/half", "seen", client="hangsUpInRequest")),
        path_request("GET", WAITS, client="hangsUpWaiting"),
    ):
        verdict = prove(prover, request)

        assert verdict.outcome is Outcome.PROVEN, verdict.reasons
        assert [event.stage for event in verdict.evidence.events] == SHORT
        assert verdict.evidence.exchange.status == 0


def test_that_a_request_which_was_hung_up_leaves_nothing_cannot_be_shown(prover: Prover) -> None:
    request = to_request(act("create", "configmaps/half", "unseen", client="hangsUpInRequest"))

    verdict = prove(prover, request, namespace="unseen")

    assert verdict.outcome is Outcome.UNPROVEN
    assert "its client hung up" in verdict.reasons[0]


def test_after_a_time_out_the_last_event_is_waited_for(prover: Prover) -> None:
    broken = act("create", "configmaps/half", "seen", query={"timeout": "4s"}, raw=b"no JSON", client="stalls")

    verdict = prove(prover, to_request(broken), status=504)

    assert verdict.outcome is Outcome.PROVEN, verdict.reasons
    assert [event.stage for event in verdict.evidence.events] == SHORT
    assert verdict.evidence.events[-1].raw["responseStatus"]["code"] == 400, "the handler's own answer"


def test_that_a_time_out_leaves_nothing_cannot_be_shown(prover: Prover) -> None:
    request = to_request(act("create", "configmaps/half", "unseen", query={"timeout": "4s"}, client="stalls"))

    verdict = prove(prover, request, namespace="unseen", status=504)

    assert verdict.outcome is Outcome.UNPROVEN
    assert "answered 504, and its handler may still run" in verdict.reasons[0]


def test_a_timeout_that_is_none_is_refused_before_anybody_is_authenticated(prover: Prover) -> None:
    verdict = prove(prover, path_request("GET", "/api/v1/namespaces/seen/configmaps?timeout=soon"), status=400)

    assert verdict.outcome is Outcome.PROVEN, verdict.reasons
    assert [(event.stage, event.level, event.username) for event in verdict.evidence.events] == [
        (Stage.RESPONSE_STARTED, Level.METADATA, "")
    ]
