"""Which rules may decide the requests of a series: its labels name no user, namespace or object. Pure.

A condition on what the labels lack may hold or not, so a series has one rule or several, and a lowest and a highest
level. Semantics of the conditions: ``audit.decide``.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from auditproof.audit.decide import matches_path, matches_pattern
from auditproof.kube.attributes import Attributes, UserInfo
from auditproof.kube.identity import AUTHENTICATED, UNAUTHENTICATED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.audit.policy.load import GroupResources, Policy, PolicyRule
    from auditproof.replay.forecast.counters import Series

_EVERYONE = {AUTHENTICATED, UNAUTHENTICATED}  # a failed authentication is not counted
_SOMEONE = UserInfo("")
_VERBS = {
    "GET": ("get",),
    "LIST": ("list",),
    "WATCH": ("watch",),
    "POST": ("create",),
    "PUT": ("update",),
    "PATCH": ("patch",),
    "APPLY": ("patch",),
}
_CONNECTED = ("get", "create")  # exec, attach and portforward: WebSocket or SPDY


class Match(Enum):
    """Whether a rule matches all requests of a series, none, or perhaps some."""

    NO = 0
    SOME = 1
    ALL = 2


def requests_of(series: Series) -> tuple[Attributes, ...]:
    """The requests that a series may be about, as far as its labels say: one for each verb. Other fields are empty."""
    if not series.resource:
        method = series.verb.lower() if series.verb != "LIST" else "get"
        # Discovery is counted as "api" and "apis", a health check as "/readyz".
        path = f"/{series.subresource.lstrip('/')}"
        return (Attributes(_SOMEONE, method, path=path, resource_request=False),)
    verbs = _VERBS.get(series.verb) or _rare_verbs(series)
    return tuple(
        Attributes(_SOMEONE, verb, "", series.group, series.version, series.resource, series.subresource)
        for verb in verbs
    )


def _rare_verbs(series: Series) -> tuple[str, ...]:
    if series.verb in ("DELETE", "DELETECOLLECTION"):
        return ("delete",) if series.scope == "resource" else ("deletecollection",)
    if series.verb == "CONNECT":
        return ("get",) if series.subresource == "log" else _CONNECTED
    return ("",)


def possible_rules(policy: Policy, request: Attributes, scope: str) -> Iterator[PolicyRule | None]:
    """The rules that may decide; None means that no rule may match. A single one decides certainly."""
    for rule in policy.rules:
        match = _match(rule, request, scope)
        if match is not Match.NO:
            yield rule
        if match is Match.ALL:
            return
    yield None


def _match(rule: PolicyRule, request: Attributes, scope: str) -> Match:
    if rule.verbs and request.verb not in rule.verbs:
        return Match.NO
    target = _target(rule, request, scope)
    if target is Match.ALL and (rule.users or (rule.user_groups and not set(rule.user_groups) >= _EVERYONE)):
        return Match.SOME
    return target


def _target(rule: PolicyRule, request: Attributes, scope: str) -> Match:
    if rule.namespaces or rule.resources:
        if not request.resource_request:
            return Match.NO
        places = _namespaces(rule, scope)
        things = max(
            (_entry(entry, request) for entry in rule.resources),
            key=lambda match: match.value,
            default=Match.ALL,
        )
        return min(places, things, key=lambda match: match.value)
    if rule.non_resource_urls:
        matches = not request.resource_request and any(
            matches_path(pattern, request.path) for pattern in rule.non_resource_urls
        )
        return Match.ALL if matches else Match.NO
    return Match.ALL


def _namespaces(rule: PolicyRule, scope: str) -> Match:
    """A request of scope cluster has no namespace, one of scope namespace has one, and any other may have one."""
    if not rule.namespaces:
        return Match.ALL
    if scope == "cluster":
        return Match.ALL if "" in rule.namespaces else Match.NO
    if scope == "namespace":
        return Match.SOME if any(rule.namespaces) else Match.NO
    return Match.SOME


def _entry(entry: GroupResources, request: Attributes) -> Match:
    if entry.group not in ("*", request.api_group):
        return Match.NO
    if not entry.resources:
        return Match.ALL
    if not any(matches_pattern(pattern, request.resource, request.subresource) for pattern in entry.resources):
        return Match.NO
    if not entry.resource_names:
        return Match.ALL
    # Before the body is read, what is created has no name; a list has one if its field selector pins it.
    nameless = request.verb == "deletecollection" or (request.verb == "create" and not request.subresource)
    if nameless:
        return Match.ALL if "" in entry.resource_names else Match.NO
    return Match.SOME
