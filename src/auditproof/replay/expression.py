"""A policy as SQL: which rule decides a request, as one CASE over the columns of a request. Pure.

The conditions are those of ``audit.decide`` one by one; tests compare the two on random policies and requests.

Source of the semantics: staging/src/k8s.io/apiserver/pkg/audit/policy/checker.go.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.audit.decide import decided_by
from auditproof.replay import sql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlglot.expressions import Expr

    from auditproof.audit.policy.load import GroupResources, Policy, PolicyRule

NO_RULE = -1


@dataclass(frozen=True, slots=True)
class RequestColumns:
    """The columns of a request that a policy looks at; none of them is ever NULL.

    ``authenticated`` and ``resource_request`` are booleans, ``in_group`` returns the condition that the user is in a
    group, and ``full_resource`` is the resource with ``/`` and the subresource, if there is one.
    """

    authenticated: Expr
    user: Expr
    in_group: Callable[[str], Expr]
    verb: Expr
    resource_request: Expr
    namespace: Expr
    group: Expr
    resource: Expr
    subresource: Expr
    full_resource: Expr
    name: Expr
    path: Expr


def deciding_rule(policy: Policy, request: RequestColumns) -> Expr:
    """The index of the first rule that matches, or NO_RULE.

    Source: EvaluatePolicyRule and ruleMatches in staging/src/k8s.io/apiserver/pkg/audit/policy/checker.go.
    """
    branches: list[tuple[Expr, Expr]] = []
    for rule in policy.rules:
        condition = rule_condition(rule, request)
        if condition == sql.true():
            return _cases(branches, sql.number(rule.index))
        branches.append((condition, sql.number(rule.index)))
    return _cases(branches, sql.number(NO_RULE))


def level_of_rule(policy: Policy, rule: Expr) -> Expr:
    """The level of a request, from the index of the rule that decides it."""
    rules = defaultdict(list)
    for one in policy.rules:
        rules[str(one.level)].append(one.index)
    return _cases([(_is_one_of(rule, indices), sql.text(level)) for level, indices in rules.items()], sql.text("None"))


def omitted_at_stage(policy: Policy, rule: Expr, stage: Expr) -> Expr:
    """Whether the policy omits a stage of a request, from the index of the rule that decides it."""
    rules = defaultdict(list)
    for one in policy.rules:
        if omitted := decided_by(policy, one).omit_stages:
            rules[tuple(sorted(omitted))].append(one.index)
    if policy.omit_stages:
        rules[tuple(sorted(policy.omit_stages))].append(NO_RULE)
    branches = [(_is_one_of(rule, indices), sql.is_in(stage, stages)) for stages, indices in rules.items()]
    return _cases(branches, sql.none_of(sql.true()))


def _cases(branches: list[tuple[Expr, Expr]], otherwise: Expr) -> Expr:
    return sql.choose(*branches, otherwise=otherwise) if branches else otherwise


def _is_one_of(rule: Expr, indices: list[int]) -> Expr:
    return sql.any_of(sql.same(rule, sql.number(index)) for index in indices)


def rule_condition(rule: PolicyRule, request: RequestColumns) -> Expr:
    """Whether a rule matches a request (ruleMatches)."""
    return sql.all_of([*_user(rule, request), *_verb(rule, request), *_target(rule, request)])


def _user(rule: PolicyRule, request: RequestColumns) -> Iterator[Expr]:
    if rule.users or rule.user_groups:
        yield request.authenticated.copy()
    if rule.users:
        yield sql.is_in(request.user, rule.users)
    if rule.user_groups:
        yield sql.any_of(request.in_group(group) for group in dict.fromkeys(rule.user_groups))


def _verb(rule: PolicyRule, request: RequestColumns) -> Iterator[Expr]:
    if rule.verbs:
        yield sql.is_in(request.verb, rule.verbs)


def _target(rule: PolicyRule, request: RequestColumns) -> Iterator[Expr]:
    if rule.namespaces or rule.resources:
        yield request.resource_request.copy()
        if rule.namespaces:
            yield sql.is_in(request.namespace, rule.namespaces)
        if rule.resources:
            yield sql.any_of(_entry(entry, request) for entry in rule.resources)
    elif rule.non_resource_urls:
        yield sql.none_of(request.resource_request)
        yield sql.any_of(_path(pattern, request) for pattern in rule.non_resource_urls)


def _entry(entry: GroupResources, request: RequestColumns) -> Expr:
    """An item of ``resources``; without resources the whole group matches, whatever the names (ruleMatchesResource)."""
    conditions = [] if entry.group == "*" else [sql.is_in(request.group, [entry.group])]
    if entry.resources:
        if entry.resource_names:
            conditions.append(sql.is_in(request.name, entry.resource_names))
        conditions.append(_patterns(entry.resources, request))
    return sql.all_of(conditions)


def _patterns(patterns: tuple[str, ...], request: RequestColumns) -> Expr:
    """Any of several patterns of resources, see ``matches_pattern``."""
    if "*" in patterns:
        return sql.true()
    found = [sql.is_in(request.full_resource, patterns)]
    if subresources := [pattern.removeprefix("*/") for pattern in patterns if pattern.startswith("*/")]:
        found.append(sql.all_of([_is_there(request.subresource), sql.is_in(request.subresource, subresources)]))
    if resources := [pattern.removesuffix("/*") for pattern in patterns if pattern.endswith("/*")]:
        found.append(sql.is_in(request.resource, resources))
    return sql.any_of(found)


def _is_there(value: Expr) -> Expr:
    return sql.none_of(sql.is_in(value, [""]))


def _path(pattern: str, request: RequestColumns) -> Expr:
    """An entry of nonResourceURLs, see ``matches_path``."""
    if pattern == "*":
        return sql.true()
    if not pattern.endswith("*"):
        return sql.is_in(request.path, [pattern])
    return sql.starts_with(request.path, sql.text(pattern.removesuffix("*")))
