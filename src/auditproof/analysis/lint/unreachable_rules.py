"""Whole rules: those that no request reaches, and those that record nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.analysis.lint.context import named
from auditproof.analysis.lint.rule_fields import has_no_condition
from auditproof.analysis.space.identities import ODD
from auditproof.analysis.space.remarks import oddities
from auditproof.audit.event import Level, Stage
from auditproof.audit.stages import emitted_stages
from auditproof.kube.attributes import UserInfo

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from auditproof.analysis.lint.context import Asked, Subject
    from auditproof.analysis.lint.finding import Finding
    from auditproof.analysis.space import Cell
    from auditproof.analysis.space.joint import JointDecision
    from auditproof.audit.policy.load import PolicyRule

_ANYBODY = UserInfo("anybody")
_SHORT = frozenset({Stage.REQUEST_RECEIVED, Stage.RESPONSE_COMPLETE})


def check(subject: Subject, explained: Collection[int]) -> Iterator[Finding]:
    """Findings about rules; ``explained`` are the indexes of rules whose own conditions already have a finding."""
    for rule in subject.policy.rules:
        yield from _reach(subject, rule, explained=rule.index in explained)
        yield from _stages(subject, rule)
    yield from _nothing(subject)


def _reach(subject: Subject, rule: PolicyRule, *, explained: bool) -> Iterator[Finding]:
    """Whether any request reaches the rule."""
    matched = subject.is_possible(rule)
    if not matched and not explained:
        message = f"rule {rule.index + 1} matches nothing: no ordinary request meets all its conditions"
        advice = "Remove the rule, or the condition that excludes the others."
        asked = subject.meant(rule, rule)
        yield subject.finding("AP202", rule.position, message, advice, asked or _any_request(subject))
    if rule.index not in subject.outcomes:
        yield from _unreachable(subject, rule)
    elif matched and not any(
        outcome.identity.honest and any(cell.served for cell in outcome.cells)
        for outcome in subject.outcomes[rule.index]
    ):
        yield _left_over(subject, rule)


def _unreachable(subject: Subject, rule: PolicyRule) -> Iterator[Finding]:
    covering = subject.deciding_instead(rule.index)
    if covering:
        verb = "decides" if len(covering) == 1 else "decide"
        message = f"rule {rule.index + 1} is never reached: {named(covering)} {verb} every request that it matches"
        advice = f"Remove it, or move it above line {covering[0].position.line} if its level is the one you want."
        yield subject.finding("AP201", rule.position, message, advice, subject.meant(rule, rule))


def _left_over(subject: Subject, rule: PolicyRule) -> Finding:
    asked = subject.first_request(rule.index)
    covering = subject.deciding_instead(rule.index, ordinary=True)
    take = "takes" if len(covering) == 1 else "take"
    best = min(subject.outcomes[rule.index], key=lambda outcome: outcome.oddness)
    odd = oddities(best.cells[:1], [(best.identity, best.region)], subject.space.identities)
    if odd:
        why = f"no ordinary client sends ({' or '.join(odd)})"
    else:
        why = "the server rejects with 404 or 405" if best.identity.honest else "need a forged credential"
    message = f"rule {rule.index + 1} only decides requests that {why}: {named(covering)} {take} all others"
    advice = f"Remove it, or move it above line {covering[0].position.line} if its level is the one you want."
    return subject.finding("AP203", rule.position, message, advice, asked)


def _stages(subject: Subject, rule: PolicyRule) -> Iterator[Finding]:
    """A level above None, but every stage at which an event could be written is omitted."""
    omitted = subject.policy.omit_stages | rule.omit_stages
    if rule.level is Level.NONE or not omitted >= _SHORT or rule.index not in subject.outcomes:
        return
    if not any(
        _recorded(outcome, cell, omitted) for outcome in subject.ordinary(rule.index) for cell in _usual(outcome)
    ):
        message = f"rule {rule.index + 1} records nothing: all stages of the requests that it decides are omitted"
        advice = "Remove ResponseComplete from omitStages, or write level: None if that is the intention."
        where = subject.places.key("rules", rule.index, "omitStages")
        yield subject.finding("AP204", where, message, advice, subject.first_request(rule.index))


def _usual(outcome: JointDecision) -> list[Cell]:
    return [cell for cell in outcome.cells if not cell.odd]


def _recorded(outcome: JointDecision, cell: Cell, omitted: Collection[Stage]) -> bool:
    """Whether any request of the cell leaves an event at a level other than None."""
    failed = outcome.identity.failed
    requests = cell.every(None) if failed else cell.every(_ANYBODY)
    return any(emitted_stages(attributes, 200) - set(omitted) for attributes in requests)


def _nothing(subject: Subject) -> Iterator[Finding]:
    """A policy that records no request; odd requests, which no ordinary client sends, do not count."""
    for rule in subject.policy.rules:
        omitted = subject.policy.omit_stages | rule.omit_stages
        if rule.level is Level.NONE:
            continue
        outcomes = (one for one in subject.outcomes.get(rule.index, ()) if one.identity.kind != ODD)
        if any(_recorded(outcome, cell, omitted) for outcome in outcomes for cell in _usual(outcome)):
            return
    message = "this policy records nothing, whatever the request"
    yield subject.finding("AP205", subject.places.key("rules"), message, _record(subject), _any_request(subject))


def _record(subject: Subject) -> str:
    """What to do about a policy that records nothing."""
    for rule in subject.policy.rules:
        if rule.level is not Level.NONE and rule.index in subject.outcomes:
            stages = subject.policy.omit_stages
            where = "omitStages of the policy" if Stage.RESPONSE_COMPLETE in stages else "omitStages"
            return (
                f"Remove ResponseStarted and ResponseComplete from {where}: rule {rule.index + 1} has a level already."
            )
    everything = next((rule for rule in subject.policy.rules if has_no_condition(rule)), None)
    if everything is not None:
        return f"Write a level above None in {named((everything,))}, which takes all requests."
    return "End it with a rule that has a level and no conditions: `- level: Metadata`."


def _any_request(subject: Subject) -> Asked | None:
    return next(filter(None, (subject.first_request(rule) for rule in subject.outcomes)), None)
