"""What lint says of requests, asked of real API servers that run the examples of docs/lint.md."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from auditproof.analysis.lint import lint
from auditproof.analysis.space import Space
from auditproof.analysis.space.client_request import performable
from auditproof.audit.event import Level, Stage
from auditproof.audit.leaks import leaks
from auditproof.audit.policy.load import load_policy, parse_policy
from auditproof.audit.server_flags import DEFAULT_FLAGS
from auditproof.cases.case import Case
from auditproof.cases.expectation import Expectation
from auditproof.clusters.discovery import discover
from auditproof.clusters.server_record import RECORD
from auditproof.content import root
from auditproof.kube.action import Request, act, path_request, to_request
from auditproof.kube.discovery import load_served
from auditproof.kube.identity import Identity
from auditproof.proof.prover import Prover
from auditproof.proof.verdict import Outcome
from auditproof.setup.admin import AdminClient
from auditproof.setup.objects import Objects
from tests.support.documented import SECTIONS
from tests.support.views import silent

if TYPE_CHECKING:
    from auditproof.audit.event import AuditEvent
    from auditproof.clusters.cluster import Cluster
    from auditproof.clusters.embedded import EmbeddedProvider
    from auditproof.clusters.run.run_directory import RunDirectory
    from auditproof.kube.attributes import Attributes
    from auditproof.proof.prover import Proof
    from tests.support.documented import Documented

SERVED = load_served("1.37")
WITH_REQUESTS = [s for s in SECTIONS if s.code not in ("AP001", "AP701", "AP702") and s.kubernetes == "1.37"]
BY_CODE = {section.code: section for section in SECTIONS}
ON_SERVERS = {"AP104", "AP204", "AP401", "AP402", "AP403", "AP404", "AP501", "AP502", "AP503", "AP504"}
EXAMPLES = {"AP101", "AP103", "AP201", "AP207", "AP301", "AP304", "AP314", "AP601"}  # of each family
ALICE = Identity.x509("alice", "developers")
ADMIN = Identity.x509("somebody", "system:masters")
CANARY = "nightingale-canary-4711"
POLICY = "apiVersion: audit.k8s.io/v1\nkind: Policy\n"
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {"containers": [{"name": "main", "image": "registry.invalid/web:1"}], "nodeName": "nowhere"},
}
ACCOUNT = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": "default"}}


Servers = Callable[[Sequence[Path]], AbstractContextManager[dict[Path, Prover]]]
Pair = Callable[[str], AbstractContextManager[tuple[Prover, Prover]]]
ExampleOf = Callable[[str], AbstractContextManager[Prover]]


@pytest.fixture(scope="module")
def servers(embedded: EmbeddedProvider, run_directory: RunDirectory) -> Servers:
    """Gives a prover for each policy, on a server of its own; the servers end with the block."""

    @contextmanager
    def started(paths: Sequence[Path]) -> Iterator[dict[Path, Prover]]:
        embedded.prepare()
        embedded.start_all([(path, DEFAULT_FLAGS) for path in paths])
        clusters = {path: embedded.cluster(path) for path in paths}
        provers = {path: prover_of(cluster, path, run_directory.private_folder()) for path, cluster in clusters.items()}
        yield provers
        for path, prover in provers.items():
            prover.close()
            run_directory.end(clusters[path].name)
            (clusters[path].policy.parent / RECORD).unlink(missing_ok=True)  # another test may need it again

    return started


@pytest.fixture(scope="module")
def pair(servers: Servers, write_policy: Callable[[str], Path]) -> Pair:
    """Gives the servers of a code's example, on which its findings are shown first, and of what to do instead."""

    @contextmanager
    def started(code: str) -> Iterator[tuple[Prover, Prover]]:
        section = BY_CODE[code]
        example, instead = write_policy(section.example), write_policy(section.instead)
        with servers([example, instead]) as provers:
            show_findings(provers[example], section)
            yield provers[example], provers[instead]

    return started


@pytest.fixture(scope="module")
def example_of(servers: Servers, write_policy: Callable[[str], Path]) -> ExampleOf:
    """Gives the server of a code's example, on which its findings are shown first."""

    @contextmanager
    def started(code: str) -> Iterator[Prover]:
        path = write_policy(BY_CODE[code].example)
        with servers([path]) as provers:
            show_findings(provers[path], BY_CODE[code])
            yield provers[path]

    return started


def prover_of(cluster: Cluster, path: Path, folder: Path) -> Prover:
    policy = load_policy(path)
    return Prover(silent(cluster), policy, running=policy, folder=folder)


def of_each_family() -> list[str]:
    """Some codes of those that have no server in another test here, or all of them with AUDITPROOF_TEST_ALL=1."""
    rest = [section.code for section in WITH_REQUESTS if section.code not in ON_SERVERS]
    return rest if os.environ.get("AUDITPROOF_TEST_ALL") else [code for code in rest if code in EXAMPLES]


@pytest.mark.thorough
@pytest.mark.parametrize("code", of_each_family())
def test_every_request_that_shows_a_finding_is_recorded_as_the_finding_says(code: str, example_of: ExampleOf) -> None:
    """The examples' policies, byte for byte; tests/analysis/test_lint.py compares all of them with decide()."""
    with example_of(code):
        pass


def show_findings(prover: Prover, section: Documented) -> None:
    """Send the requests that show an example's findings: the server decides about each as lint says that it does."""
    shown = [found.shown for found in lint(parse_policy(section.example.encode(), "p.yaml"), SERVED) if found.shown]
    steps = [
        Case(f"{section.code}-{n}", one.identity, one.request, Expectation(level=request.decision.level))
        for n, request in enumerate(shown)
        for one in [performable(request.attributes)]
        if not _loses_all_stages(request.decision.omit_stages)
    ]
    assert shown
    wrong = {
        (proof.case.id, str(proof.case.identity), proof.case.request.uri): proof.verdict.reasons
        for proof in prover.prove(steps)
        if proof.verdict.outcome is not Outcome.PROVEN
    }
    assert not wrong


def _loses_all_stages(omitted: frozenset[Stage]) -> bool:
    """Whether no event is left by which a level could be told; these are looked at one by one below."""
    return Stage.RESPONSE_STARTED in omitted or Stage.RESPONSE_COMPLETE in omitted


def perform(prover: Prover, *steps: tuple[Identity, Request]) -> tuple[Proof, ...]:
    proofs = prover.prove(
        [
            Case(f"step-{n}", identity, request, Expectation(), (ACCOUNT, POD))
            for n, (identity, request) in enumerate(steps)
        ]
    )
    for proof in proofs:
        assert proof.verdict.outcome is Outcome.PROVEN, (proof.case.request.uri, proof.verdict.reasons)
    return proofs


def events_of(proof: Proof) -> tuple[AuditEvent, ...]:
    return proof.verdict.evidence.events


def levels(proofs: tuple[Proof, ...]) -> list[Level]:
    return [proof.verdict.evidence.level for proof in proofs]


@pytest.mark.thorough
def test_events_are_the_same_objects_in_both_groups(pair: Pair) -> None:
    """AP401: what is created in one group is read in the other, and the example leaves out only one of them."""
    body = {
        "metadata": {"name": "lint", "namespace": "default"},
        "involvedObject": {"kind": "Pod", "name": "web", "namespace": "default"},
    }
    create = to_request(act("create", "events/lint", "default", body=body))
    core = to_request(act("get", "events/lint", "default"))
    twin = to_request(act("get", "events.events.k8s.io/lint", "default"))
    with pair("AP401") as (example, instead):
        created, one, other = perform(example, (ALICE, create), (ALICE, core), (ALICE, twin))
        mended = perform(instead, (ALICE, core), (ALICE, twin))

    uids = [json.loads(proof.verdict.evidence.exchange.body)["metadata"]["uid"] for proof in (created, one, other)]
    assert len(set(uids)) == 1
    assert levels((one, other)) == [Level.NONE, Level.METADATA]
    assert levels(mended) == [Level.NONE, Level.NONE]


@pytest.mark.thorough
def test_exec_is_a_get_by_websocket_and_a_create_by_spdy(pair: Pair) -> None:
    """AP402: a rule for create misses the WebSocket that kubectl opens."""
    query = {"command": "id", "stdout": "true"}
    websocket = to_request(act("get", "pods/web/exec", "default", query=query, upgrade="websocket"))
    spdy = to_request(act("create", "pods/web/exec", "default", query=query, upgrade="spdy"))
    with pair("AP402") as (example, instead):
        halves = perform(example, (ALICE, websocket), (ALICE, spdy))
        wholes = perform(instead, (ALICE, websocket), (ALICE, spdy))

    assert levels(halves) == [Level.METADATA, Level.REQUEST]
    assert levels(wholes) == [Level.REQUEST, Level.REQUEST]


@pytest.mark.thorough
@pytest.mark.parametrize("code", ["AP403", "AP404"])
def test_failed_logins_are_lost(code: str, pair: Pair) -> None:
    read = to_request(act("list", "pods", "default"))
    with pair(code) as (example, instead):
        (lost,) = perform(example, (Identity.bad_token(), read))
        (kept,) = perform(instead, (Identity.bad_token(), read))

    assert lost.verdict.evidence.exchange.status == kept.verdict.evidence.exchange.status == 401
    assert events_of(lost) == ()
    assert [event.stage for event in events_of(kept)] == [Stage.RESPONSE_STARTED]


@pytest.mark.thorough
def test_contents_of_secrets_are_in_the_log(pair: Pair) -> None:
    """AP501: what is written and what is read, list included."""
    body = {"stringData": {"password": CANARY}}
    requests = [
        to_request(act("create", "secrets/lint", "default", body=body)),
        to_request(act("get", "secrets/lint", "default")),
        to_request(act("list", "secrets", "default")),
        to_request(act("patch", "secrets/lint", "default", body={"stringData": {"other": f"other-{CANARY}"}})),
        to_request(act("deletecollection", "secrets", "default")),
    ]
    with pair("AP501") as (example, instead):
        leaking = perform(example, *((ALICE, request) for request in requests))
        tight = perform(instead, *((ALICE, request) for request in requests))

    assert [bool(list(leaks(events_of(proof), CANARY))) for proof in leaking] == [True] * len(requests)
    assert [list(leaks(events_of(proof), CANARY)) for proof in tight] == [[]] * len(requests)


@pytest.mark.thorough
def test_deleting_and_watching_secrets_records_no_contents(
    write_policy: Callable[[str], Path], servers: Servers
) -> None:
    """AP501 is silent about these two verbs, at the highest level."""
    path = write_policy(f"{POLICY}rules:\n- {{level: RequestResponse, verbs: [create, watch, delete]}}\n")
    create = to_request(act("create", "secrets/lint", "default", body={"stringData": {"password": CANARY}}))
    watch = to_request(act("watch", "secrets", "default"))
    delete = to_request(act("delete", "secrets/lint", "default"))
    with servers([path]) as provers:
        created, watched, deleted = perform(provers[path], (ALICE, create), (ALICE, watch), (ALICE, delete))

    assert [event.level for event in events_of(watched)] == [Level.REQUEST_RESPONSE] * 3
    assert list(leaks(events_of(created), CANARY))
    assert not list(leaks((*events_of(watched), *events_of(deleted)), CANARY))


@pytest.mark.thorough
def test_an_issued_token_is_in_the_log(pair: Pair) -> None:
    """AP502: the answer to a TokenRequest holds the token."""
    issue = to_request(act("create", "serviceaccounts/default/token", "default"))
    with pair("AP502") as (example, instead):
        (leaking,) = perform(example, (ALICE, issue))
        (tight,) = perform(instead, (ALICE, issue))

    for proof, leaked in ((leaking, True), (tight, False)):
        token = json.loads(proof.verdict.evidence.exchange.body)["status"]["token"]
        assert bool(list(leaks(events_of(proof), token))) is leaked


@pytest.mark.thorough
def test_a_reviewed_token_is_in_the_log(pair: Pair) -> None:
    """AP503: a TokenReview carries the token, already at Request."""
    review = to_request(act("create", "tokenreviews.authentication.k8s.io", body={"spec": {"token": CANARY}}))
    with pair("AP503") as (example, instead):
        (leaking,) = perform(example, (ALICE, review))
        (tight,) = perform(instead, (ALICE, review))

    assert list(leaks(events_of(leaking), CANARY))
    assert not list(leaks(events_of(tight), CANARY))


@pytest.mark.thorough
def test_requestreceived_doubles_the_volume(pair: Pair, example_of: ExampleOf) -> None:
    """AP504, and AP204: a rule with a level that records nothing."""
    read = to_request(act("get", "configmaps/none", "default"))
    with pair("AP504") as (double, single), example_of("AP204") as silent:
        ((twice,), (once,), (never,)) = (perform(prover, (ALICE, read)) for prover in (double, single, silent))

    assert [len(events_of(proof)) for proof in (twice, once, never)] == [2, 1, 0]


@pytest.mark.thorough
def test_what_is_called_unserved_is_refused_and_what_is_called_served_is_not(
    everything: Path, embedded: EmbeddedProvider, run_directory: RunDirectory
) -> None:
    """Of every request that shows a finding, and of a sample of everything in the space of a policy that asks for much.

    The admin may do everything, so the server's answer is that of its routes.
    """
    asked: dict[Attributes, bool] = {}
    for section in WITH_REQUESTS:
        policy = parse_policy(section.example.encode(), "p.yaml")
        asked |= {f.shown.attributes: f.shown.served for f in lint(policy, SERVED) if f.shown}
        for cells in Space.of(policy.rules, SERVED).cells.values():
            plain = [cell for cell in cells if not cell.odd]
            asked |= {attributes: cell.served for cell in plain for attributes in list(cell.every(None))[:3]}
    known = {replace(attributes, user=None): served for attributes, served in asked.items() if _is_own(attributes)}
    steps = [
        Case(f"{'served' if served else 'unserved'}-{n}", ADMIN, replace_user(attributes), Expectation())
        for n, (attributes, served) in enumerate(known.items())
    ]
    prover = prover_of(embedded.cluster(everything), everything, run_directory.private_folder())
    proofs = prover.prove(steps)
    prover.close()

    wrong = {
        (proof.case.request.method, proof.case.request.uri): proof.verdict.evidence.exchange.status
        for proof in proofs
        if _is_refused(proof) is proof.case.id.startswith("served")
    }
    assert len(steps) > 300
    assert not wrong


def _is_own(attributes: Attributes) -> bool:
    """Whether the request is for an API group of the server's own; HEAD and the like are not in the record of paths."""
    return attributes.resource_request and attributes.api_group in SERVED.groups


def replace_user(attributes: Attributes) -> Request:
    return performable(replace(attributes, user=ADMIN.user_info())).request


def _is_refused(proof: Proof) -> bool:
    """Whether the server has no route for the request: 405, or a 404 that names no object."""
    exchange = proof.verdict.evidence.exchange
    if exchange.status == 405:
        return True
    if exchange.status != 404:
        return False
    text = exchange.body.decode()
    return not text.startswith("{") or "could not find the requested resource" in text


def test_a_second_document_is_not_read(example_of: ExampleOf) -> None:
    """AP104: the example's second document would record bodies."""
    with example_of("AP104") as example:
        (proof,) = perform(example, (ALICE, path_request("GET", "/api")))

    assert levels((proof,)) == [Level.METADATA]


def test_what_a_running_server_serves_is_the_record_and_its_custom_resources(
    embedded: EmbeddedProvider, everything: Path
) -> None:
    """Lint knows then what the record alone cannot tell: which custom resources there are, and their verbs."""
    cluster = embedded.cluster(everything)
    admin = AdminClient(cluster)
    objects = Objects(cluster, admin)
    for manifest in yaml.safe_load_all((root() / "fixtures" / "manifests" / "widgets.yaml").read_text()):
        objects.create(manifest)
    admin.close()

    found = discover(cluster)

    custom = {entry.full_name: entry for entry in found.resources if entry.group == "example.auditproof.dev"}
    rest = [entry for entry in found.resources if entry.group != "example.auditproof.dev"]
    assert {"widgets", "widgets/status", "widgets/scale", "factories"} <= set(custom)
    assert rest == list(SERVED.resources)
    rules = "- {level: Metadata, resources: [{group: example.auditproof.dev, resources: [widgets, widgts]}]}\n"
    policy = parse_policy(f"{POLICY}omitStages: [RequestReceived]\nrules:\n{rules}- level: None\n".encode(), "p.yaml")
    assert [(f.code, f.advice) for f in lint(policy, found)] == [("AP306", 'Did you mean "widgets"?')]
    assert lint(policy, SERVED) == ()
