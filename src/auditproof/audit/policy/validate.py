"""Validates a decoded policy as kube-apiserver does.

Source: staging/src/k8s.io/apiserver/pkg/apis/audit/validation/validation.go. Each finding is a Problem with its
position, together with the server's own message, in the server's order.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from auditproof.audit.event import Level, Stage
from auditproof.errors import Problem
from auditproof.kube.yaml.go_quote import go_json, go_quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.audit.policy.decode import RawGroupResources, RawPolicy, RawRule
    from auditproof.kube.yaml.yaml_text import Node

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
    """Return everything that the server refuses; ``any_group``: it knows the group "*" (since 1.36)."""
    findings = list(_stages(policy.omit_stages, "omitStages"))
    for n, rule in enumerate(policy.rules):
        path = f"rules[{n}]"
        findings += _level(rule, path)
        findings += _non_resource_urls(rule, path)
        for entry in rule.resources:
            findings += _group_resources(entry, path, any_group=any_group)
        findings += _stages(rule.omit_stages, f"{path}.omitStages")
        if rule.non_resource_urls and (rule.resources or rule.namespaces):
            where = rule.node.at(("nonResourceURLs",))
            urls = go_json([node.value for node in rule.non_resource_urls])
            findings.append(_finding(where, f"{path}.nonResourceURLs", f"Invalid value: {urls}: {_BOTH}"))
    return findings


def _finding(node: Node, path: str, message: str, advice: str = "") -> Finding:
    return Problem(node.position, f"{path}: {message}{advice}"), f"{path}: {message}"


def _level(rule: RawRule, path: str) -> Iterator[Finding]:
    where = rule.node.at(("level",))
    if not rule.level:
        yield _finding(where, f"{path}.level", "Required value", f" (one of {_LEVELS})")
    elif rule.level not in {str(level) for level in Level}:
        yield _finding(where, f"{path}.level", f"Unsupported value: {go_json(rule.level)}: supported values: {_LEVELS}")


def _non_resource_urls(rule: RawRule, path: str) -> Iterator[Finding]:
    for n, node in enumerate(rule.non_resource_urls):
        name, value = f"{path}.nonResourceURLs[{n}]", str(node.value)
        invalid = f"Invalid value: {go_quoted(value)}: "
        if value != "*" and not value.startswith("/"):
            yield _finding(node, name, f"{invalid}non-resource URL rules must begin with a '/' character")
        if "*" in value[:-1]:
            advice = "non-resource URL wildcards '*' must be the final character of the rule"
            yield _finding(node, name, f"{invalid}{advice}")


def _group_resources(entry: RawGroupResources, path: str, *, any_group: bool) -> Iterator[Finding]:
    wrong = "" if entry.group == "*" and any_group else _no_group(entry.group)
    if wrong:
        # Like the server's, this path has no index of the entry (validateResources).
        message = f"Invalid value: {go_quoted(entry.group)}: {wrong}"
        group = entry.group
        if group == "*":
            group_advice = ' (the group "*" needs Kubernetes 1.36 or newer)'
        elif "/" in group:
            group_advice = f" (a group has no version: write {group.partition('/')[0]})"
        else:
            group_advice = ""
        yield _finding(entry.node.at(("group",)), f"{path}.resources.group", message, group_advice)
    if entry.resource_names and not entry.resources:
        names = go_json([node.value for node in entry.resource_names])
        message = f"Invalid value: {names}: using resourceNames requires at least one resource"
        yield _finding(entry.node.at(("resourceNames",)), f"{path}.resources.resourceNames", message)


def _no_group(group: str) -> str:
    """Why ``group`` is not a valid API group name; empty if it is valid, or the core group."""
    too_long = ["must be no more than 253 characters"] if len(group.encode()) > 253 else []
    misspelt = [_SUBDOMAIN_MESSAGE] if group and not _SUBDOMAIN.fullmatch(group) else []
    return ",".join(too_long + misspelt)


def _stages(nodes: tuple[Node, ...], path: str) -> Iterator[Finding]:
    for n, node in enumerate(nodes):
        if node.value not in set(Stage):
            message = f"Invalid value: {go_quoted(node.value)}: allowed stages are {_STAGES}"
            yield _finding(node, f"{path}[{n}]", message)
