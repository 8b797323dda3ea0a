"""Resources, groups and names that match nothing that an API server serves.

The resources of the built-in API groups are known. Any other group may belong to a custom resource.
Source of the matching: ruleMatchesResource in staging/src/k8s.io/apiserver/pkg/audit/policy/checker.go.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from auditproof.analysis.lint.suggestions import close, full_name, groups_with, resource_like
from auditproof.audit.decide import matches_pattern
from auditproof.kube.discovery import load_served, minors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.analysis.lint.context import Asked, Subject
    from auditproof.analysis.lint.finding import Finding
    from auditproof.audit.policy.load import GroupResources, PolicyRule
    from auditproof.errors import Position
    from auditproof.kube.discovery import Served

_REMOVED = {"extensions": "1.22", "settings.k8s.io": "1.20", "auditregistration.k8s.io": "1.19"}
_CORE = ("core", "v1", "core.k8s.io")
_VERSION = re.compile(r"v\d+((alpha|beta)\d+)?")
# Groups of configuration files and of objects that only webhooks, plugins and events carry. Source: the types that
# kubeadm, kubelet, kube-proxy, kube-scheduler, kube-controller-manager, kube-apiserver and client-go read or write.
_FILES = {
    "abac.authorization.kubernetes.io",
    "admission.k8s.io",
    "apidiscovery.k8s.io",
    "apiserver.config.k8s.io",
    "apiserver.k8s.io",
    "audit.k8s.io",
    "client.authentication.k8s.io",
    "cloudcontrollermanager.config.k8s.io",
    "credentialprovider.kubelet.k8s.io",
    "eventratelimit.admission.k8s.io",
    "imagepolicy.k8s.io",
    "kubeadm.k8s.io",
    "kubecontrollermanager.config.k8s.io",
    "kubectl.config.k8s.io",
    "kubelet.config.k8s.io",
    "kubeproxy.config.k8s.io",
    "kubescheduler.config.k8s.io",
    "meta.k8s.io",
    "pod-security.admission.config.k8s.io",
    "podtolerationrestriction.admission.k8s.io",
    "resourcequota.admission.k8s.io",
}


def check(subject: Subject, rule: PolicyRule) -> Iterator[tuple[Finding, int, str]]:
    """Findings about the rule's resources, each with the index of the item and the pattern (empty: the whole item)."""
    for number, entry in enumerate(rule.resources):
        groups = list(_group(subject, rule, number, entry))
        yield from ((finding, number, "") for finding in groups)
        for at, pattern in enumerate(entry.resources if not groups else ()):
            finding = _pattern(subject, rule, number, entry, at, pattern)
            if finding:
                yield finding, number, pattern
        yield from _names(subject, rule, number, entry)


def _only(rule: PolicyRule, entry: GroupResources) -> PolicyRule:
    """The rule with only one resources item."""
    return replace(rule, resources=(entry,))


def _group(subject: Subject, rule: PolicyRule, number: int, entry: GroupResources) -> Iterator[Finding]:
    group, served = entry.group, subject.served
    where = subject.places.of("rules", rule.index, "resources", number, "group")
    optional = {name for name, _ in served.optional}
    if group == "*" or group in served.groups or group in optional:
        return
    if group in _REMOVED:
        message = f'no supported version of Kubernetes serves the group "{group}"; it was removed in {_REMOVED[group]}'
        asked = subject.meant(_only(rule, entry), _only(rule, replace(entry, group="gone.invalid")))
        yield subject.finding("AP308", where, message, "Remove it.", _unserved(asked))
        return
    if group in _FILES:
        message = f'no API server serves the group "{group}": it is the format of files, or of what webhooks exchange'
        asked = subject.meant(_only(rule, entry), _only(rule, replace(entry, group="gone.invalid")))
        yield subject.finding("AP307", where, message, "Remove it.", _unserved(asked))
        return
    meant = _group_meant(served, entry)
    if meant is not None or "." not in group:
        message = f'there is no API group "{group}"'
        message += "" if meant is not None else ": groups of custom resources contain a dot"
        groups = f"Groups are {', '.join(sorted(filter(None, served.groups)))}."
        advice = groups if meant is None else f'Did you mean "{meant}"?'
        right = _only(rule, replace(entry, group=meant)) if meant is not None else replace(rule, resources=())
        yield subject.finding("AP307", where, message, advice, subject.meant(right, rule))


def _group_meant(served: Served, entry: GroupResources) -> str | None:
    """The group that was probably meant, or None: the one that serves the resources, if the group is a version."""
    group = entry.group
    if group in _CORE or _VERSION.fullmatch(group):
        plain = [pattern for pattern in entry.resources if "*" not in pattern]
        groups = [set(groups_with(served, pattern)) for pattern in plain]
        found = sorted(set.intersection(*groups)) if groups else []
        return "" if group in _CORE and (not found or "" in found) else next(iter(found), None)
    return close(group, [known for known in served.groups if known], 0.87) or None


def _unserved(asked: Asked | None) -> Asked | None:
    """The request, marked as one that the server rejects with 404."""
    return asked and (asked[0], False)


def _pattern(
    subject: Subject, rule: PolicyRule, number: int, entry: GroupResources, at: int, pattern: str
) -> Finding | None:
    where = subject.places.of("rules", rule.index, "resources", number, "resources", at)
    if fault := _fault(pattern):
        if pattern == "*/*":
            meant, group = ("*", entry.group)
        else:
            meant, group = resource_like(subject.served, pattern.replace("*", "").strip("/"), entry.group)
        asked = _asked(subject, rule, entry, meant, group)
        advice = "Write *, which also matches subresources." if pattern == "*/*" else _did_you_mean(meant, group, entry)
        return subject.finding("AP304", where, f'"{pattern}" matches no served resource: {fault}', advice, asked)
    if _is_served(subject.served, entry.group, pattern) is not False:
        return _minors(subject, rule, number, entry, at, pattern)
    if served_by := [m for m in minors() if _is_served(load_served(m), entry.group, pattern)]:
        return _elsewhere(subject, rule, where, entry, pattern, served_by)
    meant, group = resource_like(subject.served, pattern, entry.group)
    asked = _asked(subject, rule, entry, meant, group) or _asked(subject, rule, entry, pattern, entry.group)
    version = subject.served.kubernetes
    called = f'the group "{entry.group}"' if entry.group else "the core group"
    message = f'Kubernetes {version.removeprefix("v")} serves no "{pattern}" in {called}'
    return subject.finding("AP306", where, message, _did_you_mean(meant, group, entry), asked)


def _fault(pattern: str) -> str:
    """Why the pattern can match no resource, whatever is served; empty if it can."""
    resource, slash, sub = pattern.partition("/")
    if pattern == "*/*":
        return "a pattern has at most one wildcard, alone or on one side of the slash"
    if not resource or (slash and not sub):
        return "the resource or subresource is missing"
    if "*" in (resource if resource != "*" else "") or "*" in (sub if sub != "*" else ""):
        return "a wildcard replaces a whole resource or subresource, never a part of its name"
    if "/" in sub:
        return "a subresource has no subresources"
    return "resource names are lower case" if pattern != pattern.lower() else ""


def _asked(subject: Subject, rule: PolicyRule, entry: GroupResources, pattern: str, group: str) -> Asked | None:
    """A request for the resource that was probably meant."""
    right = replace(entry, group=group, resources=(pattern,) if pattern else ())
    return subject.meant(_only(rule, right), rule if pattern not in entry.resources else _only(rule, right))


def _did_you_mean(meant: str, group: str, entry: GroupResources) -> str:
    if not meant:
        return "Remove it, or use the name from `kubectl api-resources`."
    other = f' of group "{group}"' if group != entry.group else ""
    return f'Did you mean "{meant}"{other}?'


def _is_served(served: Served, group: str, pattern: str) -> bool | None:
    """Whether anything matches that the server serves or can be configured to serve; None if that is unknown."""
    own = {entry.group for entry in served.resources} | {name for name, _ in served.optional}
    if group == "*":
        exact = groups_with(served, pattern)
        return bool(exact or "*" in pattern or not close(pattern, [entry.full_name for entry in served.resources], 0.9))
    if group not in own:
        return None
    known = [(entry.resource, entry.subresource) for entry in served.resources if entry.group == group]
    known += [(resource, "") for name, resource in served.optional if name == group]
    return any(matches_pattern(pattern, *one) for one in known)


def _minors(
    subject: Subject, rule: PolicyRule, number: int, entry: GroupResources, at: int, pattern: str
) -> Finding | None:
    """A resource that this version serves by default, but not every supported version."""
    if "*" in pattern or not _is_served(subject.served, entry.group, pattern):
        return None
    without = [minor for minor in minors() if _is_served(load_served(minor), entry.group, pattern) is False]
    if not without:
        return None
    where = subject.places.of("rules", rule.index, "resources", number, "resources", at)
    message = f'"{full_name(pattern, entry.group)}" is not served by default in Kubernetes {", ".join(without)}'
    advice = "Ignore this if your clusters are newer."
    asked = _asked(subject, rule, entry, pattern, entry.group)
    return subject.finding("AP602", where, message, advice, asked)


def _elsewhere(
    subject: Subject, rule: PolicyRule, where: Position, entry: GroupResources, pattern: str, served_by: list[str]
) -> Finding:
    message = f'"{full_name(pattern, entry.group)}" is served by default only in Kubernetes {", ".join(served_by)}'
    asked = _unserved(_asked(subject, rule, entry, pattern, entry.group))
    return subject.finding("AP602", where, message, "Ignore this if your clusters have that version.", asked)


def _names(
    subject: Subject, rule: PolicyRule, number: int, entry: GroupResources
) -> Iterator[tuple[Finding, int, str]]:
    """Wildcards in resourceNames; the whole item matches nothing if it has no other name."""
    dead = [name for name in entry.resource_names if "*" in name]
    for at, name in enumerate(entry.resource_names):
        if name in dead:
            where = subject.places.of("rules", rule.index, "resources", number, "resourceNames", at)
            names = () if name == "*" else (name.replace("*", "1"),)
            asked = subject.meant(_only(rule, replace(entry, resource_names=names)), rule)
            advice = "Remove resourceNames." if name == "*" else "Name each object."
            message = f'"{name}" in resourceNames is not a pattern: it matches only this literal name'
            whole = "" if len(dead) == len(entry.resource_names) else name
            yield subject.finding("AP305", where, message, advice, asked), number, whole
