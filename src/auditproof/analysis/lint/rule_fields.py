"""The lists of strings that a rule and its items of resources have, by the names of their fields here."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from auditproof.audit.policy.load import GroupResources, PolicyRule

KEYS = {
    "users": "users",
    "user_groups": "userGroups",
    "verbs": "verbs",
    "namespaces": "namespaces",
    "non_resource_urls": "nonResourceURLs",
}


def values_of(rule: PolicyRule, field: str) -> tuple[str, ...]:
    """The rule's values of one of KEYS."""
    values: tuple[str, ...] = getattr(rule, field)
    return values


def with_values(rule: PolicyRule, field: str, values: tuple[str, ...]) -> PolicyRule:
    """The rule with other values of one of KEYS."""
    change: dict[str, Any] = {field: values}
    return replace(rule, **change)


def with_entry(rule: PolicyRule, number: int, entry: GroupResources) -> PolicyRule:
    """The rule with another item of resources at ``number``."""
    return replace(rule, resources=(*rule.resources[:number], entry, *rule.resources[number + 1 :]))
