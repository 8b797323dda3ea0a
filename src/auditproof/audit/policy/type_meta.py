"""Checks apiVersion and kind of a policy as kube-apiserver does.

Source: staging/src/k8s.io/apimachinery/pkg/runtime/serializer/json (json.go, meta.go) and the types registered
next to Policy. Only here, Go ignores the case of keys.
"""

from __future__ import annotations

from auditproof.audit.policy.unmarshal import in_order, json_type
from auditproof.errors import PolicyRefused, Problem
from auditproof.kube.yaml.go_quote import go_quoted
from auditproof.kube.yaml.yaml_text import Mapping, Node

GROUP, VERSION = "audit.k8s.io", "v1"
REMOVED = (f"{GROUP}/v1beta1", f"{GROUP}/v1alpha1")  # with Kubernetes 1.24; their fields are those of v1
_INTERNAL = "__internal"
_OPTIONS = {f"{verb}Options" for verb in ("Create", "Delete", "Get", "List", "Patch", "Update")}
_UNVERSIONED = {"APIGroup", "APIGroupList", "APIResourceList", "APIVersions", "Status"}
_AUDIT = {"Event", "EventList", "PolicyList"}
_OTHER_KINDS = {
    (GROUP, VERSION): {*_AUDIT, *_OPTIONS, "WatchEvent"},
    (GROUP, _INTERNAL): {*_AUDIT, "WatchEvent"},
    ("", VERSION): {*_OPTIONS, "WatchEvent"},
    ("", _INTERNAL): {"WatchEvent"},
}
_PARSE_ERROR = "failed decoding: couldn't get version/kind; json parse error: "
_TARGET = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'


def check_kind(root: Node) -> None:
    """Raise PolicyRefused unless the server would decode ``root`` as an audit.k8s.io/v1 Policy."""
    if root.value is not None and not isinstance(root.value, Mapping):
        text = f"not an audit policy: expected a mapping with apiVersion, kind and rules, found {_a(json_type(root))}"
        message = f"json: cannot unmarshal {json_type(root)} into Go value of type {_TARGET}"
        raise PolicyRefused([Problem(root.position, text)], _PARSE_ERROR + message)
    version_node, kind_node = _fields(root)
    group, version = _group_version(version_node)
    kind = str(kind_node.value or "Policy")
    if not version and group in ("", GROUP):
        group, version = GROUP, _INTERNAL
    if (group, version, kind) != (GROUP, VERSION, "Policy"):
        where = version_node if (group, version) != (GROUP, VERSION) else kind_node
        raise PolicyRefused(
            [Problem(where.position, _advice(version_node, str(kind_node.value or "")))], _message(group, version, kind)
        )


def _fields(root: Node) -> tuple[Node, Node]:
    """The apiVersion and the kind, each a Node with a string or None."""
    found = {"apiversion": Node(None, root.position), "kind": Node(None, root.position)}
    refused: list[tuple[Problem, str]] = []
    for key, node in () if root.value is None else in_order(root.value):
        # encoding/json matches keys without regard to case, and the last one wins.
        # Unicode simple folding: two more letters equal k and s.
        name = key.replace("\u212a", "k").replace("\u017f", "s").lower() if len(key) <= len("apiVersion") else key
        if name not in found or node.value is None:
            continue
        if isinstance(node.value, str):
            found[name] = node
        else:
            field = {"apiversion": "apiVersion", "kind": "kind"}[name]
            message = f"json: cannot unmarshal {json_type(node)} into Go struct field .{field} of type string"
            problem = Problem(node.position, f"{field} must be a string, not {_a(json_type(node))}")
            refused.append((problem, message))
    if refused:
        raise PolicyRefused([problem for problem, _ in refused], _PARSE_ERROR + refused[0][1])
    return found["apiversion"], found["kind"]


def _group_version(node: Node) -> tuple[str, str]:
    text = str(node.value or "")
    if text in ("", "/"):
        return "", ""
    if text.count("/") > 1:
        problem = Problem(node.position, f"apiVersion must be {GROUP}/{VERSION}, not {text}")
        raise PolicyRefused([problem], f"failed decoding: unexpected GroupVersion string: {text}")
    group, _, version = text.rpartition("/")
    return group, version


def _advice(version_node: Node, kind: str) -> str:
    version = version_node.value
    if version in REMOVED and kind == "Policy":
        return (
            f"{version} was removed in Kubernetes 1.24: write apiVersion: {GROUP}/{VERSION}, and leave the rest as it "
            "is (kind and fields have the same names and meaning)"
        )
    text = f"not an audit policy: expected apiVersion: {GROUP}/{VERSION} and kind: Policy, found"
    said = [f"apiVersion: {version}" if version else "no apiVersion", f"kind: {kind}" if kind else "no kind"]
    return f"{text} {' and '.join(said)}"


def _message(group: str, version: str, kind: str) -> str:
    if (group, version, kind) == (GROUP, _INTERNAL, "Policy"):
        return f"unknown group version field {GROUP}/{_INTERNAL}, Kind=Policy in policy"
    if not version:
        return "failed decoding: Object 'apiVersion' is missing"
    if kind in _UNVERSIONED or kind in _OTHER_KINDS.get((group, version), ()):
        package = "audit" if (group, version) == (GROUP, _INTERNAL) and kind in _AUDIT else "v1"
        name = "InternalEvent" if version == _INTERNAL and kind == "WatchEvent" else kind
        return f"failed decoding: converting ({package}.{name}) to (audit.Policy): unknown conversion"
    what = f"failed decoding: no kind {go_quoted(kind)} is registered for"
    if version == _INTERNAL:
        return f"{what} the internal version of group {go_quoted(group)}"
    return f"{what} version {go_quoted(f'{group}/{version}' if group else version)}"


def _a(name: str) -> str:
    return f"an {name}" if name[0] in "ao" else f"a {name}"
