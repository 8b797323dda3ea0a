"""The body of a request that triggers a rule: the smallest object of its kind with the values that the rule asks for.

Pure. A path of a rule may leave open where a key is (ANYWHERE). The places where Kubernetes has such keys are known
here for Pods, for what contains a Pod's template, and for roles.
Source: staging/src/k8s.io/api/core/v1/types.go and rbac/v1/types.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditproof.detections.fields import ANYWHERE, EACH, Derived
from auditproof.kube.minimal_objects import IMAGE, minimal_body

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from auditproof.detections.fields import Field

OTHER_KEY = "example.auditproof.dev/text"  # of an annotation that holds a text for which there is no better place
Path = tuple[str, ...]
_TEMPLATE = ("spec", "template", "spec")
_POD_SPEC: dict[str, Path] = {
    "Pod": ("spec",),
    "PodTemplate": ("template", "spec"),
    "CronJob": ("spec", "jobTemplate", *_TEMPLATE),
    **dict.fromkeys(
        ("DaemonSet", "Deployment", "Job", "ReplicaSet", "ReplicationController", "StatefulSet"), _TEMPLATE
    ),
}
_CONTAINER = ("containers", EACH)
_SECURITY = (*_CONTAINER, "securityContext")
_IN_POD: dict[str, Path] = {
    **{key: (*_SECURITY, key) for key in ("privileged", "capabilities", "allowPrivilegeEscalation", "procMount")},
    **{key: (*_CONTAINER, key) for key in ("image", "command", "args", "env", "envFrom", "volumeMounts")},
    **{key: ("volumes", EACH, key) for key in ("hostPath", "secret", "configMap", "projected", "emptyDir")},
    **{
        key: (key,)
        for key in (
            "containers",
            "initContainers",
            "volumes",
            "hostPID",
            "hostIPC",
            "hostNetwork",
            "serviceAccountName",
            "nodeName",
            "nodeSelector",
            "tolerations",
            "securityContext",
            "automountServiceAccountToken",
            "shareProcessNamespace",
        )
    },
    "hostPort": (*_CONTAINER, "ports", EACH, "hostPort"),
}
_IN_ROLE = ("verbs", "resources", "apiGroups", "resourceNames", "nonResourceURLs")
_IN_METADATA = ("annotations", "labels", "finalizers", "ownerReferences")
_NUMBERS = frozenset(
    {"containerPort", "hostPort", "nodePort", "number", "port", "replicas", "runAsGroup", "runAsUser", "value"}
)
_RBAC = "rbac.authorization.k8s.io"
# What an object needs that is there only because a rule asks for a part of it; elements of lists by the list's key.
_ELEMENTS: dict[str, dict[str, Any]] = {
    "containers": {"name": "main", "image": IMAGE},
    "initContainers": {"name": "init", "image": IMAGE},
    "ephemeralContainers": {"name": "debug", "image": IMAGE},
    "volumes": {"name": "volume"},
    "subjects": {"apiGroup": _RBAC, "kind": "User", "name": "nobody"},
    "env": {"name": "EXAMPLE"},
    "webhooks": {
        "name": "example.auditproof.dev",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "clientConfig": {"url": "https://127.0.0.1:1/nowhere"},
    },
}
_LISTS = frozenset(_ELEMENTS) | {
    *("accessModes", "add", "apiGroups", "args", "command", "drop", "envFrom", "finalizers", "groups", "hosts"),
    *("imagePullSecrets", "nonResourceURLs", "ownerReferences", "ports", "resourceNames", "resources", "rules", "tls"),
    *("tolerations", "usages", "verbs", "volumeMounts"),
}
_ROLE_RULE: dict[str, Any] = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}
# Objects that stand for any value: rules ask only whether they are there.
_OBJECTS: dict[str, Any] = {
    "hostPath": {"path": "/auditproof-example"},
    "capabilities": {"add": ["NET_BIND_SERVICE"]},
    "securityContext": {"runAsNonRoot": False},
    "emptyDir": {},
    "ephemeralContainers": [{"name": "debug", "image": IMAGE}],
    "tls": [{"hosts": ["example.auditproof.dev"]}],
    "secret": {"secretName": "auditproof-example"},
    "annotations": {OTHER_KEY: "x"},
    "labels": {"example": "x"},
    "nodeSelector": {"example": "x"},
}
_TEXTS = frozenset({"data", "stringData", "annotations", "labels"})
_ANY = ("x", "*")  # values that solving makes up for a field that only has to exist


class NotBuilt(ValueError):
    """No object has this value; the message says why."""


def body_of(kind: str, subresource: str, values: Mapping[Field, tuple[Any, ...]], name: str) -> dict[str, Any]:
    """The smallest object of a kind, called ``name``, with the values of the fields below requestObject.

    Raises NotBuilt where no place for a value is known.

    >>> from auditproof.detections import Field
    >>> from auditproof.detections.examples.body import body_of
    >>> body_of("Pod", "", {Field.at("requestObject.spec.hostPID"): (True,)}, "web")["spec"]["hostPID"]
    True
    """
    body = minimal_body(kind, subresource)
    with_values(body, kind, values)
    if name:
        body.setdefault("metadata", {}).setdefault("name", name)
    return body


def with_values(body: dict[str, Any], kind: str, values: Mapping[Field, tuple[Any, ...]]) -> None:
    """Put the values of fields below requestObject into an object. Raises NotBuilt as body_of does."""
    for field, given in values.items():
        if field.top in ("requestObject", "responseObject") and given:
            _put_field(body, kind, field, given)
    _complete(body, kind)


def _put_field(body: dict[str, Any], kind: str, field: Field, given: tuple[Any, ...]) -> None:
    path = _placed(field.path[1:], kind)
    if path is None:
        raise NotBuilt(f"no place in a {kind or 'custom resource'} is known for {field}")
    if field.derived is Derived.REPOSITORY:
        given = tuple(f"{one}:1" for one in given)
    if field.derived is Derived.TEXT:
        if path and path[-1] not in _TEXTS:
            raise NotBuilt(f"no object is known whose {field} is such a text: {given[0]}")
        holder = path or ("metadata", "annotations")
        keys = ["example", *(f"example-{number}" for number in range(2, len(given) + 1))] if path else [OTHER_KEY]
        for key, one in zip(keys, given, strict=False):
            _put(body, (*holder, key), (one,))
        return
    if field.flattened:
        path = tuple(_explicit(path))
    _put(body, path, tuple(_typed(one, path) for one in given))


def _explicit(path: Path) -> Iterator[str]:
    """The path with the elements of lists as a level of their own."""
    for key, following in zip(path, (*path[1:], ""), strict=True):
        yield key
        if key in _LISTS and following != EACH and not following.isdecimal():
            yield EACH


def _placed(path: Path, kind: str) -> Path | None:
    """The path with the real keys in place of ANYWHERE; None where they are not known."""
    if ANYWHERE not in path:
        return path
    at = path.index(ANYWHERE)
    before, after = path[:at], tuple(key for key in path[at + 1 :] if key != ANYWHERE)
    if not after:
        return None
    key = after[0]
    spec = _POD_SPEC.get(kind)
    if spec is not None and key in _IN_POD:
        full = (*spec, *_IN_POD[key])
    elif kind in ("Role", "ClusterRole") and key in _IN_ROLE:
        full = ("rules", EACH, key)
    elif key in _IN_METADATA:
        full = ("metadata", key)
    else:
        return None
    placed = (*full, *after[1:])
    return placed if placed[: len(before)] == before else None


def _typed(value: Any, path: Path) -> Any:
    """The value as the kind has it: numbers, and an object where the rule asks only whether there is one."""
    key = next((one for one in reversed(path) if one != EACH), "")
    if value in _ANY and path[-1] in _OBJECTS:
        return _OBJECTS[path[-1]]
    if isinstance(value, str) and key in _NUMBERS and value.isdecimal() and path[0] != "metadata":
        return int(value)
    return value


def _put(inside: Any, path: Path, values: tuple[Any, ...]) -> None:
    """Put values at a path; several values are elements of the list at the last EACH."""
    key, rest = path[0], path[1:]
    if not isinstance(inside, dict):
        raise NotBuilt(f"there is no {key} in {inside!r}")
    if not rest:
        inside[key] = values[0]
    elif rest[0] != EACH and not rest[0].isdecimal():
        if not isinstance(inside.get(key), dict):
            inside[key] = {}
        _put(inside[key], rest, values)
    elif len(rest) == 1:
        inside[key] = list(values)
    else:
        elements = inside[key] = list(inside.get(key) or [])
        first = int(rest[0]) if rest[0].isdecimal() else 0
        for number, value in enumerate(values if EACH not in rest[1:] else values[:1], first):
            while len(elements) <= number:
                elements.append({})
            _put(elements[number], rest[1:], values if EACH in rest[1:] else (value,))


def _complete(value: Any, kind: str, key: str = "") -> None:
    """Add what elements of lists have to have besides, e.g. the name of a volume."""
    if isinstance(value, dict):
        for inner, some in value.items():
            _complete(some, kind, inner)
    elif isinstance(value, list):
        role = kind in ("Role", "ClusterRole") and key == "rules"
        needed = _ROLE_RULE if role else _ELEMENTS.get(key, {})
        for number, element in enumerate(value):
            if not isinstance(element, dict):
                continue
            for name, default in needed.items():
                if role and name in ("apiGroups", "resources") and "nonResourceURLs" in element:
                    continue
                suffix = f"-{number + 1}" if name == "name" and number else ""
                element.setdefault(name, f"{default}{suffix}" if suffix else default)
            if key == "volumes" and set(element) == {"name"}:
                element["emptyDir"] = {}
            _complete(element, kind)
