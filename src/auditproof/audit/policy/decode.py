"""Decodes the text of an audit policy as kube-apiserver does, before validation.

Source: staging/src/k8s.io/apiserver/pkg/audit/policy/reader.go. What the server only logs becomes a warning,
what it refuses a problem, each with its position; all are collected before anything is raised.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from auditproof.audit.policy.go_types import POLICY
from auditproof.audit.policy.type_meta import check_kind
from auditproof.audit.policy.unmarshal import Findings, repeated_key, unmarshal
from auditproof.errors import NotYaml, PolicyRefused, Problem
from auditproof.kube.yaml.json_text import parse_json
from auditproof.kube.yaml.yaml_text import Document, Node, parse_document

if TYPE_CHECKING:
    from auditproof.audit.policy.unmarshal import GoValue

_DEEPEST = 10_000  # Go's own limit
_GO_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
_GO_SPACE += "\u2028\u2029\u202f\u205f\u3000"


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
    """A policy before validation, with the server's warnings and its decoder's errors, in file order.

    ``server_message`` is the server's own message about the first error; empty if there is none.
    """

    node: Node
    rules: tuple[RawRule, ...]
    omit_stages: tuple[Node, ...]
    omit_managed_fields: bool
    warnings: tuple[Problem, ...]
    problems: tuple[Problem, ...]
    server_message: str


def decode(data: bytes, path: str) -> RawPolicy:
    """Decode the text of a policy; a value of the wrong type is a problem and counts as absent.

    Raises PolicyRefused if the text is neither YAML nor JSON, or not a policy.
    """
    document = read_text(data, path)
    check_kind(document.root)
    repeated = [Problem(position, repeated_key(key)) for key, position in document.repeated]
    findings = Findings(warnings=repeated)
    held = unmarshal(document.root, POLICY, findings)
    warnings = tuple(sorted(set(findings.warnings), key=lambda warning: warning.position))
    problems = tuple(sorted(findings.problems, key=lambda problem: problem.position))
    message = f"failed decoding: {findings.messages[0]}" if problems else ""
    rules = tuple(_rule(rule) for rule in held.field("rules").items())
    omit_managed_fields = bool(held.field("omitManagedFields").value)
    return RawPolicy(document.root, rules, _texts(held, "omitStages"), omit_managed_fields, warnings, problems, message)


@lru_cache(maxsize=4)  # what a user names is asked first whether it is a policy, then whether one is inside, then read
def read_text(data: bytes, path: str) -> Document:
    """Parse the text; if it begins with ``{``, it is read as JSON, else as YAML.

    Raises PolicyRefused if it is neither.
    """
    # As RecognizesData in apimachinery's pkg/runtime/serializer/json/json.go, after what Go calls space.
    is_json = data.decode(errors="replace").lstrip(_GO_SPACE).startswith("{")
    try:
        return Document(parse_json(data, path), ()) if is_json else parse_document(data, path, deepest=_DEEPEST)
    except NotYaml as error:
        message = (
            f"couldn't get version/kind; json parse error: {error.server_message}" if is_json else error.server_message
        )
        raise PolicyRefused(error.problems, f"failed decoding: {message}") from None


def _rule(held: GoValue) -> RawRule:
    return RawRule(
        held.node,
        str(held.field("level").value or ""),
        _texts(held, "users"),
        _texts(held, "userGroups"),
        _texts(held, "verbs"),
        tuple(
            RawGroupResources(
                entry.node,
                str(entry.field("group").value or ""),
                _texts(entry, "resources"),
                _texts(entry, "resourceNames"),
            )
            for entry in held.field("resources").items()
        ),
        _texts(held, "namespaces"),
        _texts(held, "nonResourceURLs"),
        _texts(held, "omitStages"),
        held.field("omitManagedFields").value,
    )


def _texts(held: GoValue, name: str) -> tuple[Node, ...]:
    return tuple(Node(item.value or "", item.node.position) for item in held.field(name).items())
