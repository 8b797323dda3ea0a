"""A witness is a request that a client can send, and nothing else than what was asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from auditproof.analysis.space import Space
from auditproof.analysis.space.client_request import NotPerformable, most_performable, performable
from auditproof.kube.attributes import Attributes, UserInfo, attributes_of
from auditproof.kube.discovery import load_served
from auditproof.kube.identity import IdentityKind
from tests.support.properties import examples
from tests.support.random_policies import policies

if TYPE_CHECKING:
    from auditproof.audit.policy.load import Policy

SERVED = load_served("1.37")
ALICE = UserInfo("alice", ("system:authenticated",))


def get(**parts: str) -> Attributes:
    return Attributes(**{"user": ALICE, "verb": "get", "resource": "pods", "name": "web", "namespace": "shop"} | parts)


@examples(60)
@given(policies)
def test_the_server_sees_just_what_is_wanted(policy: Policy) -> None:
    space = Space.of(policy.rules, SERVED)
    for outcome in space.outcomes():
        for cell in outcome.cells[:6]:
            wanted = cell.attributes(space.user(outcome))
            try:
                sent = performable(wanted)
            except NotPerformable:
                assert not (cell.served and outcome.identity.honest)
                continue
            seen = attributes_of(sent.request.method, sent.request.uri, sent.identity.user_info())
            assert replace(seen, user=None, path=wanted.path, api_version="") == replace(
                wanted, user=None, api_version=""
            )
            assert (seen.user and seen.user.name) == (wanted.user and wanted.user.name)
            assert set(seen.user.groups if seen.user else ()) == set(wanted.user.groups if wanted.user else ())


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        (get(), "GET /api/v1/namespaces/shop/pods/web"),
        (get(verb="list"), "GET /api/v1/namespaces/shop/pods?fieldSelector=metadata.name%3Dweb"),
        (get(verb="list", name="", namespace=""), "GET /api/v1/pods"),
        (get(verb="watch", name=""), "GET /api/v1/namespaces/shop/pods?watch=true&timeoutSeconds=1"),
        (
            get(verb="watch", subresource="log"),
            "GET /api/v1/watch/namespaces/shop/pods/web/log?timeoutSeconds=1",
        ),
        (get(verb="create", name=""), "POST /api/v1/namespaces/shop/pods?dryRun=All"),
        (get(verb="create", subresource="exec"), "POST /api/v1/namespaces/shop/pods/web/exec?dryRun=All"),
        (get(verb="deletecollection", name=""), "DELETE /api/v1/namespaces/shop/pods?dryRun=All"),
        (get(verb="proxy"), "GET /api/v1/proxy/namespaces/shop/pods/web"),
        (get(verb=""), "OPTIONS /api/v1/namespaces/shop/pods/web"),
        (get(resource="namespaces", name="shop"), "GET /api/v1/namespaces/shop"),
        (get(api_group="apps", resource="deployments"), "GET /apis/apps/v1/namespaces/shop/deployments/web"),
        (get(name="a b"), "GET /api/v1/namespaces/shop/pods/a%20b"),
        (get(namespace="*", name="*"), "GET /api/v1/namespaces/%2A/pods/%2A"),
        (
            get(verb="list", name="*,="),
            "GET /api/v1/namespaces/shop/pods?fieldSelector=metadata.name%3D%2A%5C%2C%5C%3D",
        ),
        (get(verb="list", name="", subresource="log"), "GET /api/v1/namespaces/shop/pods//log"),
        (get(verb="watch", name="a%"), "GET /api/v1/watch/namespaces/shop/pods/a%25?timeoutSeconds=1"),
        (get(resource="namespaces", name="x", namespace=""), "GET /api/v1/namespaces//namespaces/x"),
        (get(resource="watch", namespace=""), "GET /api/v1/namespaces//watch/web"),
        (get(resource=""), "GET /api/v1/namespaces/shop//web"),
        (Attributes(ALICE, "propfind", path="/version", resource_request=False), "PROPFIND /version"),
        (Attributes(ALICE, "*", path="*", resource_request=False), "* *"),
    ],
)
def test_the_request_of_a_class(asked: Attributes, line: str) -> None:
    request = performable(asked).request

    assert f"{request.method} {request.uri}" == line


def test_nothing_is_changed_by_a_witness() -> None:
    for verb in ("create", "update", "patch", "delete"):
        sent = performable(get(verb=verb, name="" if verb == "create" else "web"))
        assert sent.request.uri.endswith("?dryRun=All")
        assert sent.identity.without_rights


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (get(name="a/b"), "no URL produces this request"),
        (get(resource="status"), "no URL produces this request"),
        (get(verb="list", name="a%"), "no URL produces this request"),
        (get(verb="use"), "has the verb 'use'"),
        (replace(get(), user=UserInfo("alice", ())), "no credential gives alice exactly these groups: none"),
        (replace(get(), user=UserInfo("", ("system:authenticated",))), "with an empty name"),
        (
            Attributes(
                UserInfo("root", ("system:masters", "system:authenticated")),
                "delete",
                path="/metrics",
                resource_request=False,
            ),
            "counters",
        ),
    ],
)
def test_what_no_client_can_send_says_why(asked: Attributes, why: str) -> None:
    with pytest.raises(NotPerformable, match=why):
        performable(asked)

    witness = most_performable([asked])
    assert witness.performable is None
    assert why in witness.reason


@pytest.mark.parametrize(
    ("user", "kind"),
    [
        (None, IdentityKind.BAD_TOKEN),
        (UserInfo("system:anonymous", ("system:unauthenticated",)), IdentityKind.ANONYMOUS),
        (
            UserInfo(
                "system:serviceaccount:shop:a",
                ("system:authenticated", "system:serviceaccounts", "system:serviceaccounts:shop"),
            ),
            IdentityKind.SERVICE_ACCOUNT,
        ),
        (UserInfo("system:serviceaccount:shop:a", ("dev", "system:authenticated")), IdentityKind.X509),
        (
            UserInfo("system:serviceaccount:*:a", ("system:serviceaccounts:*", "system:authenticated")),
            IdentityKind.X509,
        ),
        (UserInfo("*", ("", "*", "system:authenticated")), IdentityKind.X509),
        (UserInfo("system:anonymous", ("dev",)), IdentityKind.X509),
        (UserInfo("alice", ("system:unauthenticated", "system:authenticated")), IdentityKind.X509),
    ],
)
def test_the_credential_of_a_user(user: UserInfo | None, kind: IdentityKind) -> None:
    """A user is authenticated in the one way that gives it exactly its groups."""
    identity = performable(replace(get(), user=user)).identity

    assert identity.kind is kind
    info = identity.user_info()
    assert (info is None) == (user is None)
    assert set(info.groups if info else ()) == set(user.groups if user else ())


@pytest.mark.parametrize(
    ("selector", "name"),
    [
        ("metadata.name%3D%3D*", "*"),
        ("metadata.name%3Da%5C%2Cb%5C%3D%5C%5C", "a,b=\\"),
        ("metadata.name%3Db,metadata.name%3Da", "a"),  # the terms are sorted
        ("a%21%3Db,metadata.name%3Dweb,", "web"),
        ("metadata.name%21%3Dweb", ""),
        ("metadata.name%3Da%25b", ""),
        ("metadata.name%3D..,metadata.name%3Dweb", ""),
        ("metadata.name%3Da%3Db", ""),
        ("metadata.name%3Da%5C", ""),
        ("metadata.name%3Da%5Cb", ""),
        ("metadata.name%3Dweb,nonsense", ""),
    ],
)
def test_the_name_that_a_field_selector_pins(selector: str, name: str) -> None:
    """The request has the name that its field selector pins exactly, as ParseSelector does it, and none otherwise."""
    assert attributes_of("GET", f"/api/v1/pods?fieldSelector={selector}", ALICE).name == name
