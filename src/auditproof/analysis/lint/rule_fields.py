"""The string lists of a rule and of its resources items, by field name."""

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
    """The values of ``field``, one of KEYS, in the rule."""
    values: tuple[str, ...] = getattr(rule, field)
    return values


def with_values(rule: PolicyRule, field: str, values: tuple[str, ...]) -> PolicyRule:
    """A copy of the rule with other values of ``field``, one of KEYS."""
    change: dict[str, Any] = {field: values}
    return replace(rule, **change)


def has_no_condition(rule: PolicyRule) -> bool:
    """Whether the rule matches every request."""
    return not rule.resources and not any(values_of(rule, field) for field in KEYS)


def with_entry(rule: PolicyRule, number: int, entry: GroupResources) -> PolicyRule:
    """A copy of the rule with another resources item at index ``number``."""
    return replace(rule, resources=(*rule.resources[:number], entry, *rule.resources[number + 1 :]))
