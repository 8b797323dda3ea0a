"""The second page of the ticket: the rules, and how it was proven. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.proof.verdict import Outcome
from auditproof.report.html.fitting import HEAD, fitting, lines_of
from auditproof.report.html.method import limits, method, purposes
from auditproof.report.html.rules import rules_proven
from auditproof.report.policy_lines import policy_lines

if TYPE_CHECKING:
    from auditproof.report.html.fitting import Part
    from auditproof.report.html.method import Purpose
    from auditproof.report.html.rules import RuleProven
    from auditproof.report.model import Report
    from auditproof.report.policy_lines import PolicyLine

WIDTH = 60.5  # em of a printed line
CONDITIONS, SHOWN = 27.5, 18.4  # of a line in a column of the table of rules
COLUMN = 66  # letters of a line in one of the two columns of the policy's text
RULES_HEAD = 6  # lines of the heading of the rules, their legend and the head of their table
SMALL = 0.725  # a line of that text in lines of the page


@dataclass(frozen=True, slots=True)
class SecondPage:
    """What is on the page; ``policy`` are the lines of the policy that mean anything, if all fit."""

    rules: Part[RuleProven]
    all_rules: int
    method: list[str]
    purposes: list[Purpose]
    verdicts: list[Outcome]
    limits: list[str]
    policy: list[PolicyLine]


def second_page(report: Report, lines: float) -> SecondPage:
    """As much as fits into ``lines``."""
    sent, texts, open_ends = purposes(report), method(report), limits(report)
    versions = len(report.versions) * 1.2 + 4 if report.versions else 0
    load = len(report.backends.load) * 1.2 + 5 if report.backends and report.backends.load else 0
    left = (
        lines - 12.8 - sum(lines_of(text, WIDTH) for text in (*texts, *open_ends)) - 1.2 * len(sent) - versions - load
    )
    rules = [] if report.backends and not report.proofs else rules_proven(report)
    shown = fitting(left, {"rules": rules}, _height, head=RULES_HEAD)["rules"]
    return SecondPage(
        rules=shown,
        all_rules=len(rules),
        method=texts,
        purposes=sent,
        verdicts=[verdict for verdict in reversed(Outcome) if any(purpose.counts[verdict] for purpose in sent)],
        limits=open_ends,
        policy=_text(report, left - shown.lines(_height, head=RULES_HEAD) - HEAD),
    )


def _height(rule: RuleProven) -> float:
    return max(lines_of(rule.conditions, CONDITIONS), lines_of(rule.shown, SHOWN)) * 0.95 + 0.25


def _text(report: Report, lines: float) -> list[PolicyLine]:
    """The policy without comments and blank lines, if two columns of it fit."""
    found = [line for line in policy_lines(report) if line.text.strip() and not line.text.lstrip().startswith("#")]
    height = sum(-(-(len(line.text) + 5) // COLUMN) for line in found) / 2 + 1
    return found if height * SMALL <= lines else []
