"""The decision about a run, and the statements behind it: the one truth that every output shows. Pure.

Faithful: the server recorded what the policy decides. Requirements: the policy meets them, and that was shown. Change:
nothing forbidden happens that nobody has acknowledged. Detections: the change blinds no rule. They are never mixed, and
a run passes only if all of them do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.proof.verdict import Outcome
from auditproof.report.detections.statement import detections, detections_clause
from auditproof.report.faithful import capital, faithful, faithful_clause, judged_by_given, nothing_shown, remarks
from auditproof.report.gate import change, change_clause
from auditproof.report.model import Decision, Statement, Statements
from auditproof.report.requirement_states import State, requirement_states, requirements, requirements_clause

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from auditproof.report.model import Report
    from auditproof.report.requirement_states import RequirementState

__all__ = [
    "FAIL",
    "PASS",
    "UNPROVEN",
    "Decision",
    "Statement",
    "Statements",
    "decision",
    "statements",
    "told_statements",
]

PASS, FAIL, UNPROVEN = "PASS", "FAIL", "UNPROVEN"


def statements(report: Report) -> Statements:
    """The statements of a report, whichever version of auditproof wrote it."""
    return Statements(
        faithful=faithful(report),
        requirements=requirements(report),
        change=change(report),
        detections=detections(report) if report.detections else None,
    )


def told_statements(report: Report) -> list[tuple[str, Statement]]:
    """The statements that say something, each with what it is about."""
    told = statements(report)
    rows = [("faithful", told.faithful), ("requirements", told.requirements), ("change", told.change)]
    found: list[tuple[str, Statement]] = [row for row in rows if row[1].word != "NONE"]
    return [*found, *([("detections", told.detections)] if told.detections else [])]


def decision(report: Report) -> Decision:
    """Whether a run passes, in one sentence; with a base, whether the change may go in.

    The word is FAIL if something is wrong for certain, UNPROVEN if something that is needed was not shown.
    """
    told, states = statements(report), requirement_states(report)  # once: each takes a look at every proof
    unmet = any(one.fails and one.state is State.UNMET for one in states)
    blind = told.detections is not None and not told.detections.passes
    if told.faithful.word == Outcome.VIOLATED or unmet or not told.change.passes or blind:
        word = FAIL
    elif not told.faithful.passes or not told.requirements.passes or (report.gate and not judged_by_given(report)):
        word = UNPROVEN
    else:
        word = PASS
    begin = "Sabotage run, on policies broken on purpose: " if report.sabotage else ""
    about = _about_the_change(report, word, told, states) if report.gate else _about_the_policy(report, told, states)
    return Decision(passes=word == PASS, word=word, sentence=" ".join([f"{begin}{about}.", *remarks(report)]))


def _about_the_policy(report: Report, told: Statements, states: Sequence[RequirementState]) -> str:
    """What was shown about the server, with its word, and about requirements; first what keeps the run from passing."""
    about, required = faithful_clause(report), requirements_clause(states, base=False)
    if not nothing_shown(report):
        about = f"{told.faithful.word}: {about}"
    clauses = [about, required]
    if told.faithful.passes and not told.requirements.passes:
        clauses.reverse()
    return capital("; ".join(filter(None, clauses)))


def _about_the_change(report: Report, word: str, told: Statements, states: Sequence[RequirementState]) -> str:
    begin = {
        PASS: "This change may go in",
        FAIL: "This change may not go in",
        UNPROVEN: "Nothing can be said",
    }[word]
    return f"{begin}: {'; '.join(_reasons(report, word, told, states))}"


def _reasons(report: Report, word: str, told: Statements, states: Sequence[RequirementState]) -> Iterator[str]:
    """Why: all that speaks for the change if it may go in; otherwise only what speaks against it."""
    server = word == PASS or not told.faithful.passes or not judged_by_given(report)
    if report.gate and (word == PASS or not told.change.passes):
        yield change_clause(report.gate)
    if told.detections and (word == PASS or not told.detections.passes):
        yield from filter(None, [detections_clause(report)])
    if server and word == UNPROVEN:  # it is why requirements are not shown
        yield faithful_clause(report)
    if states and (word == PASS or not told.requirements.passes):
        told_ones = states if word == PASS else [one for one in states if one.fails]
        yield requirements_clause(told_ones, base=True, total=len(states))
    if server and word != UNPROVEN:
        yield faithful_clause(report)
