"""What must not pass for a proof, nor for a violation, on a real server: answers and logs that show nothing.

The log is the server's own, handed on by a reader that loses, doubles, reorders or forges lines.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from auditproof.audit.event import Level
from auditproof.audit.policy.load import load_policy
from auditproof.auditlog.file_log import FileLog
from auditproof.cases.case import Case
from auditproof.cases.expectation import Expectation
from auditproof.kube.action import path_request
from auditproof.kube.identity import Identity
from auditproof.proof.prover import Prover
from auditproof.proof.verdict import Outcome
from tests.support.views import silent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from auditproof.auditlog.file_log import LogSlice, Mark
    from auditproof.clusters.cluster import Cluster
    from auditproof.clusters.embedded import EmbeddedProvider
    from auditproof.clusters.run.run_directory import RunDirectory
    from auditproof.proof.verdict import Verdict

POLICY = """apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- level: None
  users: [bob]
- level: Request
  verbs: [create, update, patch, delete]
- level: Metadata
"""
ALICE, BOB = Identity.x509("alice"), Identity.x509("bob")
GET = path_request("GET", "/api/v1/namespaces/default/secrets/db")


class TamperedLog(FileLog):
    """The server's log through a reader that changes the lines: ``tamper`` is given those of our own actions."""

    def __init__(self, source: Path, copy: Path, tamper: Callable[[list[bytes]], list[bytes]]) -> None:
        copy.write_bytes(source.read_bytes())
        self._source, self._copy, self._tamper = source, copy, tamper
        self._known = copy.stat().st_size
        super().__init__(copy)

    def read(self, since: Mark, wanted: Callable[..., bool]) -> LogSlice:
        data = self._source.read_bytes()[self._known :]
        data = data[: data.rfind(b"\n") + 1]
        self._known += len(data)
        lines = data.splitlines(keepends=True)
        own = [line for line in lines if b'"userAgent":"auditproof/action' in line]
        others = [line for line in lines if line not in own]
        with self._copy.open("ab") as file:
            file.writelines(self._tamper(own) + others if own else others)
        return super().read(since, wanted)


@pytest.fixture(scope="module")
def policy(write_policy: Callable[[str], Path]) -> Path:
    return write_policy(POLICY)


@pytest.fixture(scope="module")
def cluster(embedded: EmbeddedProvider, policy: Path) -> Cluster:
    return embedded.cluster(policy)


@pytest.fixture
def prove(
    cluster: Cluster, policy: Path, run_directory: RunDirectory, tmp_path: Path
) -> Callable[..., tuple[Verdict, ...]]:
    """Proves actions on the server, mostly with its own log."""
    loaded = load_policy(policy)

    def prove(
        *actions: tuple[Any, ...], tamper: Callable[[list[bytes]], list[bytes]] | None = None, **changed: Any
    ) -> tuple[Verdict, ...]:
        log = TamperedLog(cluster.log, tmp_path / "audit.log", tamper) if tamper else None
        prover = Prover(
            silent(replace(cluster, **changed), log),
            loaded,
            running=loaded,
            folder=run_directory.private_folder(),
            patience_s=2,
        )
        steps = [
            Case(f"action-{n}", who, request, Expectation(level=level))
            for n, (who, request, level) in enumerate(actions)
        ]
        try:
            return tuple(proof.verdict for proof in prover.prove(steps))
        finally:
            prover.close()

    return prove


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (("Expect", "the-unexpected"), 417),
        (("Transfer-Encoding", "unheard-of"), 501),
        (("X-Large", "x" * 2_000_000), 431),
    ],
    ids=["expect", "transfer-encoding", "too-large"],
)
def test_what_gos_http_server_answers_by_itself_shows_nothing(
    prove: Callable[..., tuple[Verdict, ...]], header: tuple[str, str], status: int
) -> None:
    """The policy is never asked: neither that the request is excluded is shown, nor that its event is missing."""
    request = path_request("GET", "/api/v1/namespaces/default/secrets/db", (header,))

    excluded, recorded = prove((BOB, request, Level.NONE), (ALICE, request, Level.METADATA))

    for verdict in (excluded, recorded):
        assert verdict.outcome is Outcome.UNPROVEN
        assert verdict.evidence.exchange.status in (status, 0), verdict.reasons  # 0: it hung up before it had all read


def _forge(user: str) -> Callable[[list[bytes]], list[bytes]]:
    def forge(lines: list[bytes]) -> list[bytes]:
        events = [json.loads(line) for line in lines]
        for event in events:
            event["user"]["username"] = user
            event["objectRef"]["user"] = "alice"
        return [json.dumps(event).encode() + b"\n" for event in events]

    return forge


@pytest.mark.parametrize(
    ("tamper", "level", "outcome"),
    [
        (lambda lines: lines, Level.METADATA, Outcome.PROVEN),
        (lambda _: [], Level.METADATA, Outcome.UNPROVEN),
        (lambda lines: lines[:1], Level.METADATA, Outcome.UNPROVEN),
        (lambda lines: lines * 2, Level.METADATA, Outcome.UNPROVEN),
        (lambda lines: lines[::-1], Level.METADATA, Outcome.UNPROVEN),
        (lambda lines: [line.replace(b"Metadata", b"Request") for line in lines], Level.METADATA, Outcome.UNPROVEN),
        (lambda lines: [line.replace(b'"auditproof-', b'"x-') for line in lines], Level.METADATA, Outcome.UNPROVEN),
        (_forge("mallory"), Level.METADATA, Outcome.UNPROVEN),
    ],
    ids=["as-it-is", "lost", "half-lost", "doubled", "reordered", "another-level", "another-id", "objectRef.user"],
)
def test_a_reader_that_tampers_with_the_log_neither_proves_nor_violates(
    prove: Callable[..., tuple[Verdict, ...]],
    tamper: Callable[[list[bytes]], list[bytes]],
    level: Level,
    outcome: Outcome,
) -> None:
    (verdict,) = prove((ALICE, GET, level), tamper=tamper)

    assert verdict.outcome is outcome, verdict.reasons


def test_a_user_who_is_filtered_out_on_somebody_elses_cluster_is_not_taken_for_excluded(
    cluster: Cluster,
    write_policy: Callable[[str], Path],
    run_directory: RunDirectory,
    tmp_path: Path,
    embedded: EmbeddedProvider,
) -> None:
    """The server records carol, the file says that it does not, and the reader shows nothing of her."""
    file = write_policy(POLICY.replace("[bob]", "[bob, carol]"))
    believed = load_policy(file)
    log = TamperedLog(cluster.log, tmp_path / "audit.log", lambda _: [])
    somebodys = replace(cluster, shared_run_id="run", policy=file)
    prover = Prover(
        silent(somebodys, log),
        believed,
        running=believed,
        folder=run_directory.private_folder(),
        patience_s=2,
    )
    try:
        (proof,) = prover.prove([Case("action-1", Identity.x509("carol"), GET, Expectation(level=Level.NONE))])
    finally:
        prover.close()

    assert proof.verdict.outcome is Outcome.UNPROVEN, proof.verdict.reasons
