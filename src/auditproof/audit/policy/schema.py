"""The JSON Schema of an audit policy: what kube-apiserver decodes and accepts, and what each field does.

Made from the Go types of ``go_types`` and the checks of ``validate``. It is strict: a key that the server ignores with
a warning in its log is an error here. Text that is no data (a repeated key, a second document) is out of its reach.
``patternErrorMessage`` is what the YAML language server shows.
"""

from __future__ import annotations

from typing import Any

from auditproof.audit.event import Level, Stage
from auditproof.audit.policy.go_types import (
    POLICY,
    Anything,
    Boolean,
    GoType,
    Integer,
    List,
    Struct,
    Text,
    Texts,
    Time,
)

DESCRIPTION = (
    "An audit policy of Kubernetes (audit.k8s.io/v1), the file of --audit-policy-file. The first rule that matches a "
    "request decides how it is recorded; a request that no rule matches is not recorded. The API server reads the file "
    "only when it starts, and only its first document. It ignores a misspelled key, with a warning in its own log."
)
_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_STAGES = (
    "Stages: RequestReceived (before the request is handled: it doubles the volume), ResponseStarted (only of watches "
    "and other long-running requests, and of failed logins), ResponseComplete, Panic."
)
_MEANING = {
    "Policy.apiVersion": "audit.k8s.io/v1. The versions v1beta1 and v1alpha1 were removed in Kubernetes 1.24; fields "
    "and their meaning are the same.",
    "Policy.kind": "Policy.",
    "Policy.metadata": "The usual metadata of an object. It has no effect: no part of it is recorded or used.",
    "Policy.rules": "The rules, in order: the first one that matches a request decides, later ones are not looked at. "
    "So exceptions come before the general rule, and the last rule usually has a level and no condition.",
    "Policy.omitStages": "Stages at which no request has an event. A rule can add stages to these, and cannot bring "
    f"one back. {_STAGES}",
    "Policy.omitManagedFields": "Whether metadata.managedFields is left out of recorded bodies, which makes them much "
    "smaller. A rule that has omitManagedFields decides for itself.",
    "PolicyRule": "One rule: what is recorded of the requests that meet all of its conditions. An absent or empty "
    "condition restricts nothing.",
    "PolicyRule.level": "What is recorded: None (nothing), Metadata (who, what, when, and the response code), Request "
    "(also the body that was sent), RequestResponse (also the body that was returned). Required. At Request, bodies of "
    "secrets and tokens are in the log; a get, list or watch sends no body, so Request records no more of it than "
    "Metadata.",
    "PolicyRule.users": "User names, word for word: a * is no wildcard. A service account is "
    "system:serviceaccount:NAMESPACE:NAME. A request whose authentication failed has no user, so a rule with users "
    "never matches it.",
    "PolicyRule.userGroups": "Groups, word for word; one of them is enough. Every authenticated user is in "
    "system:authenticated, a service account also in system:serviceaccounts and system:serviceaccounts:NAMESPACE. A "
    "request whose authentication failed is in none.",
    "PolicyRule.verbs": "API verbs in lower case: get, list, watch, create, update, patch, delete, deletecollection; "
    'for paths get, post, put and so on. "*" is no wildcard: leave verbs out for all of them. There is no verb exec: '
    "kubectl exec is create or get of pods/exec.",
    "PolicyRule.resources": "Resources by API group; one entry that matches is enough. A rule with resources matches "
    "no request for a path such as /healthz.",
    "PolicyRule.namespaces": "Namespaces, word for word: a * is no wildcard. The empty text is the namespace of "
    "cluster-scoped resources, and of a list or watch over all namespaces. A rule with namespaces matches no request "
    "for a path such as /healthz.",
    "PolicyRule.nonResourceURLs": "Paths that are no resources, such as /healthz* or /version; a * at the end stands "
    "for anything, also for more segments. A path below /api/ or /apis/ that names a resource never matches. Not "
    "together with resources or namespaces.",
    "PolicyRule.omitStages": "Stages without an event, in addition to the policy's omitStages. Without "
    f"ResponseStarted, failed logins are lost. {_STAGES}",
    "PolicyRule.omitManagedFields": "true or false overrides the policy's omitManagedFields; absent: the policy's.",
    "GroupResources": "Resources of one API group.",
    "GroupResources.group": "The API group without a version: apps, and not apps/v1. Absent or empty: the core group "
    '(pods, secrets, configmaps and others). "*" is every group since Kubernetes 1.36; older servers refuse it.',
    "GroupResources.resources": "Plural names in lower case. pods does not cover its subresources such as pods/log and "
    'pods/exec; pods/* covers pods and all of its subresources, */scale one subresource of all resources, "*" '
    "everything. Absent or empty: everything in the group.",
    "GroupResources.resourceNames": "Names of objects, word for word: a * is no wildcard. Needs resources. A "
    "request that names no object is not matched: a create, and a list, watch or deletecollection of many objects.",
}
_RESTRICTS: dict[str, dict[str, Any]] = {
    "Policy.apiVersion": {"const": "audit.k8s.io/v1"},
    "Policy.kind": {"const": "Policy"},
    "Policy.rules": {"type": "array", "minItems": 1},
    "PolicyRule": {
        "type": "object",
        "required": ["level"],
        "if": {"properties": {"nonResourceURLs": {"type": "array", "minItems": 1}}, "required": ["nonResourceURLs"]},
        "then": {"properties": {"resources": {"maxItems": 0}, "namespaces": {"maxItems": 0}}},
    },
    "PolicyRule.level": {"enum": [str(level) for level in Level]},
    "GroupResources": {
        "if": {"properties": {"resourceNames": {"type": "array", "minItems": 1}}, "required": ["resourceNames"]},
        "then": {"properties": {"resources": {"type": "array", "minItems": 1}}, "required": ["resources"]},
    },
    "GroupResources.group": {
        "maxLength": 253,
        "pattern": rf"^(\*|{_LABEL}(\.{_LABEL})*)?$",
        "patternErrorMessage": "expected an API group in lower case, without a version: apps, and not apps/v1",
    },
}
_RESTRICTS_ITEMS: dict[str, dict[str, Any]] = {
    "nonResourceURLs": {
        "type": "string",
        "pattern": r"^(\*|/[^*]*\*?)$",
        "patternErrorMessage": "expected a path that begins with /, with a * at most as its last character",
    },
    "omitStages": {"enum": [str(stage) for stage in Stage]},
}


def policy_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of an audit policy, without ``$schema`` and ``$id``.

    Source: staging/src/k8s.io/apiserver/pkg/apis/audit/v1/types.go and pkg/apis/audit/validation/validation.go.
    """
    definitions: dict[str, Any] = {}
    _define(POLICY, definitions)
    policy = definitions.pop("Policy")
    root = {"description": DESCRIPTION, **policy, "type": "object", "required": ["apiVersion", "rules"]}
    return {**root, "$defs": dict(sorted(definitions.items()))}


def _define(struct: Struct, definitions: dict[str, Any]) -> dict[str, Any]:
    """Add the schema of an object to ``definitions``; return a reference to it."""
    if struct.name not in definitions:
        keys = {name: _key(struct, name, kind, definitions) for name, kind in struct.fields.items()}
        open_ = {"type": ["object", "null"], "additionalProperties": False, "properties": keys}
        definitions[struct.name] = {**_meaning(struct.name), **open_, **_RESTRICTS.get(struct.name, {})}
    return {"$ref": f"#/$defs/{struct.name}"}


def _key(struct: Struct, name: str, kind: GoType, definitions: dict[str, Any]) -> dict[str, Any]:
    full = f"{struct.name}.{name}"
    schema = _schema(kind, definitions)
    if isinstance(kind, List) and name in _RESTRICTS_ITEMS:
        schema["items"] = _RESTRICTS_ITEMS[name]
    return {**_meaning(full), **schema, **_RESTRICTS.get(full, {})}


def _meaning(full: str) -> dict[str, str]:
    return {"description": _MEANING[full]} if full in _MEANING else {}


def _schema(kind: GoType, definitions: dict[str, Any]) -> dict[str, Any]:
    """The schema of a Go type; null leaves any of them as it is (encoding/json)."""
    match kind:
        case Text():
            return {"type": ["string", "null"]}
        case Time():
            return {"type": ["string", "null"], "format": "date-time"}
        case Boolean():
            return {"type": ["boolean", "null"]}
        case Integer():
            return {"type": ["integer", "null"], "minimum": -(2**63), "maximum": 2**63 - 1}
        case Texts():
            return {"type": ["object", "null"], "additionalProperties": {"type": ["string", "null"]}}
        case List():
            return {"type": ["array", "null"], "items": _schema(kind.of, definitions)}
        case Struct():
            return _define(kind, definitions)
        case Anything():
            return {}
