"""The head of the ticket: the decision, the statements, and what the run was about. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.report.change import change_sentence
from auditproof.report.html.fitting import clipped, lines_of
from auditproof.report.html.heading import heading
from auditproof.report.statements import decision, told_statements

if TYPE_CHECKING:
    from auditproof.report.model import Report

DECISION = 360  # characters of the decision; details.html has all of it
STATEMENT = 280  # of a statement
NAME = 90  # of a name of a person or a ticket
_NAMES = {
    "faithful": "Server",
    "requirements": "Requirements",
    "change": "Change",
    "detections": "Detections",
}
_CLUSTERS = {
    "embedded": "API servers of this run (embedded)",
    "kind": "a kind cluster of this run",
    "existing": "an existing cluster",
    "none: recorded events": "no cluster, only recorded events",
}


@dataclass(frozen=True, slots=True)
class Head:
    """What is above everything else on the page; ``running`` are the texts in the margins of every printed page."""

    decision: dict[str, str]
    statements: tuple[tuple[str, str, str], ...]
    named: dict[str, str]
    cluster: str
    running: tuple[str, str]
    height: float


def head_of(report: Report) -> Head:
    """The head of the report's ticket."""
    told = _statements(report)
    ticket = report.ticket
    named = {name: clipped(getattr(ticket, name), NAME) for name in ("number", "title", "author", "reviewer")}
    shown = [named[name] for name in ("number", "title") if named[name]]
    running = clipped(" · ".join(shown if named["number"] else ["no ticket number", *shown]), 70)
    cluster = _CLUSTERS.get(report.cluster.provider, report.cluster.provider)
    kubernetes = f"{report.cluster.kubernetes}, {cluster}" if report.cluster.kubernetes else cluster
    commit = "with changes that are not committed, of a commit" if report.policy.modified else ""
    policies = [f"{report.policy.path} {commit}", report.change.old.path if report.change else ""]
    facts = [*policies, kubernetes, named["number"], named["author"], named["reviewer"]]
    decided = heading(decision(report), DECISION)
    # Facts are in two columns.
    sentence = decided["sentence"]
    statements = sum(lines_of(f"{word} {text}", 50) for _, word, text in told)
    # The end of a path says more than its beginning.
    return Head(
        decision=decided,
        statements=told,
        named=named,
        cluster=kubernetes,
        running=(running, report.policy.path if len(report.policy.path) <= 60 else f"…{report.policy.path[-59:]}"),
        height=(
            1.5 * lines_of(f"UNPROVEN {sentence}", 41, bold=True)
            + statements
            + sum(lines_of(text, 22) for text in facts) / 2
            + 4
        )
        + lines_of(" ".join(["auditproof: audit policy change", *shown]), 56),
    )


def _statements(report: Report) -> tuple[tuple[str, str, str], ...]:
    """The statements behind the decision, each with what it is about and its word.

    Without a base, the decision says what the first two say.
    """
    rows = [(_NAMES[name], one.word, clipped(one.sentence, STATEMENT)) for name, one in told_statements(report)]
    if report.gate:
        return tuple(rows)
    change = change_sentence(report)
    about = [("Change", "", clipped(change, STATEMENT))] if change else []
    return (*about, *(row for row in rows if row[0] == _NAMES["detections"]))
