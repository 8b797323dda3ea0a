"""Conditions that are valid by themselves but exclude each other: verbs, names and namespaces.

``cleaned`` removes the values that match nothing by themselves; the remaining ones are tried one by one on what the
server serves.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from auditproof.analysis.lint.rule_fields import KEYS, values_of, with_values
from auditproof.analysis.lint.suggestions import full_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from auditproof.analysis.lint.context import Subject
    from auditproof.analysis.lint.finding import Finding
    from auditproof.audit.policy.load import GroupResources, PolicyRule
    from auditproof.errors import Position


def cleaned(
    rule: PolicyRule, values: Collection[tuple[str, str]], patterns: Collection[tuple[int, str]]
) -> PolicyRule | None:
    """The rule without dead ``values`` and dead ``patterns``; None if that empties one of its lists."""
    if not values and not patterns:
        return rule
    entries = tuple(filter(None, (_entry(number, entry, patterns) for number, entry in enumerate(rule.resources))))
    if rule.resources and not entries:
        return None
    left = replace(rule, resources=entries)
    for name in KEYS:
        given = values_of(rule, name)
        left = with_values(left, name, tuple(value for value in given if (name, value) not in values))
        if given and not values_of(left, name):
            return None
    return left


def _entry(number: int, entry: GroupResources, dead: Collection[tuple[int, str]]) -> GroupResources | None:
    left = tuple(pattern for pattern in entry.resources if (number, pattern) not in dead)
    if (number, "") in dead or (entry.resources and not left):
        return None
    return replace(entry, resources=left)


def check(subject: Subject, rule: PolicyRule) -> tuple[Finding, ...]:
    """Findings about the combined conditions of a cleaned rule; its ``resources`` keep their positions."""
    if not rule.resources and not rule.namespaces:
        return ()
    if not subject.answers(rule):
        return tuple(filter(None, [_culprit(subject, rule, rule, rule.position)]))
    return tuple(_values(subject, rule))


def _values(subject: Subject, rule: PolicyRule) -> Iterator[Finding]:
    """Each verb, namespace and pattern by itself, in a rule that as a whole matches something."""
    for alone, where in _alone(subject, rule):
        if alone != rule and not subject.answers(alone) and (finding := _culprit(subject, rule, alone, where)):
            yield finding


def _alone(subject: Subject, rule: PolicyRule) -> Iterator[tuple[PolicyRule, Position]]:
    """The rule with only one verb, namespace, item or pattern, and the position of that one."""
    written, places = subject.policy.rules[rule.index], subject.places
    for key in ("verbs", "namespaces"):
        for value in values_of(rule, key):
            where = places.of("rules", rule.index, key, values_of(written, key).index(value))
            yield with_values(rule, key, (value,)), where
    for entry in rule.resources:
        number = next(n for n, one in enumerate(written.resources) if one.position == entry.position)
        if not entry.resources:
            yield replace(rule, resources=(entry,)), entry.position
        for pattern in entry.resources:
            at = written.resources[number].resources.index(pattern)
            where = places.of("rules", rule.index, "resources", number, "resources", at)
            yield replace(rule, resources=(replace(entry, resources=(pattern,)),)), where


def _culprit(subject: Subject, rule: PolicyRule, alone: PolicyRule, where: Position) -> Finding | None:
    """Which condition excludes the others; None if more than one would have to be dropped."""
    nameless = replace(alone, resources=tuple(replace(entry, resource_names=()) for entry in alone.resources))
    asked = subject.meant(alone, alone) or subject.first_request(rule.index)
    if alone.namespaces and subject.answers(replace(alone, namespaces=())):
        namespaces = " or ".join(f'namespace "{name}"' for name in alone.namespaces)
        message = f"{_what(alone)} {_verbs(alone)} not served in {namespaces}"
        advice = 'Namespace "" means cluster-scoped resources, and list and watch across all namespaces.'
        return subject.finding("AP311", where, message, advice, asked)
    if nameless != alone and subject.answers(nameless):
        message = f"a request to {_verbs(alone, '/')} {_what(alone)} names no object: resourceNames never match it"
        advice = "Move these verbs to a rule without resourceNames; the policy does not see the name in the body."
        return subject.finding("AP310", where, message, advice, asked)
    if alone.verbs and subject.answers(replace(alone, verbs=())):
        message = f"{_what(alone)} does not support {_verbs(alone, ' or ')}"
        verbs = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
        known = [verb for verb in verbs if subject.answers(replace(alone, verbs=(verb,)))]
        return subject.finding("AP309", where, message, f"Supported verbs: {', '.join(known)}.", asked)
    return None


def _what(rule: PolicyRule) -> str:
    """The resources of the rule."""
    names = [full_name(p, entry.group) for entry in rule.resources for p in entry.resources or ("everything",)]
    return ", ".join(names) or "everything"


def _verbs(rule: PolicyRule, between: str = "/") -> str:
    verbs = between.join(f'"{verb}"' for verb in rule.verbs)
    return verbs if between != "/" else (f"({between.join(rule.verbs)}) is" if rule.verbs else "is")
