"""Rights that identities get for their own requests, and no more."""

from typing import Any

import pytest

from auditproof.kube.attributes import Attributes
from auditproof.kube.identity import AccessRule, Identity, IdentityKind, Impersonation
from auditproof.setup.rbac import rules_needed

ALICE = Identity.x509("alice", "dev")


def get(resource: str = "pods", **fields: Any) -> Attributes:
    return Attributes(ALICE.user_info(), "get", resource=resource, **fields)


def rules(identity: Identity, *attributes: Attributes) -> dict[str, list[dict[str, Any]]]:
    return {needed.user: list(needed.rules) for needed in rules_needed((identity, each) for each in attributes)}


def test_an_identity_gets_exactly_the_verb_and_resource_that_it_uses() -> None:
    assert rules(ALICE, get()) == {"alice": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}


def test_the_same_right_is_granted_once() -> None:
    assert len(rules(ALICE, get(), get())["alice"]) == 1


def test_a_subresource_is_named_with_its_resource() -> None:
    (rule,) = rules(ALICE, get("pods", subresource="log"))["alice"]

    assert rule["resources"] == ["pods/log"]


def test_a_websocket_exec_needs_create_as_well() -> None:
    """The request is a GET, and since 1.35 the server authorizes ``create``, too."""
    (rule,) = rules(ALICE, get("pods", subresource="exec"))["alice"]

    assert set(rule["verbs"]) == {"get", "create"}


def test_a_non_resource_path_is_granted_as_such() -> None:
    attributes = Attributes(ALICE.user_info(), "get", path="/healthz", resource_request=False)

    assert rules(ALICE, attributes) == {"alice": [{"nonResourceURLs": ["/healthz"], "verbs": ["get"]}]}


@pytest.mark.parametrize(
    "identity",
    [
        Identity.anonymous(),
        Identity.bad_token(),
        Identity.x509("root", "system:masters"),
        Identity(IdentityKind.X509, "stranger", without_rights=True),
    ],
    ids=["anonymous", "bad-token", "masters", "without-rights"],
)
def test_who_has_every_right_or_is_to_have_none_gets_none(identity: Identity) -> None:
    assert rules(identity, get()) == {}


def test_an_impersonator_may_impersonate_and_the_impersonated_may_act() -> None:
    """Without either right the request is refused before it does what the case is about."""
    asked = Impersonation("bob", ("ops",), "7", (("example.org/reason", "x"),))
    deputy = Identity(IdentityKind.X509, "deputy", impersonates=asked)

    granted = rules(deputy, get())

    assert granted["bob"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
    resources = [resource for rule in granted["deputy"] for resource in rule["resources"]]
    assert resources == ["users", "groups", "serviceaccounts", "uids", "userextras/example.org/reason"]
    assert all(rule["verbs"] == ["impersonate"] for rule in granted["deputy"])


def test_access_that_is_stated_is_granted_even_without_rights() -> None:
    access = (AccessRule(("get",), ("apps",), ("deployments",), ("web",)),)
    auditor = Identity(IdentityKind.X509, "auditor", without_rights=True, access=access)

    expected = {"verbs": ["get"], "apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": ["web"]}
    assert rules(auditor, get()) == {"auditor": [expected]}


def test_writing_roles_needs_the_right_to_escalate() -> None:
    """RBAC lets nobody grant rights that they lack, except with ``escalate``."""
    attributes = Attributes(ALICE.user_info(), "create", api_group="rbac.authorization.k8s.io", resource="clusterroles")

    assert rules(ALICE, attributes)["alice"][0]["verbs"] == ["create", "escalate"]


def test_the_review_asks_for_a_path_that_only_this_role_grants() -> None:
    """Otherwise an older role could make the review succeed before this one is in force."""
    (needed,) = rules_needed([(ALICE, get())])
    (_, role), (_, binding) = needed.manifests()

    path = next(needed.reviews())["spec"]["nonResourceAttributes"]["path"]

    assert {"nonResourceURLs": [path], "verbs": ["get"]} in role["rules"]
    assert binding["subjects"][0]["name"] == "alice"
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
