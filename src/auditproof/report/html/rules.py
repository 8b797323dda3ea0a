"""The rules of the given policy, each in a line, with what was proven of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.audit.policy.load import parse_policy
from auditproof.errors import AuditproofError
from auditproof.proof.verdict import Outcome
from auditproof.report.faithful import judged_by_given

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from auditproof.audit.policy.load import PolicyRule
    from auditproof.report.model import ProofRecord, Report, RuleCoverage

_ORDER = ("wrong", "open", "proven")


@dataclass(frozen=True, slots=True)
class RuleProven:
    """A rule (counted from 1): its conditions in words, and what was shown. ``state``: proven, open or wrong."""

    number: int
    line: int
    level: str
    conditions: str
    shown: str
    state: str


def rules_proven(report: Report) -> list[RuleProven]:
    """The rules, those with something wrong first, then those about which nothing was shown."""
    parsed = _parsed(report)
    covered = {rule.rule: rule for rule in (report.coverage.rules if report.coverage else ())}
    proofs = {proof.id: proof for proof in report.proofs}
    decided: dict[int | None, list[ProofRecord]] = {}
    for proof in judged_by_given(report):
        if proof.audit_id:
            decided.setdefault(proof.expected.rule, []).append(proof)
    rules = []
    for index, line in enumerate(report.policy.rule_lines):
        rule = parsed[index] if index < len(parsed) else None
        coverage = covered.get(index)
        missed = [proofs[name] for name in coverage.near_misses if name in proofs] if coverage else []
        state, shown = _shown(decided.get(index, []), missed, coverage)
        level = str(rule.level) if rule else str(coverage.level) if coverage else ""
        rules.append(RuleProven(index + 1, line, level, conditions(rule) if rule else "", shown, state))
    return sorted(rules, key=lambda one: (_ORDER.index(one.state), one.number))


def _parsed(report: Report) -> Sequence[PolicyRule]:
    """The rules of the policy's text; none of a results.json that lacks it."""
    newest = report.versions[-1].version if report.versions else ""
    try:
        kubernetes = {"kubernetes": newest} if newest else {}
        return parse_policy(report.policy.text.encode(), report.policy.path, **kubernetes).rules
    except AuditproofError:
        return ()


def conditions(rule: PolicyRule) -> str:
    """The requests that a rule is about, in a few words; ``all requests`` without any condition."""
    return "; ".join(_conditions(rule)) or "all requests"


def _conditions(rule: PolicyRule) -> Iterator[str]:
    if rule.verbs:
        yield ", ".join(rule.verbs)
    names = [_resource(entry.group, name) for entry in rule.resources for name in entry.resources or ("*",)]
    if names:
        yield ", ".join(names)
    if any(entry.resource_names for entry in rule.resources):
        yield f"named {', '.join(name for entry in rule.resources for name in entry.resource_names)}"
    for text, values in (("in", rule.namespaces), ("paths", rule.non_resource_urls)):
        if values:
            yield f"{text} {', '.join(value or '(no namespace)' for value in values)}"
    for text, values in (("by", rule.users), ("by groups", rule.user_groups)):
        if values:
            yield f"{text} {', '.join(values)}"
    if rule.omit_stages:
        yield f"without {', '.join(sorted(map(str, rule.omit_stages)))}"


def _resource(group: str, name: str) -> str:
    if name == "*":
        return f"all of {group or 'the core group'}" if group != "*" else "all resources"
    base, slash, sub = name.partition("/")
    return f"{base}.{group}{slash}{sub}" if group else name


def _shown(
    decided: Sequence[ProofRecord], missed: Sequence[ProofRecord], coverage: RuleCoverage | None
) -> tuple[str, str]:
    """The state of a rule, and what was shown in a clause."""
    if coverage and coverage.reason and not decided:
        return "open", f"no request gets here: {coverage.reason}"
    near = [proof for proof in missed if proof.audit_id]
    wrong = sum(
        1 for proof in {proof.id: proof for proof in (*decided, *near)}.values() if proof.verdict is not Outcome.PROVEN
    )
    if not decided and not near:
        return "open", "no request was sent that it matches"
    sent = f"{len(decided)} {'matches' if len(decided) == 1 else 'match'}"
    sent += f", {len(near)} just {'misses' if len(near) == 1 else 'miss'}" if near else ""
    if wrong:
        return "wrong", f"{wrong} not proven: {sent}"
    return "proven" if decided else "open", f"proven: {sent}"
