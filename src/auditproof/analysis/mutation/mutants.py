"""One-step mutants of a policy: plausible editing mistakes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from auditproof.audit.event import Level, Stage
from auditproof.audit.stages import in_order

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.audit.policy.load import GroupResources, Policy, PolicyRule

_STAGES = (Stage.REQUEST_RECEIVED, Stage.RESPONSE_STARTED, Stage.RESPONSE_COMPLETE)
_LISTS = {
    "users": "users",
    "user_groups": "userGroups",
    "verbs": "verbs",
    "namespaces": "namespaces",
    "non_resource_urls": "nonResourceURLs",
}


@dataclass(frozen=True, slots=True)
class Mutant:
    """A policy with one change, described by ``text``; ``rule`` is the changed rule, None for the policy's own fields.

    ``order`` has, for each of its rules, the index of the original rule, or None for the changed one. Different mutants
    of a rule have different texts.
    """

    text: str
    rule: PolicyRule | None
    policy: Policy
    order: tuple[int | None, ...]


def one_step_mutants(policy: Policy) -> Iterator[Mutant]:
    """Every mutant of ``policy``, those of the first rule first; including mutants without effect."""
    for rule in policy.rules:
        for level in Level:
            if level is not rule.level:
                yield _replaced(policy, rule, replace(rule, level=level), f"level: {level} instead of {rule.level}")
        # Dropped, or moved after the next one.
        if len(policy.rules) > 1:
            yield _in_order(policy, rule, [one for one in policy.rules if one is not rule], "dropped")
        if rule.index + 1 < len(policy.rules):
            rules = list(policy.rules)
            rules[rule.index], rules[rule.index + 1] = rules[rule.index + 1], rule
            yield _in_order(policy, rule, rules, f"moved after rule {rule.index + 2}")
        for text, changed in (*_shorter(rule), *_other_stages(policy, rule)):
            yield _replaced(policy, rule, changed, text)
    everything = tuple(range(len(policy.rules)))
    for stage in _STAGES:
        omitted = policy.omit_stages ^ {stage}
        text = f"omitStages of the policy: {_stages(omitted)}"
        yield Mutant(text, None, replace(policy, omit_stages=omitted), everything)


def _replaced(policy: Policy, rule: PolicyRule, changed: PolicyRule, text: str) -> Mutant:
    rules = tuple(changed if one is rule else one for one in policy.rules)
    order = tuple(None if one is rule else one.index for one in policy.rules)
    return Mutant(text, rule, replace(policy, rules=rules), order)


def _in_order(policy: Policy, rule: PolicyRule, rules: list[PolicyRule], text: str) -> Mutant:
    return Mutant(text, rule, replace(policy, rules=tuple(rules)), tuple(one.index for one in rules))


def _shorter(rule: PolicyRule) -> Iterator[tuple[str, PolicyRule]]:
    """The rule without one value of a list, or without the list if it has only one."""
    for field, name in _LISTS.items():
        values = getattr(rule, field)
        for value in values:
            left: Any = tuple(other for other in values if other != value)
            yield f"{name}: without {value!r}" if left else f"without {name}", replace(rule, **{field: left})
    for number, entry in enumerate(rule.resources, 1):
        alike = [other for other in rule.resources if other.group == entry.group]
        where = (f" of group {entry.group!r}" if entry.group else "") + (f" (entry {number})" if alike[1:] else "")
        for text, entries in _shorter_entries(rule, entry):
            yield text + where, replace(rule, resources=entries)


def _shorter_entries(rule: PolicyRule, entry: GroupResources) -> Iterator[tuple[str, tuple[GroupResources, ...]]]:
    others = tuple(other for other in rule.resources if other is not entry)
    yield f"resources: without the entry {list(entry.resources) or 'of all'}", others
    for value in entry.resources if len(entry.resources) > 1 else ():
        shorter = replace(entry, resources=tuple(other for other in entry.resources if other != value))
        yield f"resources: without {value!r}", _with(rule, entry, shorter)
    for value in entry.resource_names:
        left = tuple(other for other in entry.resource_names if other != value)
        yield f"resourceNames: without {value!r}", _with(rule, entry, replace(entry, resource_names=left))


def _with(rule: PolicyRule, entry: GroupResources, changed: GroupResources) -> tuple[GroupResources, ...]:
    return tuple(changed if other is entry else other for other in rule.resources)


def _other_stages(policy: Policy, rule: PolicyRule) -> Iterator[tuple[str, PolicyRule]]:
    for stage in _STAGES:
        if stage not in policy.omit_stages:  # otherwise the rule's own list does not mention it
            omitted = rule.omit_stages ^ {stage}
            yield f"omitStages: {_stages(omitted)}", replace(rule, omit_stages=omitted)


def _stages(stages: frozenset[Stage]) -> str:
    return ", ".join(in_order(stages)) or "none"
