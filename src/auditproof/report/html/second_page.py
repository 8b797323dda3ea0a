"""The second page of the ticket: the rules, and how it was proven. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from auditproof.proof.verdict import Outcome
from auditproof.report.html.fitting import HEAD, fitting, lines_of
from auditproof.report.html.method import limits, method, purposes
from auditproof.report.html.rules import RuleProven, rules_proven
from auditproof.report.policy_lines import policy_lines

if TYPE_CHECKING:
    from auditproof.report.html.fitting import Part
    from auditproof.report.html.method import Purpose
    from auditproof.report.model import BackendTest, Report
    from auditproof.report.policy_lines import PolicyLine

WIDTH = 60.5  # em of a printed line
CONDITIONS, SHOWN = 27.5, 18.4  # of a line in a column of the table of rules
COLUMN = 66  # letters of a line in one of the two columns of the policy's text
SMALL = 0.725  # a line of that text in lines of the page


@dataclass(frozen=True, slots=True)
class SecondPage:
    """What is on the page; ``policy`` are the lines of the policy that mean anything, if all fit."""

    rules: Part[Any]
    all_rules: int
    backends: Part[Any]
    method: list[str]
    purposes: list[Purpose]
    verdicts: list[Outcome]
    limits: list[str]
    policy: list[PolicyLine]


def second_page(report: Report, lines: float) -> SecondPage:
    """As much as fits into ``lines``."""
    sent, texts, open_ends = purposes(report), method(report), limits(report)
    versions = len(report.versions) * 1.4 + 4 if report.versions else 0
    left = lines - 12.8 - sum(lines_of(text, WIDTH) for text in (*texts, *open_ends)) - 1.2 * len(sent) - versions
    rules = rules_proven(report)
    tests = sorted(
        report.backends.tests if report.backends else (), key=lambda test: (test.verdict.rank, test.suite, test.line)
    )
    parts: dict[str, list[Any]] = {"rules": rules, "tests": tests}
    shown = fitting(left, parts, _height, head=6)
    used = sum(part.lines(_height, head=6) for part in shown.values())
    return SecondPage(
        rules=shown["rules"],
        all_rules=len(rules),
        backends=shown["tests"],
        method=texts,
        purposes=sent,
        verdicts=[verdict for verdict in reversed(Outcome) if any(purpose.counts[verdict] for purpose in sent)],
        limits=open_ends,
        policy=_text(report, left - used - HEAD),
    )


def _height(row: RuleProven | BackendTest) -> float:
    if isinstance(row, RuleProven):
        return max(lines_of(row.conditions, CONDITIONS), lines_of(row.shown, SHOWN)) * 0.95 + 0.25
    return lines_of(row.title, WIDTH - 32) + 0.4


def _text(report: Report, lines: float) -> list[PolicyLine]:
    """The policy without comments and blank lines, if two columns of it fit."""
    found = [line for line in policy_lines(report) if line.text.strip() and not line.text.lstrip().startswith("#")]
    height = sum(-(-(len(line.text) + 5) // COLUMN) for line in found) / 2 + 1
    return found if height * SMALL <= lines else []
