"""Webhooks of ours: what is put in the place of the placeholders, what a webhook's path says, and the markers."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from auditproof.clusters.stand_ins.issuer_and_webhooks import _asked, _response
from auditproof.setup.admission import fill, markers

if TYPE_CHECKING:
    from pathlib import Path

URL = "https://127.0.0.1:4711"
WEBHOOK = {"kind": "MutatingWebhookConfiguration", "webhooks": [{"clientConfig": {"url": "<callback>/admission/"}}]}
BINDING = {"kind": "ValidatingAdmissionPolicyBinding", "spec": {"policyName": "mine"}}


def authority(folder: Path) -> Path:
    (folder / "ca.crt").write_bytes(b"an authority")
    return folder / "ca.crt"


def answered(path: str, obj: Any = None) -> dict[str, Any]:
    return _response({"uid": "u-1", "object": obj}, _asked(path))


def test_the_callback_stands_in_the_place_of_its_words(tmp_path: Path) -> None:
    """The nameless address has another host name, by which the server gets the other certificate."""
    config = {"url": "<callback>/a", "other": "<callback-nameless>/b", "caBundle": "<callback-ca>", "port": 1}

    assert fill({"kind": "X", "clientConfig": [config]}, URL, authority(tmp_path)) == {
        "kind": "X",
        "clientConfig": [
            {
                "url": "https://127.0.0.1:4711/a",
                "other": "https://localhost:4711/b",
                "caBundle": base64.b64encode(b"an authority").decode(),
                "port": 1,
            }
        ],
    }


def test_what_has_no_placeholder_is_left_as_it_is(tmp_path: Path) -> None:
    assert fill(BINDING, URL, authority(tmp_path)) is BINDING
    assert fill(WEBHOOK, "", authority(tmp_path)) is WEBHOOK, "a cluster that calls nobody back"


def test_each_kind_of_admission_is_followed_by_a_marker_that_warns_of_one_object(tmp_path: Path) -> None:
    """An API server takes over a configuration some time after the POST: the marker's warning shows when."""
    found = markers([WEBHOOK, {"kind": "Namespace"}, BINDING], URL, authority(tmp_path))

    kinds = [[manifest["kind"] for manifest in marker.manifests] for marker in found]
    assert kinds == [
        ["MutatingWebhookConfiguration"],
        ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"],
    ]
    for marker in found:
        assert marker.words in json.dumps(marker.manifests), "it says the words that are waited for"
        assert marker.words in marker.probe["metadata"]["labels"].values()


def test_another_set_up_has_another_marker(tmp_path: Path) -> None:
    """A marker of an earlier set-up must not answer for a later one."""
    (first,) = markers([BINDING], URL, authority(tmp_path))
    (second,) = markers([{**BINDING, "spec": {}}], URL, authority(tmp_path))

    assert first.words != second.words


def test_a_webhook_does_what_its_path_says() -> None:
    assert answered("/admission/") == {"uid": "u-1", "allowed": True}
    refused = answered("/admission/deny=not%20today/note=why=late/warn=careful")
    assert refused["allowed"] is False
    assert refused["status"] == {"code": 403, "message": "not today"}
    assert (refused["auditAnnotations"], refused["warnings"]) == ({"why": "late"}, ["careful"])


def test_a_webhook_adds_its_labels_to_those_that_are_there() -> None:
    response = answered("/admission/label=colour=red?timeout=10s", {"metadata": {"labels": {"size": "big"}}})

    (operation,) = json.loads(base64.b64decode(response["patch"]))
    assert operation == {"op": "add", "path": "/metadata/labels", "value": {"size": "big", "colour": "red"}}
