"""What nothing is called: a real API server answers requests for it all the same, and records it letter by letter."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from auditproof.analysis.space.client_request import performable
from auditproof.audit.policy.load import load_policy
from auditproof.cases.case import Case
from auditproof.cases.expectation import Expectation
from auditproof.kube.attributes import Attributes, UserInfo
from auditproof.proof.prover import Prover
from auditproof.proof.server_view import ServerView
from auditproof.proof.verdict import Outcome

if TYPE_CHECKING:
    from pathlib import Path

    from auditproof.audit.event import AuditEvent
    from auditproof.clusters.embedded import EmbeddedProvider
    from auditproof.clusters.run.run_directory import RunDirectory

SOMEBODY = UserInfo("literal-user", ("system:authenticated",))
POD = Attributes(SOMEBODY, "get", "default", "", "v1", "pods", "", "web")


def user(name: str, *groups: str) -> Attributes:
    return replace(POD, user=UserInfo(name, (*groups, "system:authenticated")))


def path(verb: str, target: str) -> Attributes:
    return Attributes(SOMEBODY, verb, path=target, resource_request=False)


ASKED = {
    "users and groups": [
        user("*", "*"),
        user("system:*", "system:*"),
        user("team-*", "", "a,b"),
        user("system:serviceaccount:*:robot", "system:serviceaccounts:*"),
        user("tab\t", "\0"),
        user(" ", " "),
        user("u" * 65, "g" * 64),
    ],
    "namespaces": [
        replace(POD, verb="list", name="", namespace=namespace)
        for namespace in ("*", "kube-*", "Shop", "a b", "%", "..", "\0", "é", "n" * 5000)
    ],
    "names": [
        *(replace(POD, name=name) for name in ("*", "a*", "%2F", ".", "..", "\0", "x" * 5000)),
        *(replace(POD, verb="list", name=name) for name in ("*", "a,b", "a=b", "a\\b")),
        *(replace(POD, verb="watch", name=name) for name in ("*", "a%b")),
        replace(POD, resource="namespaces", namespace="*", name="*"),
        replace(POD, resource="namespaces", namespace="*", name="*", subresource="status"),
    ],
    "resources and subresources": [
        *(replace(POD, resource=resource) for resource in ("*", "pods*", "Pods", "%")),
        *(replace(POD, subresource=subresource) for subresource in ("*", "Log", "l*")),
        replace(POD, api_group="*", resource="*"),
    ],
    "empty segments": [
        replace(POD, verb="list", name="", subresource="log"),
        replace(POD, verb="list", name="web", subresource="log"),
        replace(POD, verb="update", name="", subresource="status"),
        replace(POD, verb="deletecollection", name="", subresource="status"),
        replace(POD, resource=""),
        replace(POD, verb="list", resource="", name="", subresource="log"),
        replace(POD, verb="list", resource="", name=""),
        replace(POD, resource="namespaces", namespace="", name="shop"),
        replace(POD, verb="list", resource="namespaces", namespace="", name="", subresource="status"),
        replace(POD, resource="watch", namespace=""),
    ],
    "verbs and paths": [
        *(path(verb, "/version") for verb in ("*", "propfind", "list", "create", "a.b")),
        *(path("get", target) for target in ("/healthz*", "/healthz/%", "/a\0", "//version", "*")),
        path("*", "*"),
    ],
}


@pytest.mark.parametrize("kind", ASKED)
def test_a_server_records_letter_by_letter_what_it_is_asked_for(
    kind: str, embedded: EmbeddedProvider, everything: Path, run_directory: RunDirectory
) -> None:
    cluster, policy, folder = embedded.cluster(everything), load_policy(everything), run_directory.private_folder()
    steps = [
        Case(str(number), sent.identity, sent.request, Expectation())
        for number, sent in enumerate(map(performable, ASKED[kind]))
    ]
    prover = Prover(ServerView(cluster, embedded), policy, running=policy, folder=folder)
    try:
        proofs = prover.prove(steps)
    finally:
        prover.close()

    assert [(proof.case.request.uri[:80], proof.verdict.reasons) for proof in proofs if proof.verdict.reasons] == []
    assert all(proof.verdict.outcome is Outcome.PROVEN for proof in proofs)
    recorded = [[seen(event) for event in proof.verdict.evidence.events] for proof in proofs]
    assert [[expected(asked)] * len(events) for asked, events in zip(ASKED[kind], recorded, strict=True)] == recorded
    assert all(recorded)


def seen(event: AuditEvent) -> dict[str, Any]:
    raw, target = event.raw, event.raw.get("objectRef", {})
    parts = ("namespace", "apiGroup", "resource", "subresource", "name")
    user, groups = raw["user"].get("username", ""), set(raw["user"]["groups"])
    return {"verb": raw["verb"], "user": user, "groups": groups} | {part: target.get(part, "") for part in parts}


def expected(asked: Attributes) -> dict[str, Any]:
    assert asked.user is not None
    return {
        "verb": asked.verb,
        "user": asked.user.name,
        "groups": set(asked.user.groups),
        "namespace": asked.namespace,
        "apiGroup": asked.api_group,
        "resource": asked.resource,
        "subresource": asked.subresource,
        "name": asked.name,
    }
