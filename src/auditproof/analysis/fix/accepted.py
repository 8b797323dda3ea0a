"""Rules for all API groups, as an API server before Kubernetes 1.36 accepts them. Pure.

Source of the semantics: validateResources in staging/src/k8s.io/apiserver/pkg/apis/audit/validation/validation.go.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from auditproof.analysis.fix.conditions import ANY, EVERYTHING, both
from auditproof.audit.decide import matches_pattern
from auditproof.kube.versions import version_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.audit.policy.load import GroupResources, PolicyRule
    from auditproof.kube.discovery import Served

ANY_GROUP_SINCE = (1, 36)


def is_accepted(rule: PolicyRule, served: Served) -> bool:
    """Whether the API server accepts the rule."""
    return version_of(served.kubernetes) >= ANY_GROUP_SINCE or all(entry.group != ANY for entry in rule.resources)


def accepted(made: PolicyRule, rule: PolicyRule, served: Served) -> list[PolicyRule]:
    """``made``, in front of ``rule``, as rules that the API server accepts.

    A rule for all resources has no ``resources``, and a copy of ``rule`` for paths before it. Patterns for all groups
    become entries for those groups that the server itself serves.
    """
    if is_accepted(made, served):
        return [made]
    if any(entry.group == ANY and not entry.resources for entry in made.resources):
        paths = both(rule, replace(EVERYTHING, non_resource_urls=(ANY,)))
        return [*([paths] if paths else []), replace(made, resources=())]
    entries = tuple(one for entry in made.resources for one in _in_groups(entry, served))
    return [replace(made, resources=entries)]


def _in_groups(entry: GroupResources, served: Served) -> Iterator[GroupResources]:
    """The entry for each group that it names."""
    if entry.group != ANY:
        yield entry
        return
    for group in sorted(served.groups):
        known = [one for one in served.resources if one.group == group]
        patterns = tuple(
            pattern
            for pattern in entry.resources
            if any(matches_pattern(pattern, one.resource, one.subresource) for one in known)
        )
        if patterns:
            yield replace(entry, group=group, resources=patterns)
