"""Single values that no ordinary request has: verbs, wildcards, paths, and users and groups that are mixed up.

The API server compares users, groups, verbs, namespaces and names exactly; wildcards exist in resources and paths only.
Source: staging/src/k8s.io/apiserver/pkg/audit/policy/checker.go.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from auditproof.analysis.lint.rule_fields import KEYS, values_of, with_values
from auditproof.analysis.lint.suggestions import close
from auditproof.analysis.space.cells import PATH_VERBS, RESOURCE_VERBS
from auditproof.analysis.space.oddity import is_odd_namespace, methods
from auditproof.kube.attributes import NotAudited, UserInfo, attributes_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.analysis.lint.context import Subject
    from auditproof.analysis.lint.finding import Finding
    from auditproof.audit.policy.load import PolicyRule

_SYNONYMS = {
    "post": "create",
    "put": "update",
    "read": "get",
    "view": "get",
    "write": "update",
    "edit": "update",
    "replace": "update",
    "apply": "patch",
    "remove": "delete",
    "deleteall": "deletecollection",
    "head": "get",
}
_OF_PATHS = {"create": "post", "update": "put", "list": "get", "watch": "get", "deletecollection": "delete"}
_ASKED_OF_RBAC = {"use", "bind", "escalate", "impersonate", "approve", "sign", "attest"}
_SUBRESOURCES = {"exec", "attach", "portforward", "log", "proxy", "eviction", "scale"}
_CALLED = {"users": "user", "user_groups": "group"}
_LIKELY = {"users": "worker", "user_groups": "developers", "namespaces": "system"}
_VANISHED = {"system:unsecured": "it came from the insecure port, which was removed in Kubernetes 1.24"}
_GROUPS = {"system:masters", "system:nodes", "system:authenticated", "system:unauthenticated", "system:serviceaccounts"}
_USERS = {"system:anonymous", "system:apiserver", "system:kube-controller-manager", "system:kube-scheduler"}
_BUILT_IN = {
    "users": [*sorted(_USERS), "system:kube-proxy"],
    "user_groups": [*sorted(_GROUPS), "system:serviceaccounts:kube-system", "system:bootstrappers"],
}
_OTHERS = ("system:serviceaccount:", "system:serviceaccounts:", "system:node:")  # of these there are many
_ALMOST = 0.9  # how alike a misspelt name is


def check(subject: Subject, rule: PolicyRule) -> Iterator[tuple[Finding, str, str]]:
    """Findings about single values of the rule, each with the field and the value that matches nothing."""
    for field, code in (("users", "AP302"), ("user_groups", "AP302"), ("namespaces", "AP303")):
        yield from _wildcards(subject, rule, field, code)
    yield from _verbs(subject, rule)
    yield from _paths(subject, rule)
    yield from _somebody_else(subject, rule)
    yield from _misspelt(subject, rule)


def _wildcards(subject: Subject, rule: PolicyRule, field: str, code: str) -> Iterator[tuple[Finding, str, str]]:
    """Wildcards and impossible names, which match only a request with that literal text."""
    for number, value in enumerate(values_of(rule, field)):
        name = field == "namespaces" and bool(value) and is_odd_namespace(value)
        if "*" not in value and not name:
            continue
        key = KEYS[field]
        meant = (
            () if value.strip("*") == "" else (value.replace("*", _LIKELY[field]) if "*" in value else value.lower(),)
        )
        where = subject.places.of("rules", rule.index, key, number)
        if field == "namespaces":
            what = "is not a pattern" if "*" in value else "is not a valid namespace name"
            literally = f"{what}: it matches only a request with this literal text in its path"
        else:
            literally = f"is not a pattern: it matches only a {_CALLED[field]} with this literal name"
        message = f'"{value}" in {key} {literally}'
        asked = subject.meant(with_values(rule, field, meant), rule)
        yield subject.finding(code, where, message, _instead(field, value), asked), field, value


def _instead(field: str, value: str) -> str:
    if value == "*":
        return f"Remove {KEYS[field]}: without it the rule matches all."
    if field == "namespaces":
        return (
            "Name each namespace."
            if "*" in value
            else "A namespace name has lower-case letters, digits and -, at most 63."
        )
    account = value.startswith("system:serviceaccount:")
    if account and not value.split(":")[2].count("*") and len(value.split(":")) > 3:
        return (
            f"For all service accounts of a namespace use userGroups: [system:serviceaccounts:{value.split(':')[2]}]."
        )
    if value.startswith("system:node"):
        return "For all nodes use userGroups: [system:nodes]."
    return "Name each one, or use a group that contains all of them."


def _verbs(subject: Subject, rule: PolicyRule) -> Iterator[tuple[Finding, str, str]]:
    if rule.resources or rule.namespaces:
        known: tuple[str, ...] = RESOURCE_VERBS
    else:
        known = PATH_VERBS if rule.non_resource_urls else RESOURCE_VERBS + PATH_VERBS
    for number, verb in enumerate(rule.verbs):
        if verb in known:
            continue
        meant, advice = _verb_instead(rule, verb)
        where = subject.places.of("rules", rule.index, "verbs", number)
        asked = subject.meant(replace(rule, verbs=(meant,) if meant else ()), rule)
        message = f'no request has the verb "{verb}"'
        if verb in methods([verb]) and not (rule.resources or rule.namespaces):
            message = f'only a request for a path with the HTTP method "{verb.upper()}" has the verb "{verb}"'
        yield subject.finding("AP301", where, message, advice, asked), "verbs", verb


def _verb_instead(rule: PolicyRule, verb: str) -> tuple[str, str]:
    """The verb that was probably meant (or empty), and the advice."""
    lower = verb.lower()
    if verb == "*":
        return "", "Remove verbs: without it the rule matches all verbs."
    if rule.non_resource_urls and not (rule.resources or rule.namespaces):
        meant = lower if lower in PATH_VERBS else _OF_PATHS.get(lower, "") or close(lower, PATH_VERBS)
        advice = "The verbs of a path are HTTP methods in lower case"
        return meant, f'{advice}; did you mean "{meant}"?' if meant else f"{advice}: {', '.join(PATH_VERBS)}."
    if lower in _ASKED_OF_RBAC:
        return "", f"Remove it: only the authorizer checks {lower}, for requests that have other verbs."
    if lower in _SUBRESOURCES:
        return "", f"Name the subresource instead: resources: [pods/{lower}]; the verbs are get and create."
    known = [name for name in RESOURCE_VERBS if name]
    meant = _SYNONYMS.get(lower) or close(lower, known, 0.6)
    return meant, f'Did you mean "{meant}"?' if meant else f"Verbs are {', '.join(known)}."


def _paths(subject: Subject, rule: PolicyRule) -> Iterator[tuple[Finding, str, str]]:
    """Paths of resources, which nonResourceURLs never match."""
    for number, pattern in enumerate(rule.non_resource_urls):
        path = pattern.removesuffix("*")
        try:
            attributes = attributes_of("GET", path, UserInfo("someone", ("system:authenticated",)))
        except NotAudited:
            continue
        if not attributes.resource_request:
            continue
        where = subject.places.of("rules", rule.index, "nonResourceURLs", number)
        group = f"group: {attributes.api_group}, " if attributes.api_group else ""
        advice = f"Name the resource instead: resources: [{{{group}resources: [{attributes.resource}]}}]."
        message = f'"{pattern}" is the path of a resource: nonResourceURLs never match resources'
        yield subject.finding("AP312", where, message, advice, (attributes, True)), "non_resource_urls", pattern


def _misspelt(subject: Subject, rule: PolicyRule) -> Iterator[tuple[Finding, str, str]]:
    """Users and groups that begin as only built-in ones do, and are almost one of them."""
    for field, known in _BUILT_IN.items():
        for number, value in enumerate(values_of(rule, field)):
            meant = "" if value in known or not value.lower().startswith("system:") else close(value, known, _ALMOST)
            if not meant or value.startswith(_OTHERS):
                continue
            where = subject.places.of("rules", rule.index, KEYS[field], number)
            asked = subject.meant(with_values(rule, field, (meant,)), rule)
            message = f'no built-in {_CALLED[field]} is called "{value}"'
            yield subject.finding("AP315", where, message, f'Did you mean "{meant}"?', asked), field, value


def _somebody_else(subject: Subject, rule: PolicyRule) -> Iterator[tuple[Finding, str, str]]:
    for number, user in enumerate(rule.users):
        where = subject.places.of("rules", rule.index, "users", number)
        if user in _VANISHED:
            message = f'no request is made by "{user}": {_VANISHED[user]}'
            asked = subject.meant(replace(rule, users=()), rule)
            yield subject.finding("AP313", where, message, "Remove it.", asked), "users", user
        elif user in _GROUPS or user.startswith("system:serviceaccounts"):
            asked = subject.meant(replace(rule, users=(), user_groups=(user,)), rule)
            message = f'"{user}" is a group: no user is called that'
            yield subject.finding("AP314", where, message, "Name it in userGroups.", asked), "users", user
    for number, group in enumerate(rule.user_groups):
        if group in _USERS or group.startswith(("system:serviceaccount:", "system:node:")):
            where = subject.places.of("rules", rule.index, "userGroups", number)
            asked = subject.meant(replace(rule, users=(group,), user_groups=()), rule)
            message, advice = f'"{group}" is a user: no group is called that', "Name it in users."
            yield subject.finding("AP314", where, message, advice, asked), "user_groups", group
