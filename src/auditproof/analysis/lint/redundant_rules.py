"""Rules that may be removed without any change, and requests that no rule matches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.analysis.lint.context import named
from auditproof.analysis.lint.rule_fields import has_no_condition
from auditproof.audit.decide import decided_by
from auditproof.audit.effect import effect_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.analysis.lint.context import Subject
    from auditproof.analysis.lint.finding import Finding
    from auditproof.analysis.space.joint import JointDecision
    from auditproof.audit.effect import Effect
    from auditproof.audit.policy.load import PolicyRule


def check(subject: Subject) -> Iterator[Finding]:
    """Findings about redundant rules, and about the requests that are left."""
    yield from _Redundant(subject).findings()
    yield from _left(subject)


class _Redundant:
    """Looks for rules whose requests the next rules that match record alike, whoever sends them.

    The last rule is examined first, and what is found redundant counts as removed from then on, so all rules that are
    found may be removed together. Rules that no request reaches count as removed, too: they have their own finding.
    """

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._count = len(subject.policy.rules)
        self._left = sum(1 << rule for rule in subject.outcomes if rule is not None)
        self._effects: dict[tuple[int | None, bool], Effect] = {}

    def findings(self) -> Iterator[Finding]:
        for rule in reversed(self._subject.policy.rules):
            outcomes = self._subject.outcomes.get(rule.index, ())
            if not outcomes or has_no_condition(rule):  # that says what happens to all others
                continue
            instead = self._instead(rule, outcomes)
            if instead is not None:
                self._left &= ~(1 << rule.index)
                rules = tuple(self._subject.policy.rules[n] for n in sorted(n for n in instead if n is not None))
                said = [f"{named(rules)} {'decides' if len(rules) == 1 else 'decide'} the same"] if rules else []
                said += ["no rule matches its requests, which are not recorded either"] if None in instead else []
                message = f"rule {rule.index + 1} changes nothing: without it, {', or '.join(said)}"
                advice = "Remove it, unless it is there for the reader."
                yield self._subject.finding(
                    "AP207", rule.position, message, advice, self._subject.first_request(rule.index)
                )

    def _instead(self, rule: PolicyRule, outcomes: tuple[JointDecision, ...]) -> set[int | None] | None:
        """The rules that decide without ``rule``; None if any request is recorded otherwise."""
        found: set[int | None] = set()
        known: set[tuple[int, object, bool]] = set()
        for outcome in outcomes:
            failed = outcome.identity.failed
            mask = outcome.met & self._left
            if (key := (mask, outcome.region, failed)) in known:
                continue
            known.add(key)
            for later, _ in self._subject.space.first_matches(mask, outcome.region, (rule.index + 1, self._count)):
                place = None if later is None else later + rule.index + 1
                if self._effect(place, failed) != self._effect(rule.index, failed):
                    return None
                found.add(place)
        return found

    def _effect(self, rule: int | None, failed: bool) -> Effect:
        key = rule, failed
        if key not in self._effects:
            policy = self._subject.policy
            decision = decided_by(policy, policy.rule_at(rule))
            self._effects[key] = effect_of(decision, failed=failed)
        return self._effects[key]


def _left(subject: Subject) -> Iterator[Finding]:
    """Ordinary requests that no rule matches."""
    if any(outcome.identity.honest and outcome.cells[0].served for outcome in subject.outcomes.get(None, ())):
        message = "no rule matches the remaining requests: they are not recorded"
        advice = "End the policy with a rule without conditions, which says so (`- level: None`) or records them."
        where = subject.places.key("rules")
        yield subject.finding("AP208", where, message, advice, subject.first_request(None))
