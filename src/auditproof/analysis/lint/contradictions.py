"""Conditions that are good by themselves and exclude each other: verbs, names and namespaces that do not fit.

``cleaned`` is a rule without the values that match nothing anyway; what is left is tried value by value against what
the server serves.
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
    """The rule without dead ``values`` of its fields and dead ``patterns`` of its items; None if nothing is left."""
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
    """Findings about a cleaned rule's conditions together; its ``resources`` keep their own positions."""
    if not rule.resources and not rule.namespaces:
        return ()
    if not subject.answers(rule):
        return tuple(filter(None, [_culprit(subject, rule, rule, rule.position)]))
    return tuple(_values(subject, rule))


def _values(subject: Subject, rule: PolicyRule) -> Iterator[Finding]:
    """Each verb, namespace and pattern by itself, where the rule as a whole matches something."""
    for alone, where in _alone(subject, rule):
        if alone != rule and not subject.answers(alone) and (finding := _culprit(subject, rule, alone, where)):
            yield finding


def _alone(subject: Subject, rule: PolicyRule) -> Iterator[tuple[PolicyRule, Position]]:
    """The rule with but one verb, namespace, item or pattern, and where that stands."""
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
    """Which condition excludes the others; None where it takes more than one to be dropped."""
    nameless = replace(alone, resources=tuple(replace(entry, resource_names=()) for entry in alone.resources))
    asked = subject.meant(alone, alone) or subject.first_request(rule.index)
    if alone.namespaces and subject.answers(replace(alone, namespaces=())):
        message = f"{_what(alone)} {_verbs(alone)} not served in {_namespaces(alone)}"
        advice = 'Namespace "" is for what lives outside of namespaces, and for list and watch in all of them.'
        return subject.finding("AP311", where, message, advice, asked)
    if nameless != alone and subject.answers(nameless):
        message = f"a request to {_verbs(alone, '/')} {_what(alone)} names no object: resourceNames never match it"
        advice = "Put these verbs into a rule without resourceNames; the name in the body is not looked at."
        return subject.finding("AP310", where, message, advice, asked)
    if alone.verbs and subject.answers(replace(alone, verbs=())):
        message = f"{_what(alone)} cannot be asked to {_verbs(alone, ' or ')}"
        return subject.finding("AP309", where, message, _other_verbs(subject, alone), asked)
    return None


def _what(rule: PolicyRule) -> str:
    """The resources of the rule."""
    names = [full_name(p, entry.group) for entry in rule.resources for p in entry.resources or ("everything",)]
    return ", ".join(names) or "everything"


def _verbs(rule: PolicyRule, between: str = "/") -> str:
    verbs = between.join(f'"{verb}"' for verb in rule.verbs)
    return verbs if between != "/" else (f"({between.join(rule.verbs)}) is" if rule.verbs else "is")


def _namespaces(rule: PolicyRule) -> str:
    return " or ".join(f'namespace "{name}"' for name in rule.namespaces)


def _other_verbs(subject: Subject, rule: PolicyRule) -> str:
    """What the resources do have."""
    verbs = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
    known = [verb for verb in verbs if subject.answers(replace(rule, verbs=(verb,)))]
    return f"Verbs that it has: {', '.join(known)}."
