"""Content that an audit log should not hold: secrets, tokens, and every request twice.

Sources: staging/src/k8s.io/apiserver/pkg/audit/request.go for the bodies that each level records;
pkg/registry/core/secret/strategy.go: the response to ``delete`` on a secret is a Status.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.analysis.lint.context import named
from auditproof.audit.event import Level, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from auditproof.analysis.lint.context import Subject
    from auditproof.analysis.lint.finding import Finding
    from auditproof.analysis.space.resource_targets import ResourceTarget
    from auditproof.audit.policy.load import PolicyRule

_WRITTEN = ("update", "create", "patch")
_ANSWERED = ("get", "list", "update", "create", "patch", "deletecollection")


def check(subject: Subject) -> Iterator[Finding]:
    """Findings about bodies and volume."""
    for rule in subject.policy.rules:
        yield from _secrets(subject, rule)
        yield from _issued(subject, rule)
        yield from _reviewed(subject, rule)
    yield from _volume(subject)


def _secrets(subject: Subject, rule: PolicyRule) -> Iterator[Finding]:
    verbs = {Level.REQUEST: _WRITTEN, Level.REQUEST_RESPONSE: _ANSWERED}.get(rule.level, ())
    message = "the contents of secrets are recorded: base64 does not protect them"
    advice = "Add a rule with `level: Metadata` for secrets above this one."
    yield from _leak(subject, rule, "AP501", lambda t: _is(t, "", "secrets"), verbs, message, advice)


def _issued(subject: Subject, rule: PolicyRule) -> Iterator[Finding]:
    verbs = ("create",) if rule.level is Level.REQUEST_RESPONSE else ()
    message = "TokenRequest responses are recorded with the token: anyone who can read the log can use it"
    advice = "Add a rule with `level: Metadata` for serviceaccounts/token above this one."
    yield from _leak(subject, rule, "AP502", lambda t: _is(t, "", "serviceaccounts", "token"), verbs, message, advice)


def _reviewed(subject: Subject, rule: PolicyRule) -> Iterator[Finding]:
    verbs = ("create",) if rule.level >= Level.REQUEST else ()
    message = "token reviews are recorded with the token: anyone who can read the log can use it"
    advice = "Add a rule with `level: Metadata` for tokenreviews of authentication.k8s.io above this one."
    yield from _leak(
        subject, rule, "AP503", lambda t: _is(t, "authentication.k8s.io", "tokenreviews"), verbs, message, advice
    )


def _is(target: ResourceTarget, group: str, resource: str, subresource: str = "") -> bool:
    return (target.group, target.resource, target.subresource) == (group, resource, subresource)


def _leak(
    subject: Subject,
    rule: PolicyRule,
    code: str,
    wanted: Callable[[ResourceTarget], bool],
    verbs: tuple[str, ...],
    message: str,
    advice: str,
) -> Iterator[Finding]:
    found = next(subject.requests_for(rule.index, wanted, verbs), None) if verbs else None
    if found and not subject.policy.omit_stages | rule.omit_stages >= {Stage.RESPONSE_COMPLETE}:
        where = subject.places.of("rules", rule.index, "level")
        yield subject.finding(code, where, f"{message} (rule {rule.index + 1})", advice, (found, True))


def _volume(subject: Subject) -> Iterator[Finding]:
    keeping = [rule for rule in subject.policy.rules if _keeps(subject, rule)]
    if keeping:
        message = f"{named(tuple(keeping))} record RequestReceived: every request is in the log twice"
        message = message if len(keeping) > 1 else message.replace("record ", "records ")
        advice = (
            "Omit it for all rules: `omitStages: [RequestReceived]` at the top; only blocking-strict mode needs it."
        )
        where = subject.places.of("rules", keeping[0].index, "level")
        yield subject.finding("AP504", where, message, advice, subject.first_request(keeping[0].index))


def _keeps(subject: Subject, rule: PolicyRule) -> bool:
    omitted = subject.policy.omit_stages | rule.omit_stages
    recorded = rule.level is not Level.NONE and not omitted & {Stage.REQUEST_RECEIVED, Stage.RESPONSE_COMPLETE}
    return recorded and any(subject.ordinary(rule.index))
