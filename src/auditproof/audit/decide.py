"""decide(policy, attributes) returns the Decision of the API server's policy evaluator, with the deciding rule.

Source of the semantics: staging/src/k8s.io/apiserver/pkg/audit/policy/checker.go.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.audit.event import Level

if TYPE_CHECKING:
    from auditproof.audit.event import Stage
    from auditproof.audit.policy.load import GroupResources, Policy, PolicyRule
    from auditproof.kube.attributes import Attributes


@dataclass(frozen=True, slots=True)
class Decision:
    """What a policy says about one request; ``rule`` is the rule that matched, or None if none did (then level None).

    ``omit_stages`` and ``omit_managed_fields`` are those of policy and rule together (EvaluatePolicyRule).

    >>> from auditproof import Attributes, UserInfo, decide, load_policy
    >>> policy = load_policy("fixtures/policies/baseline.yaml")
    >>> decision = decide(policy, Attributes(UserInfo("alice"), "get", resource="secrets"))
    >>> decision.level, decision.rule.index, decision.omit_managed_fields
    (<Level.METADATA: 'Metadata'>, 0, True)
    """

    level: Level
    omit_stages: frozenset[Stage]
    omit_managed_fields: bool
    rule: PolicyRule | None


@dataclass(frozen=True, slots=True)
class NoMatch:
    """Why a rule does not match: the failing condition (its field in audit.k8s.io/v1), and an explanation."""

    condition: str
    text: str

    def __str__(self) -> str:
        return self.text


def decide(policy: Policy, attributes: Attributes) -> Decision:
    """Evaluate one request: the first rule that matches decides; if none does, nothing is recorded.

    Source: EvaluatePolicyRule in staging/src/k8s.io/apiserver/pkg/audit/policy/checker.go.

    >>> from auditproof import Attributes, UserInfo, decide, load_policy
    >>> policy = load_policy("fixtures/policies/baseline.yaml")
    >>> str(decide(policy, Attributes(UserInfo("alice"), "create", resource="pods", subresource="exec")).level)
    'Request'
    """
    matching = (rule for rule in policy.rules if matches(rule, attributes))
    return decided_by(policy, next(matching, None))


def decided_by(policy: Policy, rule: PolicyRule | None) -> Decision:
    """Return the Decision for requests that ``rule`` decides; None means that no rule matches."""
    if rule is None:
        return Decision(Level.NONE, policy.omit_stages, policy.omit_managed_fields, None)
    inherited = rule.omit_managed_fields is None
    omit = policy.omit_managed_fields if inherited else bool(rule.omit_managed_fields)
    return Decision(rule.level, policy.omit_stages | rule.omit_stages, omit, rule)


def matches(rule: PolicyRule, attributes: Attributes) -> bool:
    """Return whether ``rule`` matches a request (ruleMatches)."""
    return not _failing(rule, attributes)


def no_match(rule: PolicyRule, attributes: Attributes) -> NoMatch | None:
    """Return None if ``rule`` matches, else the first condition that fails (ruleMatches)."""
    condition = _failing(rule, attributes)
    return NoMatch(condition, _REASONS[condition](rule, attributes)) if condition else None


def _failing(rule: PolicyRule, attributes: Attributes) -> str:
    """The first condition that fails, without a text about it, which takes longer than all comparisons; or none."""
    # In the order of ruleMatches, so that the reason is the first condition that fails in the server, too.
    user = attributes.user
    if rule.users and (user is None or user.name not in rule.users):
        return "users"
    if rule.user_groups and (user is None or set(rule.user_groups).isdisjoint(user.groups)):
        return "userGroups"
    if rule.verbs and attributes.verb not in rule.verbs:
        return "verbs"
    if rule.namespaces or rule.resources:
        if not attributes.resource_request:
            return "resources" if rule.resources else "namespaces"
        if rule.namespaces and attributes.namespace not in rule.namespaces:
            return "namespaces"
        found = not rule.resources or any(_resource_matches(entry, attributes) for entry in rule.resources)
        return "" if found else "resources"
    if rule.non_resource_urls:
        found = any(matches_path(pattern, attributes.path) for pattern in rule.non_resource_urls)
        return "" if found and not attributes.resource_request else "nonResourceURLs"
    return ""


def _users_reason(rule: PolicyRule, attributes: Attributes) -> str:
    if attributes.user is None:
        return _NO_USER
    return f"user {attributes.user.name!r} is not in users {_list(rule.users)}"


def _groups_reason(rule: PolicyRule, attributes: Attributes) -> str:
    if attributes.user is None:
        return _NO_USER
    return f"none of the groups {_list(attributes.user.groups)} is in userGroups {_list(rule.user_groups)}"


def _verbs_reason(rule: PolicyRule, attributes: Attributes) -> str:
    return f"verb {attributes.verb!r} is not in verbs {_list(rule.verbs)}"


def _namespaces_reason(rule: PolicyRule, attributes: Attributes) -> str:
    if not attributes.resource_request:
        return _NO_RESOURCE
    return f"namespace {attributes.namespace!r} is not in namespaces {_list(rule.namespaces)}"


def _resources_reason(rule: PolicyRule, attributes: Attributes) -> str:
    if not attributes.resource_request:
        return _NO_RESOURCE
    entries = "; ".join(_entry(entry) for entry in rule.resources)
    name = f"{attributes.resource}/{attributes.subresource}" if attributes.subresource else attributes.resource
    group = f" of group {attributes.api_group}" if attributes.api_group else " of the core group"
    full_name = f"{name}{group}" + (f" named {attributes.name!r}" if attributes.name else "")
    return f"{full_name} is not matched by resources {entries}"


def _paths_reason(rule: PolicyRule, attributes: Attributes) -> str:
    if attributes.resource_request:
        return "this is a resource request, the rule matches only nonResourceURLs"
    return f"path {attributes.path!r} is not matched by nonResourceURLs {_list(rule.non_resource_urls)}"


_NO_USER = "authentication failed: no user to match users or userGroups"
_NO_RESOURCE = "this is not a resource request, the rule matches only resources or namespaces"
_REASONS = {
    "users": _users_reason,
    "userGroups": _groups_reason,
    "verbs": _verbs_reason,
    "namespaces": _namespaces_reason,
    "resources": _resources_reason,
    "nonResourceURLs": _paths_reason,
}


def matches_path(pattern: str, path: str) -> bool:
    """Return whether an entry of nonResourceURLs matches (pathMatches).

    A trailing ``*`` matches any string prefix, regardless of path segments.
    """
    return pattern in ("*", path) or (pattern.endswith("*") and path.startswith(pattern.removesuffix("*")))


def _resource_matches(entry: GroupResources, attributes: Attributes) -> bool:
    if entry.group not in ("*", attributes.api_group):
        return False
    # The whole group matches, whatever the name: ruleMatchesResource looks at resourceNames only after this.
    if not entry.resources:
        return True
    if entry.resource_names and attributes.name not in entry.resource_names:
        return False
    resource, subresource = attributes.resource, attributes.subresource
    return any(matches_pattern(pattern, resource, subresource) for pattern in entry.resources)


def matches_pattern(pattern: str, resource: str, subresource: str) -> bool:
    """Return whether an entry of resources matches (ruleMatchesResource).

    ``pods/*`` also matches pods, and ``pods`` does not match pods/log.
    """
    full = f"{resource}/{subresource}" if subresource else resource
    if pattern in ("*", full):
        return True
    if subresource and pattern.startswith("*/") and pattern.removeprefix("*/") == subresource:
        return True
    return pattern.endswith("/*") and pattern.removesuffix("/*") == resource


def _entry(entry: GroupResources) -> str:
    names = f" named {_list(entry.resource_names)}" if entry.resource_names else ""
    resources = _list(entry.resources) if entry.resources else "all"
    return f"{resources}{names} of {'the core group' if not entry.group else f'group {entry.group}'}"


def _list(values: tuple[str, ...]) -> str:
    return f"[{', '.join(values)}]"
