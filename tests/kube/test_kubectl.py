"""What kubectl's own verbs become on the wire, and the identities that need no declaration."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from auditproof import Identity, act, attributes_of, to_request
from auditproof.errors import AuditproofError, Misuse
from auditproof.kube.ready_made import MEANINGS, READY_MADE
from auditproof.kube.resources import UnknownResource

if TYPE_CHECKING:
    from auditproof.kube.action import Action

POD = "/api/v1/namespaces/shop/pods/web"
OUTPUT = "stderr=true&stdout=true"


@pytest.mark.parametrize(
    ("action", "method", "uri", "upgrade", "verb"),
    [
        (act("exec", "pods/web", "shop"), "GET", f"{POD}/exec?command=sh&{OUTPUT}", "websocket", "get"),
        (
            act("exec", "pods/web", "shop", command=["ls", "-l a"], container="main"),
            "GET",
            f"{POD}/exec?command=ls&command=-l%20a&container=main&{OUTPUT}",
            "websocket",
            "get",
        ),
        (
            act("exec", "pods/web", "shop", command="id", upgrade="spdy"),
            "POST",
            f"{POD}/exec?command=id&{OUTPUT}",
            "spdy",
            "create",
        ),
        (
            act("exec", "pods/web", "shop", query={"stdin": "true", "stderr": "false"}),
            "GET",
            f"{POD}/exec?command=sh&stderr=false&stdout=true&stdin=true",
            "websocket",
            "get",
        ),
        (act("attach", "pods/web", "shop"), "GET", f"{POD}/attach?{OUTPUT}", "websocket", "get"),
        (act("portforward", "pods/web", "shop"), "GET", f"{POD}/portforward", "websocket", "get"),
        (act("log", "pods/web", "shop", container="main"), "GET", f"{POD}/log?container=main", "", "get"),
        (act("evict", "pods/web", "shop"), "POST", f"{POD}/eviction", "", "create"),
        (
            act("scale", "deployments/web", "shop", replicas=3),
            "PATCH",
            "/apis/apps/v1/namespaces/shop/deployments/web/scale",
            "",
            "patch",
        ),
    ],
)
def test_a_verb_of_kubectl_becomes_the_request_that_it_sends(
    action: Action, method: str, uri: str, upgrade: str, verb: str
) -> None:
    request = to_request(action)

    assert (request.method, request.uri, request.upgrade) == (method, uri, upgrade)
    assert attributes_of(request.method, request.uri, None).verb == verb


def test_scale_patches_the_replicas_and_an_eviction_names_the_pod() -> None:
    scaled, evicted = (
        to_request(act(*words, "shop")) for words in (("scale", "deployments/web"), ("evict", "pods/web"))
    )

    assert json.loads(scaled.body or b"") == {"spec": {"replicas": 1}}
    assert dict(scaled.headers) == {"Content-Type": "application/merge-patch+json"}
    assert json.loads(evicted.body or b"")["metadata"] == {"name": "web", "namespace": "shop"}


@pytest.mark.parametrize(
    ("words", "options", "says"),
    [
        (("exec", "services/web", "shop"), {}, "exec applies to a pod, not to services: write pods/<name>"),
        (("exec", "pods", "shop"), {}, "exec needs a name: pods/<name>"),
        (("log", "pods/web/log", "shop"), {}, "log adds the subresource itself: write pods/web"),
        (("log", "pods/web", "shop"), {"command": "id"}, "command applies only to exec, not to log"),
        (("exec", "pods/web", "shop"), {"replicas": 2}, "replicas applies only to scale, not to exec"),
        (("evict", "pods/web", "shop"), {"upgrade": "spdy"}, "upgrade applies only to exec, attach, portforward"),
        (("port-forward", "pods/web", "shop"), {}, "unknown verb 'port-forward'; did you mean portforward?"),
        (("get secrets", "db"), {}, """unknown verb 'get secrets' (write act("get", "secrets/db", "shop")"""),
        (("get", None, "shop"), {}, """the target must be text, not None: write act("get", "secrets/db", "shop")"""),
    ],
)
def test_what_means_no_action_is_told_with_what_to_write(
    words: tuple[str, ...], options: dict[str, object], says: str
) -> None:
    with pytest.raises(Misuse) as caught:
        act(*words, **options)  # type: ignore[arg-type]

    assert says in str(caught.value)


def test_an_unknown_resource_is_an_error_of_auditproofs_own() -> None:
    with pytest.raises(AuditproofError, match="did you mean secrets") as caught:
        act("get", "secret/db", "shop")

    assert isinstance(caught.value, UnknownResource)


def test_every_ready_made_identity_is_named_explained_and_different() -> None:
    assert READY_MADE.keys() == MEANINGS.keys()
    assert all(Identity.named(name) == identity for name, identity in READY_MADE.items())
    assert len(set(READY_MADE.values())) == len(READY_MADE)


def test_an_unknown_identity_is_told_with_those_that_there_are() -> None:
    with pytest.raises(Misuse, match=r"no ready-made identity 'alicia'; did you mean \"alice\".*Identity.x509"):
        Identity.named("alicia")
