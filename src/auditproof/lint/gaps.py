"""Things that a policy means to record and lets slip: twins of events, forms of exec, failed logins.

Sources: kubectl's pkg/cmd/exec/exec.go (WebSocket, so GET, since Kubernetes 1.31; POST before and as a fallback);
staging/src/k8s.io/apiserver/pkg/endpoints/filters/authn_audit.go (a 401 has one event, at ResponseStarted).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from auditproof.audit import Level, Stage
from auditproof.decide import decide
from auditproof.lint.subject import named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.attributes import Attributes
    from auditproof.decide import Decision
    from auditproof.lint.finding import Finding
    from auditproof.lint.subject import Asked, Subject
    from auditproof.policy import PolicyRule

_EVENTS = ("", "events.k8s.io")
_STREAMS = ("exec", "attach", "portforward")
_VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")


def check(subject: Subject) -> Iterator[Finding]:
    """Findings about what slips through."""
    yield from _events(subject)
    yield from _streams(subject)
    yield from _failed_logins(subject)


def _events(subject: Subject) -> Iterator[Finding]:
    for rule in subject.policy.rules:
        for number, entry in enumerate(rule.resources):
            if entry.group in _EVENTS and (found := _twin(subject, rule, entry.group, entry.resources)):
                asked, pattern, decision = found
                other = _group(_EVENTS[1 - _EVENTS.index(entry.group)])
                at = ("rules", rule.index, "resources", number, "resources", entry.resources.index(pattern))
                where = subject.places.of(*at)
                told = "no rule takes it" if decision.rule is None else f"{named((decision.rule,))} decides about it"
                message = f"the same events are served in {other}, too, and there {told}"
                advice = f"Name events of {other} beside them."
                yield subject.finding("AP401", where, message, advice, (asked, True))


def _group(group: str) -> str:
    return f"the group {group}" if group else "the core group"


def _twin(
    subject: Subject, rule: PolicyRule, group: str, patterns: tuple[str, ...]
) -> tuple[Attributes, str, Decision] | None:
    """A request for events in the other group that is decided otherwise than the same request in ``group``."""
    written = next((pattern for pattern in patterns if pattern in ("events", "events/*")), "")
    other = _EVENTS[1 - _EVENTS.index(group)]
    if not written:
        return None
    found = subject.requests_for(rule.index, lambda t: (t.group, t.resource) == (group, "events"), _VERBS)
    for attributes in found:
        twin = replace(attributes, api_group=other, api_version="v1")
        decision = decide(subject.policy, twin)
        if _effect(decision) != _effect(decide(subject.policy, attributes)):
            return twin, written, decision
    return None


def _effect(decision: Decision) -> tuple[Level, frozenset[Stage]]:
    return decision.level, decision.omit_stages if decision.level is not Level.NONE else frozenset()


def _streams(subject: Subject) -> Iterator[Finding]:
    """At each rule that takes one form of exec, attach or port-forward and leaves the other to a rule of less."""
    told = set()
    for index in subject.outcomes:
        wanted = subject.requests_for(index, lambda t: not t.group and _is_stream(t.resource, t.subresource), ("get",))
        for attributes in wanted:
            found = _halves(subject, attributes)
            if found and found[0] not in told:
                told.add(found[0])
                yield _half(subject, *found)


def _is_stream(resource: str, subresource: str) -> bool:
    return resource == "pods" and subresource in _STREAMS


def _halves(subject: Subject, get: Attributes) -> tuple[int | None, Attributes] | None:
    """The rule to be blamed and the form that is recorded less, if the two forms are not treated alike.

    A rule that names the subresource is blamed first, then the one that does not record. Two levels above None are
    nobody's mistake where no rule names it.
    """
    create = replace(get, verb="create")
    first, second = decide(subject.policy, get), decide(subject.policy, create)
    if first.level == second.level:
        return None
    less, attributes = (first, get) if first.level < second.level else (second, create)
    more = second if less is first else first
    naming = [d.rule for d in (more, less) if d.rule and _names_stream(d.rule, get.subresource)]
    if less.level is not Level.NONE and len(naming) != 1:
        return None
    blamed = naming[0] if naming else less.rule
    return (blamed.index if blamed else None), attributes


def _names_stream(rule: PolicyRule, subresource: str) -> bool:
    known = (f"pods/{subresource}", f"*/{subresource}", "pods/*")
    return any(pattern in known for entry in rule.resources for pattern in entry.resources)


def _half(subject: Subject, blamed: int | None, attributes: Attributes) -> Finding:
    where = subject.places.key("rules") if blamed is None else subject.places.key("rules", blamed, "verbs")
    form = "by WebSocket, which kubectl uses since 1.31 (GET, so the verb get)"
    form = form if attributes.verb == "get" else "by SPDY, as older clients do (POST, so the verb create)"
    other = replace(attributes, verb="create" if attributes.verb == "get" else "get")
    less, more = decide(subject.policy, attributes), decide(subject.policy, other)
    recorded = "not recorded" if less.level is Level.NONE else f"recorded at {less.level} only"
    message = f"{attributes.subresource} {form}, is {recorded}; in its other form it is recorded at {more.level}"
    advice = "Name pods/exec, pods/attach and pods/portforward in a rule of their own, without verbs, above this one."
    return subject.finding("AP402", where, message, advice, (attributes, True))


def _failed_logins(subject: Subject) -> Iterator[Finding]:
    """Failed authentications: lost by a stage that is omitted, or recorded by no rule at all."""
    failed = [(index, asked) for index in subject.outcomes if (asked := _failed(subject, index))]
    meant = [(subject.policy.rules[n], a) for n, a in failed if n is not None]
    meant = [(rule, asked) for rule, asked in meant if rule.level is not Level.NONE]
    told = set()
    for rule, asked in sorted(meant, key=lambda found: found[0].index):
        where = _omitting(subject, rule)
        if where and where not in told:
            told.add(where)
            message = "failed logins (401) are recorded at ResponseStarted and at no other stage: this loses them"
            advice = "Leave ResponseStarted out of omitStages; only watches and streams have it besides."
            yield subject.finding("AP403", subject.places.of(*where), message, advice, asked)
    if failed and not meant and _records(subject):
        message = "no failed login (401) is recorded: rules with users or userGroups never match one"
        advice = "End the policy with a rule without users and userGroups: `- level: Metadata`."
        yield subject.finding("AP404", subject.places.key("rules"), message, advice, failed[0][1])


def _failed(subject: Subject, index: int | None) -> Asked | None:
    """A request with a credential that is not accepted, that the rule decides about; served ones first."""
    outcomes = [outcome for outcome in subject.outcomes[index] if outcome.identity.failed]
    if not outcomes:
        return None
    cell = min((outcome.cells[0] for outcome in outcomes), key=lambda cell: not cell.served)
    return cell.attributes(None), cell.served


def _omitting(subject: Subject, rule: PolicyRule) -> tuple[str | int, ...] | None:
    """Where ResponseStarted is omitted for the rule."""
    for path, stages in (
        (("omitStages",), subject.policy.omit_stages),
        (("rules", rule.index, "omitStages"), rule.omit_stages),
    ):
        if Stage.RESPONSE_STARTED in stages:
            written = subject.places.texts(*path) or ()
            return (*path, written.index(Stage.RESPONSE_STARTED)) if Stage.RESPONSE_STARTED in written else path
    return None


def _records(subject: Subject) -> bool:
    return any(rule.level is not Level.NONE and rule.index in subject.outcomes for rule in subject.policy.rules)
