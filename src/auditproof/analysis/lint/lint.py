"""Runs all checks, then applies the suppression comments of the policy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from auditproof.analysis.lint import contradictions as fitting
from auditproof.analysis.lint import dead_entries as entries
from auditproof.analysis.lint import dead_resources as patterns
from auditproof.analysis.lint import dead_values as values
from auditproof.analysis.lint import ignored_keys as keys
from auditproof.analysis.lint import leaked_bodies as bodies
from auditproof.analysis.lint import missed_requests as gaps
from auditproof.analysis.lint import redundant_rules as redundant
from auditproof.analysis.lint import suppressions as comments
from auditproof.analysis.lint import unreachable_rules as rules
from auditproof.analysis.lint import version_differences as versions
from auditproof.analysis.lint.context import Subject
from auditproof.analysis.lint.finding import Finding, Ignored

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditproof.audit.policy.load import Policy, PolicyRule
    from auditproof.errors import PolicyRefused, Position
    from auditproof.kube.discovery import Served


@dataclass(frozen=True, slots=True)
class Examination:
    """The findings of one policy in file order, and those that its comments suppress."""

    findings: tuple[Finding, ...]
    ignored: tuple[Ignored, ...] = ()


def lint(policy: Policy, served: Served) -> tuple[Finding, ...]:
    """Find what is wrong with ``policy`` on an API server that serves ``served``; in file order.

    Findings that a comment in the policy suppresses are left out. The checks are exact: a rule that is called
    unreachable is matched by no request.

    >>> from auditproof import lint, load_policy, load_served
    >>> lint(load_policy("fixtures/policies/baseline.yaml"), load_served("1.37"))
    ()
    """
    return examine(policy, served).findings


def examine(policy: Policy, served: Served) -> Examination:
    """As ``lint``, and the findings that comments in the policy suppress."""
    subject = Subject(policy, served)
    found = [*keys.check(subject)]
    explained = set()
    for rule in policy.rules:
        conditions, dead = _conditions(subject, rule)
        found += conditions
        if dead:
            explained.add(rule.index)
    told = {finding.position for finding in found}
    found += [
        *rules.check(subject, explained),
        *entries.check(subject, told),
        *redundant.check(subject),
        *gaps.check(subject),
        *bodies.check(subject),
        *versions.check(subject),
    ]
    left, ignored = comments.apply(policy, found)
    return Examination(tuple(sorted(left, key=_place)), ignored)


def on_all(examinations: Mapping[str, Examination]) -> Examination:
    """What was found on several Kubernetes versions, by the version, as one: each finding once.

    A finding that is not about all versions says which. The order is that of ``examine``.
    """
    found: dict[tuple[str, Position, str], list[tuple[str, Finding]]] = {}
    for version, examination in examinations.items():
        for finding in examination.findings:
            found.setdefault((finding.code, finding.position, finding.message), []).append((version, finding))
    merged = []
    for alike in found.values():
        versions, finding = tuple(dict.fromkeys(version for version, _ in alike)), alike[-1][1]
        if len(versions) < len(examinations):
            message = f"{finding.message} (Kubernetes {', '.join(versions)} only)"
            finding = replace(finding, message=message, kubernetes=versions)
        merged.append(finding)
    ignored = {(one.finding.code, one.finding.position): one for each in examinations.values() for one in each.ignored}
    return Examination(tuple(sorted(merged, key=_place)), tuple(ignored.values()))


def _place(finding: Finding) -> tuple[int, int, str]:
    return finding.position.line, finding.position.column, finding.code


def _conditions(subject: Subject, rule: PolicyRule) -> tuple[list[Finding], bool]:
    """The findings about the rule's conditions, and whether they keep the rule from matching anything."""
    single, targets = [*values.check(subject, rule)], [*patterns.check(subject, rule)]
    findings = [finding for finding, _, _ in single] + [finding for finding, _, _ in targets]
    dead = {(number, pattern) for finding, number, pattern in targets if finding.code not in _HARMLESS}
    left = fitting.cleaned(rule, {(field, value) for _, field, value in single}, dead)
    if left is None:
        return findings, True
    unfit = fitting.check(subject, left)
    return [*findings, *unfit], bool(unfit) and not subject.answers(left)


_HARMLESS = {"AP602"}  # served by this version


def refused(error: PolicyRefused) -> Examination:
    """The findings about a policy that the API server refuses, one per problem."""
    advice = "Fix this first; the other checks run once the API server accepts the policy."
    return Examination(tuple(Finding("AP001", p.position, p.message, advice) for p in error.problems))
