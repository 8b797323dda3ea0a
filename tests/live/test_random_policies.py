"""decide() and attributes_of() against a real API server, on policies that nobody has thought of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from auditproof.audit.policy.load import parse_policy
from auditproof.cases.case import Case
from auditproof.cases.expectation import Expectation
from auditproof.kube.action import path_request
from auditproof.kube.identity import Identity, IdentityKind
from auditproof.proof.prover import Prover
from auditproof.proof.server_view import ServerView
from auditproof.proof.verdict import Outcome
from tests.support.properties import examples

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from auditproof.clusters.embedded import EmbeddedProvider
    from auditproof.clusters.run.run_directory import RunDirectory
    from auditproof.kube.action import Request

LEVELS = ["None", "Metadata", "Request", "RequestResponse"]
STAGES = ["RequestReceived", "ResponseStarted", "ResponseComplete"]
USERS = ["random-alice", "random-bob", "system:serviceaccount:default:default", "*", "system:anonymous"]
GROUPS = ["dev", "ops", "system:authenticated", "system:unauthenticated", "system:nodes"]
VERBS = ["get", "list", "create", "update", "patch", "delete", "deletecollection", "*", "head", "post"]
NAMESPACES = ["default", "kube-system", "", "*"]
RESOURCES = [
    "pods",
    "pods/log",
    "pods/*",
    "*/status",
    "*",
    "*/*",
    "secrets",
    "namespaces",
    "namespaces/status",
    "nodes",
]
NAMES = ["default", "web", "chosen", ""]
PATHS = ["/version", "/healthz*", "/api*", "*", "/apis/*", "/", "/no/such/path"]
URLS = [
    ("GET", "/version"),
    ("GET", "/healthz/ping"),
    ("HEAD", "/healthz"),
    ("POST", "/version"),
    ("GET", "/api"),
    ("GET", "/apis/apps"),
    ("GET", "/no/such/path?x=/version"),
    ("GET", "/api/v1/pods"),
    ("GET", "/api/v1/namespaces/default/pods"),
    ("GET", "/api/v1/namespaces/default/pods?fieldSelector=metadata.name%3Dweb"),
    ("GET", "/api/v1/namespaces/default/pods/web"),
    ("GET", "/api/v1/namespaces/default/pods/web/log"),
    ("GET", "/api/v1/namespaces/default/pods/web/status"),
    ("POST", "/api/v1/namespaces/default/pods/web/eviction"),
    ("POST", "/api/v1/namespaces/default/pods"),
    ("PUT", "/api/v1/namespaces/default/secrets/chosen"),
    ("PATCH", "/api/v1/namespaces/kube-system/secrets/web"),
    ("DELETE", "/api/v1/namespaces/kube-system/secrets/chosen"),
    ("DELETE", "/api/v1/namespaces/kube-system/secrets"),
    ("GET", "/api/v1/namespaces/default"),
    ("PUT", "/api/v1/namespaces/default/status"),
    ("GET", "/api/v1/namespaces"),
    ("GET", "/api/v1/nodes/web"),
    ("GET", "/apis/apps/v1/namespaces/default/deployments/web/status"),
    ("GET", "/apis/apps/v1/deployments"),
    ("OPTIONS", "/api/v1/namespaces/default/pods"),
]


def some(values: list[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), max_size=3, unique=True)


@st.composite
def group_resources(draw: st.DrawFn) -> dict[str, Any]:
    entry: dict[str, Any] = {"group": draw(st.sampled_from(["", "", "apps", "*"])), "resources": draw(some(RESOURCES))}
    if entry["resources"] and draw(st.booleans()):
        entry["resourceNames"] = draw(some(NAMES))
    return entry


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    rule: dict[str, Any] = {"level": draw(st.sampled_from(LEVELS)), "omitStages": draw(some(STAGES))}
    for key, values in (("users", USERS), ("userGroups", GROUPS), ("verbs", VERBS)):
        if draw(st.integers(0, 2)) == 0:
            rule[key] = draw(some(values))
    target = draw(st.sampled_from(["any", "resources", "namespaces", "both", "paths"]))
    if target in ("resources", "both"):
        rule["resources"] = draw(st.lists(group_resources(), min_size=1, max_size=2))
    if target in ("namespaces", "both"):
        rule["namespaces"] = draw(some(NAMESPACES))
    if target == "paths":
        rule["nonResourceURLs"] = draw(some(PATHS))
    return rule


policies = st.fixed_dictionaries(
    {
        "apiVersion": st.just("audit.k8s.io/v1"),
        "kind": st.just("Policy"),
        "omitStages": st.sampled_from([[], ["RequestReceived"]]),
        "rules": st.lists(rules(), min_size=4, max_size=12),
    }
)


def identities() -> list[Identity]:
    """Nobody here has any right: what they ask for is refused, and recorded by the same rules."""
    people = [
        ("random-alice", ("dev",)),
        ("random-alice", ()),
        ("random-bob", ("ops", "dev")),
        ("node", ("system:nodes",)),
    ]
    known = [Identity(IdentityKind.X509, user, groups, without_rights=True) for user, groups in people]
    robot = Identity(IdentityKind.SERVICE_ACCOUNT, "system:serviceaccount:default:default", without_rights=True)
    return [*known, robot, Identity.anonymous(), Identity.bad_token()]


def steps() -> list[Case]:
    requests: list[Request] = [path_request(method, uri) for method, uri in URLS]
    return [
        Case(f"{n}-{m}", identity, request, Expectation())
        for n, identity in enumerate(identities())
        for m, request in enumerate(requests)
    ]


@pytest.mark.thorough
def test_a_real_server_records_what_decide_says_on_random_policies(
    embedded: EmbeddedProvider, run_directory: RunDirectory, write_policy: Callable[[str], Path]
) -> None:
    """On every policy each of 7 identities sends 26 kinds of request."""

    @settings(examples(6), phases=[Phase.generate])
    @given(policies)
    def holds(document: dict[str, Any]) -> None:
        path = write_policy(json.dumps(document))
        policy = parse_policy(path.read_bytes(), "random.json")
        cluster = embedded.cluster(path)
        folder = run_directory.private_folder()
        prover = Prover(ServerView(cluster, embedded), policy, running=policy, folder=folder)
        try:
            proofs = prover.prove(steps())
        finally:
            prover.close()
        wrong = {
            (proof.case.id, str(proof.case.identity), proof.case.request.uri): proof.verdict.reasons
            for proof in proofs
            if proof.verdict.outcome is not Outcome.PROVEN
        }
        assert not wrong, f"{json.dumps(document)}\n{wrong}"

    holds()
