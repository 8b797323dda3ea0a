"""choose_sentinel: a harmless request that the policy itself is sure to record, wherever there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditproof.audit.decide import decide
from auditproof.audit.event import Level
from auditproof.audit.policy.load import load_policy, parse_policy
from auditproof.audit.stages import emitted_stages
from auditproof.content import root
from auditproof.kube.attributes import attributes_of
from auditproof.kube.identity import IdentityKind
from auditproof.proof.fence.sentinel import NAME, choose_sentinel

if TYPE_CHECKING:
    from pathlib import Path

    from auditproof.audit.policy.load import Policy
    from auditproof.proof.fence.sentinel import Sentinel

OWN = f"/api/v1/namespaces/{NAME}"
SHIPPED = sorted((root() / "fixtures" / "policies").rglob("*.yaml"))


def policy(rules: str, omit: str = "[]") -> Policy:
    text = f"rules: {rules}\nomitStages: {omit}\napiVersion: audit.k8s.io/v1\nkind: Policy\n"
    return parse_policy(text.encode(), "policy.yaml")


def chosen(rules: str, omit: str = "[]") -> Sentinel:
    sentinel = choose_sentinel(policy(rules, omit))
    assert sentinel is not None
    assert records(policy(rules, omit), sentinel)
    return sentinel


def records(policy: Policy, sentinel: Sentinel) -> bool:
    """Whether the policy has the server write an event about a sentinel that is refused."""
    user = sentinel.identity.user_info()
    attributes = attributes_of(sentinel.request.method, sentinel.request.uri, user)
    decision = decide(policy, attributes)
    stages = emitted_stages(attributes, 401 if user is None else 403) - decision.omit_stages
    return decision.level is not Level.NONE and bool(stages)


def harmless(sentinel: Sentinel) -> bool:
    """It reads, or it is a dry run; its object is the fence's own, unless the policy's rule names one."""
    request = sentinel.request
    return request.method in ("GET", "HEAD", "OPTIONS") or "?dryRun=All" in request.uri


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_shipped_policy_that_records_has_a_harmless_sentinel(path: Path) -> None:
    """A policy that records anything has a sentinel, and it changes nothing on the cluster."""
    found, sentinel = load_policy(path), choose_sentinel(load_policy(path))

    assert (sentinel is not None) == any(rule.level is not Level.NONE for rule in found.rules)
    assert sentinel is None or (records(found, sentinel) and harmless(sentinel))


@pytest.mark.parametrize(
    ("rule", "method", "uri"),
    [
        ("level: Metadata, resources: [{resources: [pods]}]", "GET", f"{OWN}/pods/{NAME}"),
        (
            "level: Metadata, resources: [{group: apps, resources: [deployments]}]",
            "GET",
            f"/apis/apps/v1/namespaces/{NAME}/deployments/{NAME}",
        ),
        (
            "level: Metadata, resources: [{resources: [pods/log]}], namespaces: [shop]",
            "GET",
            f"/api/v1/namespaces/shop/pods/{NAME}/log",
        ),
        (
            "level: Metadata, resources: [{resources: ['*/scale']}]",
            "GET",
            f"{OWN}/{NAME}/{NAME}/scale",
        ),
        ("level: Metadata, resources: [{resources: ['pods/*']}]", "GET", f"{OWN}/pods/{NAME}"),
        ("level: Metadata, resources: [{group: '*'}]", "GET", f"{OWN}/{NAME}/{NAME}"),
        (
            "level: Metadata, resources: [{resources: [secrets], resourceNames: [db]}]",
            "GET",
            f"{OWN}/secrets/db",
        ),
        ("level: Metadata, namespaces: ['']", "GET", f"/api/v1/configmaps/{NAME}"),
        ("level: Metadata, verbs: [list], resources: [{resources: [pods]}]", "GET", f"{OWN}/pods"),
        (
            "level: Metadata, verbs: [watch], resources: [{resources: [pods]}]",
            "GET",
            f"{OWN}/pods?watch=true&timeoutSeconds=1&fieldSelector=metadata.name%3D{NAME}",
        ),
        (
            "level: Metadata, verbs: [create], resources: [{resources: [pods]}]",
            "POST",
            f"{OWN}/pods?dryRun=All",
        ),
        (
            "level: Metadata, verbs: [update], resources: [{resources: [pods]}]",
            "PUT",
            f"{OWN}/pods/{NAME}?dryRun=All",
        ),
        (
            "level: Metadata, verbs: [patch], resources: [{resources: [pods]}]",
            "PATCH",
            f"{OWN}/pods/{NAME}?dryRun=All",
        ),
        (
            "level: Metadata, verbs: [delete], resources: [{resources: [pods]}]",
            "DELETE",
            f"{OWN}/pods/{NAME}?dryRun=All",
        ),
        (
            "level: Metadata, verbs: [deletecollection], resources: [{resources: [pods]}]",
            "DELETE",
            f"{OWN}/pods?dryRun=All&fieldSelector=metadata.name%3D{NAME}",
        ),
        ("level: Metadata, nonResourceURLs: ['/healthz*']", "GET", f"/healthz{NAME}"),
        ("level: Metadata, nonResourceURLs: [/metrics]", "GET", "/metrics"),
        ("level: Metadata, nonResourceURLs: ['*'], verbs: [head]", "HEAD", f"/{NAME}"),
    ],
)
def test_a_rule_is_met_by_a_request_of_its_own(rule: str, method: str, uri: str) -> None:
    """Whatever a rule is about, a request that changes nothing is found for it."""
    sentinel = chosen(f"[{{{rule}}}]")

    assert (sentinel.request.method, sentinel.request.uri) == (method, uri)
    assert harmless(sentinel)


@pytest.mark.parametrize(
    ("rule", "kind", "user", "groups"),
    [
        ("level: Metadata", IdentityKind.X509, NAME, ()),
        ("level: Metadata, users: [alice]", IdentityKind.X509, "alice", ()),
        ("level: Metadata, userGroups: [dev]", IdentityKind.X509, NAME, ("dev",)),
        ("level: Metadata, userGroups: ['system:authenticated']", IdentityKind.X509, NAME, ()),
        ("level: Metadata, users: [bob], userGroups: [ops]", IdentityKind.X509, "bob", ("ops",)),
        ("level: Metadata, users: ['system:anonymous']", IdentityKind.ANONYMOUS, "", ()),
        ("level: Metadata, userGroups: ['system:unauthenticated']", IdentityKind.ANONYMOUS, "", ()),
        (
            "level: Metadata, users: ['system:serviceaccount:shop:cart']",
            IdentityKind.X509,
            "system:serviceaccount:shop:cart",
            (),
        ),
    ],
)
def test_a_rule_is_met_by_a_user_of_its_own(rule: str, kind: IdentityKind, user: str, groups: tuple[str, ...]) -> None:
    identity = chosen(f"[{{{rule}}}]").identity

    assert (identity.kind, identity.user, identity.groups) == (kind, user, groups)


def test_what_an_earlier_rule_excludes_is_no_sentinel() -> None:
    """The first rule that matches decides, so the sentinel avoids the verb of the excluding rule."""
    sentinel = chosen("[{level: None, verbs: [get]}, {level: Metadata}]")

    assert attributes_of(sentinel.request.method, sentinel.request.uri, sentinel.identity.user_info()).verb != "get"


def test_what_is_recorded_at_no_stage_is_no_sentinel() -> None:
    """With both stages omitted, only a long-running request or a failed login leaves an event."""
    both = "[RequestReceived, ResponseComplete]"
    short = "[{level: Metadata, users: [alice], verbs: [get], resources: [{resources: [pods]}]}]"

    assert choose_sentinel(policy(short, both)) is None
    assert chosen("[{level: Metadata, resources: [{resources: [pods/log]}]}]", both).request.uri.endswith("/log")
    assert chosen("[{level: Metadata, verbs: [get]}]", both).identity.kind is IdentityKind.BAD_TOKEN


@pytest.mark.parametrize(
    "rules",
    [
        "[{level: None}]",
        "[{level: None}, {level: Metadata}]",
        "[{level: Metadata, verbs: ['*']}]",
        "[{level: Metadata, verbs: [GET]}]",
        "[{level: Metadata, users: ['']}]",
    ],
)
def test_a_policy_that_can_record_nothing_has_no_sentinel(rules: str) -> None:
    assert choose_sentinel(policy(rules)) is None
