"""The head of the ticket: the decision, the three statements, and what the run was about. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.report.change import change_sentence
from auditproof.report.html.fitting import clipped, lines_of
from auditproof.report.statements import decision, statements

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditproof.report.model import Report

STATEMENT = 330  # characters of one of the three statements
NAME = 90  # characters of a name of a person or a ticket
_CLUSTERS = {
    "embedded": "API servers of this run (embedded)",
    "kind": "a kind cluster of this run",
    "existing": "an existing cluster",
}


@dataclass(frozen=True, slots=True)
class Head:
    """What stands above everything else; ``running`` are the texts in the margins of every printed page."""

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
    facts = [report.policy.path, report.change.old.path if report.change else "", kubernetes, *named.values()]
    return Head(
        statements=told,
        named=named,
        cluster=kubernetes,
        running=(running, _end(report.policy.path, 60)),
        height=_height(decision(report).sentence, told, facts),
    )


def _statements(report: Report) -> tuple[tuple[str, str, str], ...]:
    """The three statements, each with what it is about and its word."""
    told = statements(report)
    change = told.change.sentence if report.gate or not report.change else change_sentence(report)
    return (
        ("Server", told.faithful.word, clipped(told.faithful.sentence, STATEMENT)),
        ("Requirements", _word(told.requirements.word), clipped(told.requirements.sentence, STATEMENT)),
        ("Change", _word(told.change.word), clipped(change, STATEMENT)),
    )


def _word(word: str) -> str:
    """The word of a statement; empty where there was nothing to state."""
    return "" if word == "NONE" else word


def _height(sentence: str, told: Sequence[tuple[str, str, str]], facts: Sequence[str]) -> float:
    """How many printed lines the head takes; facts are in two columns."""
    statements = sum(lines_of(f"{word} {text}", 94) for _, word, text in told)
    return 1.5 * lines_of(sentence, 72) + statements + sum(lines_of(text, 38) for text in facts) / 2 + 6


def _end(path: str, length: int) -> str:
    """The end of a path, which says more than its beginning."""
    return path if len(path) <= length else f"…{path[1 - length :]}"
