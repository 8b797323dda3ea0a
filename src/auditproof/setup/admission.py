"""Admission of the run: webhooks that its stand-in serves, and how it is known that the API server uses them.

In a manifest ``<callback>`` is the address of the process, ``<callback-nameless>`` the same with a certificate that
has no subject alternative name, and ``<callback-ca>`` their authority (for ``caBundle``).

An API server learns of a webhook or a policy by a watch, a moment after it was created. So a marker of the same kind is
created behind what was asked for: one that warns, and only about an object made for it. It learns in order; where the
marker warns, everything before it is in force (k8s.io/apiserver pkg/admission/configuration and
pkg/admission/plugin/policy/generic/policy_source.go, which both take all that a lister has at once).
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

GROUP = "admissionregistration.k8s.io/v1"
POLICY, BINDING = "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"
_KINDS = {
    "MutatingWebhookConfiguration": ("MutatingWebhookConfiguration",),
    "ValidatingWebhookConfiguration": ("ValidatingWebhookConfiguration",),
    POLICY: (POLICY, BINDING),
    BINDING: (POLICY, BINDING),
}
PROBE = "/api/v1/namespaces/default/configmaps?dryRun=All"
LABEL = "auditproof-marker"
_RULE = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}


def fill(manifest: Mapping[str, Any], callback: str | None, authority: Path | None) -> Mapping[str, Any]:
    """The manifest with the callback process in it; ``callback`` is its address, None without."""
    if not callback or authority is None or "<callback" not in json.dumps(manifest):
        return manifest
    words = {
        "<callback-nameless>": callback.replace("127.0.0.1", "localhost"),
        "<callback-ca>": base64.b64encode(authority.read_bytes()).decode(),
        "<callback>": callback,
    }
    return dict(_filled(manifest, words))


def _filled(value: Any, words: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(part, words) for key, part in value.items()}
    if isinstance(value, list):
        return [_filled(part, words) for part in value]
    if isinstance(value, str):
        for word, meant in words.items():
            value = value.replace(word, meant)
    return value


@dataclass(frozen=True, slots=True)
class Marker:
    """What is to be created behind other objects; ``probe`` is an object that is warned about in ``words`` then."""

    manifests: tuple[dict[str, Any], ...]
    probe: dict[str, Any]
    words: str


def markers(created: Iterable[Mapping[str, Any]], callback: str | None, authority: Path | None) -> list[Marker]:
    """A marker for each kind of admission among objects that were created."""
    found: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for manifest in created:
        if manifest["kind"] in _KINDS:
            found.setdefault(_KINDS[manifest["kind"]], []).append(manifest)
    made = []
    for kinds, behind in found.items():
        # Another set-up needs another name: the marker of an earlier one is in force already, and would show nothing.
        digest = hashlib.sha256(json.dumps([kinds, behind], sort_keys=True).encode()).hexdigest()[:16]
        name = f"auditproof-marker-{digest}"
        webhooks = kinds != (POLICY, BINDING)
        manifests = (_webhook(kinds[0], name, callback, authority),) if webhooks else _policy(name)
        metadata = {"name": name, "labels": {LABEL: name}}
        made.append(Marker(manifests, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}, name))
    return made


def _webhook(kind: str, name: str, callback: str | None, authority: Path | None) -> dict[str, Any]:
    client = {"url": f"<callback>/admission/warn={name}", "caBundle": "<callback-ca>"}
    webhook = {
        "name": f"{name}.example.com",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "objectSelector": {"matchLabels": {LABEL: name}},
        "rules": [_RULE],
        "clientConfig": client,
    }
    manifest = {"apiVersion": GROUP, "kind": kind, "metadata": {"name": name}, "webhooks": [webhook]}
    return dict(fill(manifest, callback, authority))


def _policy(name: str) -> tuple[dict[str, Any], ...]:
    metadata = {"name": name}
    policy = {
        "matchConstraints": {"resourceRules": [_RULE], "objectSelector": {"matchLabels": {LABEL: name}}},
        "validations": [{"expression": "false", "message": name}],
    }
    binding = {"policyName": name, "validationActions": ["Warn"]}
    return (
        {"apiVersion": GROUP, "kind": POLICY, "metadata": metadata, "spec": policy},
        {"apiVersion": GROUP, "kind": BINDING, "metadata": metadata, "spec": binding},
    )
