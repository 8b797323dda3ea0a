"""What behaves otherwise on other supported versions of Kubernetes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.audit.event import Level
from auditproof.audit.policy.load import version_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.analysis.lint.context import Subject
    from auditproof.analysis.lint.finding import Finding


def check(subject: Subject) -> Iterator[Finding]:
    """Findings about versions, but for resources that not all of them serve (see ``patterns``)."""
    for rule in subject.policy.rules:
        for number, entry in enumerate(rule.resources):
            if entry.group == "*":
                where = subject.places.of("rules", rule.index, "resources", number, "group")
                message = 'the group "*" is known since Kubernetes 1.36: older API servers do not start with it'
                advice = "Name the groups, if the policy may ever meet an older server."
                yield subject.finding("AP601", where, message, advice, subject.first_request(rule.index))
    if version_of(subject.served.kubernetes) < (1, 37):
        yield from _yaml_patches(subject)


def _yaml_patches(subject: Subject) -> Iterator[Finding]:
    """Before 1.37 the body of a patch was recorded as it came, and an event with a body in YAML cannot be written.

    Source: the difference of staging/src/k8s.io/apiserver/pkg/endpoints/handlers/patch.go between 1.36 and 1.37.
    """
    for rule in subject.policy.rules:
        if rule.level < Level.REQUEST:
            continue
        asked = next(subject.requests_for(rule.index, lambda target: not target.subresource, ("patch",)), None)
        if asked:
            where = subject.places.of("rules", rule.index, "level")
            message = "before Kubernetes 1.37 a patch in YAML, as of server-side apply, leaves no event of its outcome"
            advice = "Watch apiserver_audit_error_total, or record patches at Metadata."
            yield subject.finding("AP603", where, message, advice, (asked, True))
            return
