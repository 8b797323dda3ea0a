"""An audit policy's text to the nouns of ``policy``: decoded like kube-apiserver decodes it, then validated.

Source: staging/src/k8s.io/apiserver/pkg/audit/policy/reader.go; the strict decoder's rules are those of
sigs.k8s.io/yaml and sigs.k8s.io/json. What the server only warns about becomes a warning, what it refuses a problem,
each with its place; all are gathered before anything is raised.
"""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass, field

from auditproof.errors import NotYaml, PolicyRefused, Position, Problem
from auditproof.source import Mapping, Node, parse_yaml

GROUP_VERSION = "audit.k8s.io/v1"
_OTHER_KINDS = ("Event", "EventList", "PolicyList")
_INTERNAL = "audit.k8s.io/__internal"
_UNKNOWN_VERSION = f"unknown group version field {_INTERNAL}, Kind=Policy in policy"
# meta/v1 ObjectMeta and ListMeta keys: the server decodes them and looks at none.
_METADATA = [
    "name",
    "generateName",
    "namespace",
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
    "managedFields",
]


@dataclass(slots=True)
class Decoded:
    """The raw values of a policy, each a Node, with every warning and every type error on the way."""

    warnings: list[Problem] = field(default_factory=list)
    strict: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    def warn(self, position: Position, text: str, strict: str) -> None:
        """Note what the strict decoder objects to and the lenient one lets pass."""
        self.warnings.append(Problem(position, text))
        self.strict.append(strict)

    def refuse(self, position: Position, text: str, message: str) -> None:
        """Note what no decoder lets pass; ``message`` is the server's own."""
        self.problems.append(Problem(position, text))
        self.messages.append(message)


@dataclass(frozen=True, slots=True)
class RawGroupResources:
    """GroupResources before validation."""

    node: Node
    group: str
    resources: tuple[Node, ...]
    resource_names: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class RawRule:
    """A PolicyRule before validation; the tuples hold string Nodes."""

    node: Node
    level: str
    users: tuple[Node, ...]
    user_groups: tuple[Node, ...]
    verbs: tuple[Node, ...]
    resources: tuple[RawGroupResources, ...]
    namespaces: tuple[Node, ...]
    non_resource_urls: tuple[Node, ...]
    omit_stages: tuple[Node, ...]
    omit_managed_fields: bool | None


@dataclass(frozen=True, slots=True)
class RawPolicy:
    """A policy before validation."""

    node: Node
    rules: tuple[RawRule, ...]
    omit_stages: tuple[Node, ...]
    omit_managed_fields: bool


def decode(data: bytes, path: str, found: Decoded) -> RawPolicy:
    """Decode the text of a policy.

    Raises PolicyRefused where the server's decoder refuses it.
    """
    root = _parse(data, path)
    _check_kind(root, found)
    fields = _Fields(root, "", "Policy", found)
    policy = RawPolicy(
        root,
        tuple(_rule(node, f"rules[{n}]", found) for n, node in enumerate(fields.items("rules", "v1.PolicyRule"))),
        fields.strings("omitStages"),
        bool(fields.boolean("omitManagedFields")),
    )
    fields.metadata()
    fields.finish("apiVersion", "kind")
    if found.problems:
        raise PolicyRefused(found.problems, f"failed decoding: {found.messages[0]}")
    return policy


def _parse(data: bytes, path: str) -> Node:
    text = data.lstrip()
    try:
        if text.startswith(b"{"):
            _check_json(text, path)
        return parse_yaml(data, path, deepest=10_000)
    except NotYaml as error:
        raise PolicyRefused(error.problems, f"failed decoding: {error.server_message}") from None


def _check_json(text: bytes, path: str) -> None:
    """A text that begins with ``{`` is taken for JSON by the server, and must be all of it."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        reason = f"a policy that begins with {{ is read as JSON, and this is none: {error.msg}"
        raise NotYaml([Problem(Position(path, error.lineno, error.colno), reason)], "json") from None
    except (ValueError, RecursionError) as error:
        raise NotYaml([Problem(Position(path, 1, 1), f"this is not JSON: {error}")], "json") from None


def _check_kind(root: Node, found: Decoded) -> None:
    """Refuse another kind or version, as the server does, with the advice that it does not give."""
    if root.value is not None and not isinstance(root.value, Mapping):
        text = "a policy must be a mapping with apiVersion, kind and rules"
        found.refuse(
            root.position, text, f"couldn't get version/kind; json parse error: cannot unmarshal {_json_type(root)}"
        )
        raise PolicyRefused(found.problems, f"failed decoding: {found.messages[0]}")
    entries = root.value.entries if root.value else {}
    version, kind = (_text(entries.get(key), key, found) for key in ("apiVersion", "kind"))
    if found.problems:
        raise PolicyRefused(found.problems, f"failed decoding: {found.messages[0]}")
    where = entries["apiVersion"].position if "apiVersion" in entries else root.position
    if version in ("", _INTERNAL):
        text = f"apiVersion must be {GROUP_VERSION}, it is {version or 'missing'}"
        raise PolicyRefused([Problem(where, text)], _UNKNOWN_VERSION)
    if version == GROUP_VERSION and kind in _OTHER_KINDS:
        text = f"kind must be Policy, it is {kind}"
        message = f"failed decoding: converting (v1.{kind}) to (audit.Policy): unknown conversion"
        raise PolicyRefused([Problem(entries["kind"].position, text)], message)
    if version != GROUP_VERSION or kind not in ("", "Policy"):
        text = f"apiVersion and kind must be {GROUP_VERSION} and Policy, they are {version} and {kind or '(none)'}"
        message = f'failed decoding: no kind "{kind}" is registered for version "{version}" in scheme'
        raise PolicyRefused([Problem(where, text)], message)


def _text(node: Node | None, key: str, found: Decoded) -> str:
    if node is None or node.value is None:
        return ""
    if not isinstance(node.value, str):
        message = (
            "couldn't get version/kind; json parse error: "
            f"json: cannot unmarshal {_json_type(node)} into Go struct field .{key} of type string"
        )
        found.refuse(node.position, f"{key} must be a string, it is a {_json_type(node)}", message)
        return ""
    return node.value


def _rule(node: Node, path: str, found: Decoded) -> RawRule:
    fields = _Fields(node, path, "PolicyRule.rules", found)
    entries = fields.items("resources", "v1.GroupResources")
    rule = RawRule(
        node,
        fields.string("level", "v1.Level"),
        fields.strings("users"),
        fields.strings("userGroups"),
        fields.strings("verbs"),
        tuple(_group_resources(entry, f"{path}.resources[{n}]", found) for n, entry in enumerate(entries)),
        fields.strings("namespaces"),
        fields.strings("nonResourceURLs"),
        fields.strings("omitStages"),
        fields.boolean("omitManagedFields"),
    )
    fields.finish()
    return rule


def _group_resources(node: Node, path: str, found: Decoded) -> RawGroupResources:
    fields = _Fields(node, path, "GroupResources.rules.resources", found)
    entry = RawGroupResources(
        node, fields.string("group"), fields.strings("resources"), fields.strings("resourceNames")
    )
    fields.finish()
    return entry


class _Fields:
    """Reads the fields of one object, with the type errors and unknown keys that Go's strict decoder would report."""

    def __init__(self, node: Node, path: str, struct: str, found: Decoded) -> None:
        self._node = node
        self._path = path
        self._struct = struct
        self._found = found
        self._asked: list[str] = []
        self._mapping = node.value if isinstance(node.value, Mapping) else None

    def _get(self, key: str) -> Node | None:
        self._asked.append(key)
        node = self._mapping.entries.get(key) if self._mapping else None
        return None if node is None or node.value is None else node

    def _mistyped(self, node: Node, key: str, wanted: str, go_type: str) -> None:
        kind = _json_type(node)
        message = f"json: cannot unmarshal {kind} into Go struct field {self._struct}.{key} of type {go_type}"
        name = f"{self._path}.{key}".lstrip(".")
        self._found.refuse(node.position, f"{name} must be {wanted}, it is a {kind}{_hint(node)}", message)

    def string(self, key: str, go_type: str = "string") -> str:
        """A string field; absent and null are empty."""
        node = self._get(key)
        if node is not None and not isinstance(node.value, str):
            self._mistyped(node, key, "a string", go_type)
            return ""
        return str(node.value) if node else ""

    def boolean(self, key: str) -> bool | None:
        """A boolean field; absent and null are None."""
        node = self._get(key)
        if node is not None and not isinstance(node.value, bool):
            self._mistyped(node, key, "true or false", "bool")
            return None
        return bool(node.value) if node else None

    def strings(self, key: str) -> tuple[Node, ...]:
        """A list of strings; absent and null are empty, a null item is an empty string."""
        nodes = self._list(key, "a list of strings", "[]string")
        for node in nodes:
            if node.value is not None and not isinstance(node.value, str):
                self._mistyped(node, key, "a list of strings", "string")
        return tuple(Node(node.value or "", node.position) for node in nodes)

    def items(self, key: str, go_type: str) -> tuple[Node, ...]:
        """A list of objects."""
        nodes = self._list(key, "a list of objects", f"[]{go_type}")
        for node in nodes:
            if node.value is not None and not isinstance(node.value, Mapping):
                self._mistyped(node, key, "a list of objects", go_type)
        return nodes

    def _list(self, key: str, wanted: str, go_type: str) -> tuple[Node, ...]:
        node = self._get(key)
        if node is not None and not isinstance(node.value, tuple):
            self._mistyped(node, key, wanted, go_type)
            return ()
        return node.value if node else ()

    def metadata(self) -> None:
        """ObjectMeta: decoded by the server, and of no effect."""
        node = self._get("metadata")
        if node is not None and not isinstance(node.value, Mapping):
            self._mistyped(node, "metadata", "an object", "v1.ObjectMeta")
        elif node is not None:
            fields = _Fields(node, "metadata", "ObjectMeta.metadata", self._found)
            fields.finish(*_METADATA)

    def finish(self, *others: str) -> None:
        """Warn about unknown and repeated keys."""
        if self._mapping is None:
            return
        known = [*self._asked, *others]
        for key, position in self._mapping.repeated:
            text = f'the key "{key}" is there twice: the server only warns, and the last one counts'
            self._found.warn(position, text, f'key "{key}" already set in map')
        for key in self._mapping.entries:
            if key not in known:
                self._warn_unknown(key, known)

    def _warn_unknown(self, key: str, known: list[str]) -> None:
        assert self._mapping is not None
        name = f"{self._path}.{key}".lstrip(".")
        guess = difflib.get_close_matches(key.lower(), [k.lower() for k in known], n=1)
        meant = next((k for k in known if guess and k.lower() == guess[0]), "")
        advice = f'; did you mean "{meant}"?' if meant else f"; known here: {', '.join(sorted(known))}"
        text = f'unknown key "{key}": the server only warns, and ignores it{advice}'
        self._found.warn(self._mapping.keys[key], text, f'unknown field "{name}"')


def _json_type(node: Node) -> str:
    names: list[tuple[type | tuple[type, ...], str]] = [
        (bool, "bool"),
        ((int, float), "number"),
        (str, "string"),
        (tuple, "array"),
        (Mapping, "object"),
    ]
    return next((name for kind, name in names if isinstance(node.value, kind)), "null")


def _hint(node: Node) -> str:
    if isinstance(node.value, bool | int | float):
        return " (unquoted yes, no, on, off, y, n, true, false and numbers are not strings in YAML 1.1: quote it)"
    return ""
