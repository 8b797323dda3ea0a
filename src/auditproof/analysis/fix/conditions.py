"""The conditions of rules: what two of them have in common, as the conditions of one rule. Pure.

Source of the semantics: ruleMatches in staging/src/k8s.io/apiserver/pkg/audit/policy/checker.go.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from auditproof.analysis.space.identities import (
    ACCOUNTS,
    AUTHENTICATED,
    UNAUTHENTICATED,
    account_groups,
    service_account,
)
from auditproof.audit.decide import matches_path, matches_pattern
from auditproof.audit.policy.load import NOWHERE, selector

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from auditproof.analysis.space.resource_targets import ResourceTarget
    from auditproof.audit.policy.load import GroupResources, PolicyRule

ANY = "*"
EVERYTHING = selector()


class Inexpressible(ValueError):
    """No single rule selects exactly these requests; the message says why."""


def both(one: PolicyRule, other: PolicyRule) -> PolicyRule | None:
    """``one`` with the conditions of ``other`` added, None if no request meets both.

    Raises Inexpressible if no rule has these conditions.
    """
    users, verbs = _common(one.users, other.users), _common(one.verbs, other.verbs)
    namespaces = _common(one.namespaces, other.namespaces)
    if users is None or verbs is None or namespaces is None:
        return None
    paths = _paths(one, other)
    resources = _resources(one, other)
    if paths is None or resources is None:
        return None
    if (resources or namespaces) and paths:
        return None
    groups = _groups(one.user_groups, other.user_groups)
    if groups is None:
        return None
    if users and groups and all(service_account(user) for user in users):  # these have their own groups, always
        users, groups = tuple(user for user in users if not set(account_groups(user)).isdisjoint(groups)), ()
        if not users:
            return None
    return replace(
        one,
        users=users,
        user_groups=groups,
        verbs=verbs,
        namespaces=namespaces,
        resources=_merged(resources),
        non_resource_urls=paths,
    )


def _common(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...] | None:
    """The values in both lists, of which an empty one means any; None if there is none."""
    if not one or not other:
        return one or other
    return tuple(value for value in one if value in other) or None


def _groups(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...] | None:
    """The groups of users who are in a group of both lists, of which an empty one means any; None if there is no user.

    A rule asks for any of its groups, never for two at once, so of two groups one has to imply the other.
    """
    if not one or not other:
        return one or other
    found: dict[str, None] = {}
    for first in one:
        for second in other:
            if second in _implied(first):
                found[first] = None
            elif first in _implied(second):
                found[second] = None
            elif not _are_exclusive(first, second):
                raise Inexpressible(f"no rule matches only users who are in {first} and in {second}")
    return tuple(found) or None


def _implied(group: str) -> tuple[str, ...]:
    """The groups that a member of one has for certain."""
    if group == UNAUTHENTICATED:
        return (group,)
    return group, AUTHENTICATED, *((ACCOUNTS,) if group.startswith(f"{ACCOUNTS}:") else ())


def _are_exclusive(first: str, second: str) -> bool:
    """Whether nobody is in both: service accounts and the anonymous user have their own groups and no other."""
    return any(group == UNAUTHENTICATED or group.startswith(ACCOUNTS) for group in (first, second))


def _is_of_resources(rule: PolicyRule) -> bool:
    return bool(rule.resources or rule.namespaces)


def _paths(one: PolicyRule, other: PolicyRule) -> tuple[str, ...] | None:
    """The common path patterns; empty if neither rule has any, or one of them is about resources alone."""
    if not one.non_resource_urls or not other.non_resource_urls:
        given, without = (one, other) if one.non_resource_urls else (other, one)
        if given.non_resource_urls and not _is_of_resources(given) and _is_of_resources(without):
            return None
        return () if _is_of_resources(without) else given.non_resource_urls
    found = dict.fromkeys(
        narrow
        for first in one.non_resource_urls
        for second in other.non_resource_urls
        for narrow, wide in ((first, second), (second, first))
        if matches_path(wide, narrow.removesuffix("*")) and (not narrow.endswith("*") or wide.endswith("*"))
    )
    return tuple(found) or None


def _resources(one: PolicyRule, other: PolicyRule) -> tuple[GroupResources, ...] | None:
    """The common entries of ``resources``; empty if neither rule has any."""
    if not one.resources or not other.resources:
        given, without = (one, other) if one.resources else (other, one)
        if given.resources and without.non_resource_urls and not _is_of_resources(without):
            return None
        return given.resources
    found = [entry for first in one.resources for second in other.resources for entry in _entry(first, second)]
    return tuple(dict.fromkeys(found)) or None


def _entry(first: GroupResources, second: GroupResources) -> Iterator[GroupResources]:
    if first.group != second.group and ANY not in (first.group, second.group):
        return
    group = second.group if first.group == ANY else first.group
    if not first.resources or not second.resources:  # a whole group, whatever the names
        given = second if second.resources else first
        yield replace(given, group=group)
        return
    names = _common(first.resource_names, second.resource_names)
    patterns = dict.fromkeys(
        common for mine in first.resources for its in second.resources for common in _pattern(mine, its)
    )
    if names is not None and patterns:
        yield replace(first, group=group, resources=tuple(patterns), resource_names=names)


def _pattern(first: str, second: str) -> Iterator[str]:
    """The pattern of what two patterns for resources have in common, if anything."""
    if ANY in (first, second):
        yield second if first == ANY else first
        return
    mine, its = first.partition("/"), second.partition("/")
    if mine[0] != its[0] and ANY not in (mine[0], its[0]):
        return
    resource = its[0] if mine[0] == ANY else mine[0]
    if mine[2] == its[2]:
        yield f"{resource}/{mine[2]}" if mine[2] else resource
    elif mine[2] == ANY and mine[0] != ANY:  # pods/* matches pods, too
        yield f"{resource}/{its[2]}" if its[2] else resource
    elif its[2] == ANY and its[0] != ANY:
        yield f"{resource}/{mine[2]}" if mine[2] else resource


def joined(rules: Iterable[PolicyRule]) -> list[PolicyRule]:
    """The same rules, neighbours as one if they differ only in the resources or in the paths that they name."""
    found: list[PolicyRule] = []
    for rule in rules:
        last = found[-1] if found else EVERYTHING
        if rule.resources and last.resources and replace(rule, resources=last.resources) == last:
            found[-1] = replace(last, resources=_merged((*last.resources, *rule.resources)))
        elif rule.non_resource_urls and replace(rule, non_resource_urls=last.non_resource_urls) == last:
            paths = dict.fromkeys((*last.non_resource_urls, *rule.non_resource_urls))
            found[-1] = replace(last, non_resource_urls=tuple(paths))
        else:
            found.append(replace(rule, position=NOWHERE))
    return found


def _merged(entries: Iterable[GroupResources]) -> tuple[GroupResources, ...]:
    """The entries, those of one group and the same names as one."""
    found: dict[tuple[str, tuple[str, ...], bool], GroupResources] = {}
    for entry in entries:
        key = entry.group, entry.resource_names, not entry.resources
        known = found.get(key)
        resources = tuple(dict.fromkeys((*(known.resources if known else ()), *entry.resources)))
        found[key] = replace(entry, resources=resources, position=NOWHERE)
    return tuple(found.values())


def narrowed(rule: PolicyRule, verbs: Collection[str], targets: Collection[ResourceTarget]) -> PolicyRule:
    """The rule without verbs and patterns for resources that none of these requests needs; an empty list stays one."""
    entries = []
    for entry in rule.resources:
        own = [one for one in targets if entry.group in (ANY, one.group)]
        needed = tuple(
            pattern
            for pattern in entry.resources
            if any(matches_pattern(pattern, one.resource, one.subresource) for one in own)
        )
        if needed or (own and not entry.resources):
            entries.append(replace(entry, resources=needed))
    left = tuple(verb for verb in rule.verbs if verb in verbs)
    return replace(rule, verbs=left or rule.verbs, resources=_merged(entries) or rule.resources)
