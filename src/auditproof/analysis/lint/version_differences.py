"""Differences between the supported versions of Kubernetes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.audit.event import Level
from auditproof.kube.versions import version_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.analysis.lint.context import Subject
    from auditproof.analysis.lint.finding import Finding


def check(subject: Subject) -> Iterator[Finding]:
    """Findings about versions, except resources that not all of them serve (see ``dead_resources``)."""
    for rule in subject.policy.rules:
        for number, entry in enumerate(rule.resources):
            if entry.group == "*":
                where = subject.places.of("rules", rule.index, "resources", number, "group")
                message = 'the group "*" needs Kubernetes 1.36: older API servers do not start with it'
                advice = "Name the groups if the policy may be used with an older API server."
                yield subject.finding("AP601", where, message, advice, subject.first_request(rule.index))
    if version_of(subject.served.kubernetes) < (1, 37):
        yield from _yaml_patches(subject)


def _yaml_patches(subject: Subject) -> Iterator[Finding]:
    """Before 1.37 the body of a patch was recorded as sent, and an event with a YAML body cannot be written.

    Source: the difference of staging/src/k8s.io/apiserver/pkg/endpoints/handlers/patch.go between 1.36 and 1.37.
    """
    for rule in subject.policy.rules:
        if rule.level < Level.REQUEST:
            continue
        asked = next(subject.requests_for(rule.index, lambda target: not target.subresource, ("patch",)), None)
        if asked:
            where = subject.places.of("rules", rule.index, "level")
            message = "before Kubernetes 1.37, a YAML patch such as server-side apply leaves no event of its outcome"
            advice = "Monitor apiserver_audit_error_total, or record patches at Metadata."
            yield subject.finding("AP603", where, message, advice, (asked, True))
            return
