"""What a verb on a target becomes on the wire."""

from __future__ import annotations

import json
from typing import Any

import pytest

from auditproof.kube.action import PATCH_TYPES, Action, act, parse_target, path_request, to_request
from auditproof.kube.attributes import attributes_of
from auditproof.kube.resources import RESOURCES, Resource

VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
POD = "/api/v1/namespaces/shop/pods"


def _headers(action: Action) -> dict[str, str]:
    return dict(to_request(action).headers)


def _sent(action: Action) -> Any:
    return json.loads(to_request(action).body or b"null")


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("resource", RESOURCES.values(), ids=lambda r: f"{r.plural}.{r.group}")
def test_the_server_reads_the_verb_that_was_meant(resource: Resource, verb: str) -> None:
    """For every resource and verb, the request line gives verb, resource and name back to the server."""
    name = "" if verb in ("list", "watch", "deletecollection") else "/web"
    request = to_request(Action(verb, parse_target(f"{resource.plural}{name}", "shop", resource)))

    attributes = attributes_of(request.method, request.uri, None)

    assert attributes.verb == verb
    assert attributes.resource == resource.plural
    assert attributes.name == ("" if verb == "create" else name.removeprefix("/"))


@pytest.mark.parametrize(
    ("action", "method", "uri"),
    [
        (act("get", "pods/web", "shop"), "GET", f"{POD}/web"),
        (act("list", "pods"), "GET", "/api/v1/pods"),
        (act("watch", "pods", "shop"), "GET", f"{POD}?watch=true&timeoutSeconds=1"),
        (act("create", "pods/web", "shop"), "POST", POD),
        (act("create", "pods/web/eviction", "shop"), "POST", f"{POD}/web/eviction"),
        (act("update", "pods/web/status", "shop"), "PUT", f"{POD}/web/status"),
        (
            act("deletecollection", "pods", "shop", query={"labelSelector": "a=b,c"}),
            "DELETE",
            f"{POD}?labelSelector=a%3Db%2Cc",
        ),
        (
            act("get", "pods/web/exec", "shop", query={"command": ("ls", "-l a")}),
            "GET",
            f"{POD}/web/exec?command=ls&command=-l%20a",
        ),
        (act("patch", "pods/web", "shop", patch="apply"), "PATCH", f"{POD}/web?fieldManager=auditproof&force=true"),
        (
            act("patch", "pods/web", "shop", patch="apply", query={"force": "false"}),
            "PATCH",
            f"{POD}/web?fieldManager=auditproof&force=false",
        ),
        (act("watch", "pods", query={"timeoutSeconds": "3"}), "GET", "/api/v1/pods?watch=true&timeoutSeconds=3"),
    ],
)
def test_an_action_becomes_the_request_line_of_a_client(action: Action, method: str, uri: str) -> None:
    request = to_request(action)

    assert (request.method, request.uri) == (method, uri)


@pytest.mark.parametrize("patch", PATCH_TYPES)
def test_every_patch_type_has_its_content_type_and_a_json_body(patch: str) -> None:
    action = act("patch", "configmaps/settings", "shop", patch=patch)

    assert _headers(action) == {"Content-Type": PATCH_TYPES[patch]}
    assert isinstance(_sent(action), list) is (patch == "json")


def test_an_object_is_completed_from_its_target() -> None:
    """A case that names only verb and target must send an object that the server accepts."""
    sent = _sent(act("create", "deployments/web", "shop"))

    assert (sent["apiVersion"], sent["kind"]) == ("apps/v1", "Deployment")
    assert sent["metadata"] == {"name": "web", "namespace": "shop"}
    assert sent["spec"]["template"]["spec"]["containers"]


def test_what_an_object_says_itself_is_left_alone() -> None:
    """A body that contradicts its target is meant: the server is to refuse it."""
    body = {"kind": "Other", "metadata": {"name": "b", "namespace": "elsewhere"}}

    assert _sent(act("create", "configmaps/a", "shop", body=body)) == {"apiVersion": "v1", **body}


def test_a_generated_name_gets_no_name_beside_it() -> None:
    """With a name the server would ignore generateName."""
    sent = _sent(act("create", "configmaps", "shop", body={"metadata": {"generateName": "run-"}}))

    assert sent["metadata"] == {"generateName": "run-", "namespace": "shop"}


def test_the_body_of_a_subresource_has_the_subresources_kind() -> None:
    token = _sent(act("create", "serviceaccounts/robot/token", "shop"))
    scale = _sent(act("update", "deployments/web/scale", "shop"))
    eviction = _sent(act("create", "pods/web/eviction", "shop"))

    assert (token["kind"], scale["kind"], eviction["kind"]) == ("TokenRequest", "Scale", "Eviction")
    assert eviction["metadata"]["name"] == "web"


def test_a_body_that_says_no_kind_gets_that_of_its_subresource() -> None:
    sent = _sent(act("create", "serviceaccounts/robot/token", "shop", body={"spec": {"audiences": ["vault"]}}))

    assert (sent["apiVersion"], sent["kind"], sent["spec"]) == (
        "authentication.k8s.io/v1",
        "TokenRequest",
        {"audiences": ["vault"]},
    )


@pytest.mark.parametrize("subresource", ["exec", "attach", "portforward", "proxy"])
def test_a_stream_is_opened_without_a_body(subresource: str) -> None:
    """The POST of an exec or attach starts a stream: an object in its body would be recorded."""
    request = to_request(act("create", f"pods/web/{subresource}", "shop", upgrade="spdy"))

    assert (request.method, request.body, request.headers, request.upgrade) == ("POST", None, (), "spdy")


def test_a_raw_body_is_sent_as_it_is_with_the_type_of_its_verb() -> None:
    """A raw body may be invalid on purpose, and is neither parsed nor completed."""
    assert to_request(act("create", "pods/web", "shop", raw=b"{")).body == b"{"
    assert _headers(act("patch", "pods/web", "shop", raw=b"{", patch="strategic")) == {
        "Content-Type": "application/strategic-merge-patch+json"
    }
    assert _headers(act("create", "pods/web", "shop", raw=b"a: b", media_type="application/yaml")) == {
        "Content-Type": "application/yaml"
    }


def test_delete_options_are_sent_only_when_given() -> None:
    options = {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0}

    assert to_request(act("delete", "pods/web", "shop")).body is None
    assert _sent(act("delete", "pods/web", "shop", body=options)) == options


def test_one_action_never_changes_the_next_ones_body() -> None:
    """The smallest objects are shared templates, which must not be written to."""
    first = _sent(act("create", "pods/a", "shop"))
    second = _sent(act("create", "pods/b", "shop"))

    assert (first["metadata"]["name"], second["metadata"]["name"]) == ("a", "b")


def test_any_method_on_any_path_is_sent_as_it_is() -> None:
    request = path_request("OPTIONS", "/api/v1/pods?a=b", (("X-A", "1"),))

    assert (request.method, request.uri, request.headers, request.body) == (
        "OPTIONS",
        "/api/v1/pods?a=b",
        (("X-A", "1"),),
        None,
    )
