"""What kube-apiserver refuses in a policy that it can decode.

Source: staging/src/k8s.io/apiserver/pkg/apis/audit/validation/validation.go. Each finding is a Problem with its place
and the server's own message beside it, in the server's order.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from auditproof.audit import Level, Stage
from auditproof.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.decoding import RawGroupResources, RawPolicy, RawRule
    from auditproof.source import Node

Finding = tuple[Problem, str]

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_SUBDOMAIN_MESSAGE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LEVELS = ", ".join(f'"{level}"' for level in Level)
_STAGES = ",".join(Stage)
_BOTH = "rules cannot apply to both regular resources and non-resource URLs"


def validate(policy: RawPolicy, *, any_group: bool) -> list[Finding]:
    """Everything that the server refuses; ``any_group`` tells whether it knows the group "*" (since 1.36)."""
    findings = list(_stages(policy.omit_stages, "omitStages"))
    for n, rule in enumerate(policy.rules):
        path = f"rules[{n}]"
        findings += _level(rule, path)
        findings += _non_resource_urls(rule, path)
        for entry in rule.resources:
            findings += _group_resources(entry, path, any_group=any_group)
        findings += _stages(rule.omit_stages, f"{path}.omitStages")
        findings += _mixed(rule, path)
    return findings


def _finding(node: Node, path: str, message: str, advice: str = "") -> Finding:
    return Problem(node.position, f"{path}: {message}{advice}"), f"{path}: {message}"


def _level(rule: RawRule, path: str) -> Iterator[Finding]:
    where = rule.node.at(("level",))
    if not rule.level:
        yield _finding(where, f"{path}.level", "Required value", f" (one of {_LEVELS})")
    elif rule.level not in {str(level) for level in Level}:
        yield _finding(
            where, f"{path}.level", f"Unsupported value: {json.dumps(rule.level)}: supported values: {_LEVELS}"
        )


def _non_resource_urls(rule: RawRule, path: str) -> Iterator[Finding]:
    for n, node in enumerate(rule.non_resource_urls):
        name, value = f"{path}.nonResourceURLs[{n}]", str(node.value)
        invalid = f"Invalid value: {json.dumps(value)}: "
        if value != "*" and not value.startswith("/"):
            yield _finding(node, name, f"{invalid}non-resource URL rules must begin with a '/' character")
        if "*" in value[:-1]:
            advice = "non-resource URL wildcards '*' must be the final character of the rule"
            yield _finding(node, name, f"{invalid}{advice}")


def _group_resources(entry: RawGroupResources, path: str, *, any_group: bool) -> Iterator[Finding]:
    group = entry.group
    if group and not (group == "*" and any_group) and not _is_subdomain(group):
        message = f"Invalid value: {json.dumps(group)}: {_SUBDOMAIN_MESSAGE}"
        yield _finding(entry.node.at(("group",)), f"{path}.resources.group", message, _group_advice(group))
    if entry.resource_names and not entry.resources:
        names = json.dumps([node.value for node in entry.resource_names], separators=(",", ":"))
        message = f"Invalid value: {names}: using resourceNames requires at least one resource"
        yield _finding(entry.node.at(("resourceNames",)), f"{path}.resources.resourceNames", message)


def _is_subdomain(group: str) -> bool:
    return len(group) <= 253 and _SUBDOMAIN.fullmatch(group) is not None


def _group_advice(group: str) -> str:
    if group == "*":
        return ' (the group "*" is known since Kubernetes 1.36)'
    if "/" in group:
        return f" (a group has no version: write {group.partition('/')[0]})"
    return ""


def _stages(nodes: tuple[Node, ...], path: str) -> Iterator[Finding]:
    for n, node in enumerate(nodes):
        if node.value not in set(Stage):
            message = f"Invalid value: {json.dumps(node.value)}: allowed stages are {_STAGES}"
            yield _finding(node, f"{path}[{n}]", message)


def _mixed(rule: RawRule, path: str) -> Iterator[Finding]:
    if rule.non_resource_urls and (rule.resources or rule.namespaces):
        urls = json.dumps([node.value for node in rule.non_resource_urls], separators=(",", ":"))
        where = rule.node.at(("nonResourceURLs",))
        yield _finding(where, f"{path}.nonResourceURLs", f"Invalid value: {urls}: {_BOTH}")
