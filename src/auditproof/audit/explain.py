"""Explains a Decision: which rule decides, why no earlier one does, and which later ones would also match."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.audit.decide import Decision, NoMatch, decided_by, matches, no_match
from auditproof.audit.event import Level
from auditproof.audit.stages import LONG, emitted_stages, in_order
from auditproof.text.printable import printable

if TYPE_CHECKING:
    from auditproof.audit.event import Stage
    from auditproof.audit.policy.load import Policy, PolicyRule
    from auditproof.kube.attributes import Attributes


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision with its reasons.

    ``earlier`` are the rules before, each with why it does not match, ``shadowed`` the later rules that would match
    too; ``path`` is the policy's. ``emitted`` are the stages of the request, before any is omitted.

    >>> from auditproof import Attributes, UserInfo, explain, load_policy
    >>> policy = load_policy("fixtures/policies/baseline.yaml")
    >>> explanation = explain(policy, Attributes(UserInfo("alice"), "get", resource="secrets"))
    >>> explanation.earlier, [rule.index for rule in explanation.shadowed]
    ((), [9])
    """

    path: str
    decision: Decision
    earlier: tuple[tuple[PolicyRule, NoMatch], ...]
    shadowed: tuple[PolicyRule, ...]
    emitted: frozenset[Stage] = LONG


def explain(policy: Policy, attributes: Attributes) -> Explanation:
    """Explain which rule of ``policy`` matches a request, why the earlier ones do not, and which later ones would.

    >>> from auditproof import Attributes, UserInfo, explain, load_policy
    >>> policy = load_policy("fixtures/policies/baseline.yaml")
    >>> explanation = explain(policy, Attributes(UserInfo("alice"), "get", resource="pods"))
    >>> [(rule.index, reason.condition) for rule, reason in explanation.earlier][:3]
    [(0, 'resources'), (1, 'resources'), (2, 'verbs')]
    """
    earlier: list[tuple[PolicyRule, NoMatch]] = []
    deciding = None
    for rule in policy.rules:
        reason = no_match(rule, attributes)
        if reason is None:
            deciding = rule
            break
        earlier.append((rule, reason))
    later = policy.rules[len(earlier) + 1 :]
    shadowed = tuple(rule for rule in later if matches(rule, attributes))
    decision = decided_by(policy, deciding)
    return Explanation(policy.path, decision, tuple(earlier), shadowed, emitted_stages(attributes, 200))


def render(explanation: Explanation) -> str:
    """The explanation as text, the deciding rule first."""
    rule, effect = explanation.decision.rule, effect_of(explanation.decision, explanation.emitted)
    lines = [f"{explanation.path}: no rule matches: {effect}" if rule is None else f"{_place(rule)} decides: {effect}"]
    lines += [f"{_place(rule)}: does not match: {reason}" for rule, reason in explanation.earlier]
    lines += [
        f"{_place(rule)}: {rule.level}: would also match, but the first match wins" for rule in explanation.shadowed
    ]
    return "\n".join(map(printable, lines))


def effect_of(decision: Decision, emitted: frozenset[Stage] = LONG) -> str:
    """A Decision in words, e.g. ``recorded at level Metadata``; ``emitted`` are the stages of the request."""
    if decision.level is Level.NONE:
        return "not recorded (level None)"
    if not emitted - decision.omit_stages:
        return f"not recorded (level {decision.level}, but all its stages are omitted)"
    omitted = ", ".join(in_order(decision.omit_stages))
    stages = f", without the stages {omitted}" if omitted else ""
    fields = ", without managedFields" if decision.omit_managed_fields and decision.level > Level.METADATA else ""
    return f"recorded at level {decision.level}{stages}{fields}"


def _place(rule: PolicyRule) -> str:
    return f"{rule.position.path}:{rule.position.line}: rule {rule.index + 1}"
