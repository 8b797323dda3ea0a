"""Requests that users ask about: completed as the API server completes them, refused where they do not exist."""

from __future__ import annotations

import pytest

from auditproof.kube.attributes import Attributes
from auditproof.kube.discovery import load_served
from auditproof.kube.identity import Identity
from auditproof.kube.question import NoSuchRequest, implied_groups, path_question, resolve_resource

SERVED = load_served("1.37")


@pytest.mark.parametrize(
    ("user", "given", "groups"),
    [
        ("alice", (), ("system:authenticated",)),
        ("alice", ("dev",), ("dev", "system:authenticated")),
        ("alice", ("system:authenticated", "dev"), ("system:authenticated", "dev")),
        ("system:anonymous", (), ("system:unauthenticated",)),
        ("system:node:web-1", (), ("system:nodes", "system:authenticated")),
        ("system:node:web-1", ("system:nodes",), ("system:nodes", "system:authenticated")),
        ("system:serviceaccount:shop", (), ("system:authenticated",)),
        (
            "system:serviceaccount:shop:robot",
            (),
            ("system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated"),
        ),
    ],
)
def test_a_user_is_in_the_groups_that_the_authentication_adds(
    user: str, given: tuple[str, ...], groups: tuple[str, ...]
) -> None:
    assert implied_groups(user, given) == groups


@pytest.mark.parametrize(
    "identity", [Identity.x509("alice", "dev"), Identity.service_account("shop", "robot"), Identity.anonymous()]
)
def test_the_groups_are_those_of_an_identity_of_a_case(identity: Identity) -> None:
    """explain and the cases must agree about implied groups, or they would decide differently."""
    info = identity.user_info()

    assert info is not None
    assert implied_groups(info.name, identity.groups) == info.groups


@pytest.mark.parametrize(
    ("resource", "subresource", "group", "found"),
    [
        ("pods", "", None, ""),
        ("pods", "log", None, ""),
        ("deployments", "", None, "apps"),
        ("deployments", "scale", "apps", "apps"),
        ("events", "", "events.k8s.io", "events.k8s.io"),
        ("widgets", "", "shop.example.com", "shop.example.com"),
    ],
)
def test_a_resource_without_a_group_is_that_of_the_first_group_which_serves_it(
    resource: str, subresource: str, group: str | None, found: str
) -> None:
    assert resolve_resource(SERVED, "get", resource, subresource, group) == found


@pytest.mark.parametrize(
    ("verb", "resource", "subresource", "group", "meant"),
    [
        ("get", "secret", "", None, "did you mean secrets?"),
        ("get", "Pods", "", None, "did you mean pods?"),
        ("get", "pod", "", None, "did you mean pods?"),
        ("get", "Deployment", "", None, "did you mean deployments?"),
        ("get", "deploy", "", None, "did you mean deployments?"),
        ("get", "widgets", "", None, "name a custom resource as PLURAL.GROUP"),
        ("get", "secrets", "", "v1", "it is a version): secrets is in the core group"),
        ("get", "pods", "", "app", "pods is in the core group"),
        ("get", "deployments", "", "", "the core group has no deployments: did you mean deployments.apps?"),
        ("get", "pods", "", "apps", "the API group apps has no pods: did you mean pods of the core group?"),
        ("get", "pods", "logs", None, "pods has no subresource 'logs': did you mean log?"),
        ("get", "secrets", "status", None, "it has none"),
        ("delet", "pods", "", None, "did you mean delete?"),
        ("exec", "pods", "", None, "did you mean the verb create on pods/exec?"),
        ("bind", "roles", "", None, "one of get, list, watch"),
    ],
)
def test_what_does_not_exist_is_refused_with_what_may_be_meant(
    verb: str, resource: str, subresource: str, group: str | None, meant: str
) -> None:
    with pytest.raises(NoSuchRequest) as refused:
        resolve_resource(SERVED, verb, resource, subresource, group)

    assert meant in str(refused.value)


@pytest.mark.parametrize(
    ("verb", "path", "meant"),
    [
        ("get", "healthz", "did you mean /healthz?"),
        ("list", "/healthz", "one of get, head, post"),
        ("git", "/healthz", "did you mean get?"),
        ("get", "/api/v1/namespaces/shop/pods/web/log", "did you mean pods/log?"),
        ("get", "/apis/apps/v1/deployments", "did you mean deployments.apps?"),
    ],
)
def test_a_path_that_is_none_is_refused(verb: str, path: str, meant: str) -> None:
    """What no client can send as a request for a path, such as a resource's path, is refused with a suggestion."""
    with pytest.raises(NoSuchRequest) as refused:
        path_question(None, verb, path)

    assert meant in str(refused.value)


@pytest.mark.parametrize(("verb", "path"), [("get", "/healthz"), ("head", "/"), ("post", "/version"), ("get", "/api")])
def test_a_path_that_is_one_is_taken(verb: str, path: str) -> None:
    assert path_question(None, verb, path) == Attributes(None, verb, path=path, resource_request=False)
