"""The account of a batch of actions: what became of the events of each one. Pure.

Every action is one of three: *recorded* (all its events are in the log), *lost* (an event is missing and will certainly
never arrive), *unproven* (an event is missing and may still arrive). They add up to the performed actions.

The server's counters make a loss certain: every event that it has emitted (apiserver_audit_event_total) is a line, or
was counted as an error (apiserver_audit_error_total); source: staging/src/k8s.io/apiserver/pkg/audit/metrics.go. If
both sides agree, no event is on its way, and the missing ones are among the errors. A server that has exited can send
nothing more either.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from auditproof.audit.event import Stage
from auditproof.proof.verdict import decided_stages, is_refused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from auditproof.auditlog.metrics import AuditMetrics
    from auditproof.proof.verdict import Evidence


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of ``performed`` actions: ``recorded`` + ``lost`` + ``unproven``, always.

    ``refused`` of them were not served, because they could not be recorded (mode blocking-strict). ``events`` and
    ``errors`` (by plugin) are the server's counters since its start, ``lines`` the lines that the reader found; None if
    unknown. ``answers`` counts HTTP statuses, 0 for no response; ``slowest`` is in seconds. ``why`` says what makes the
    loss certain, or why others are not proven.
    """

    performed: int
    recorded: int
    lost: int
    unproven: int
    refused: int
    events: int | None
    errors: Mapping[str, int]
    lines: int | None
    answers: Mapping[str, int]
    slowest: float
    why: str = ""
    doubts: tuple[str, ...] = field(default=())

    @property
    def written_off(self) -> int:
        """The events that the server counts as lost, in all plugins."""
        return sum(self.errors.values())

    def text(self) -> str:
        """The three numbers, in words."""
        refused = f" ({self.refused} refused)" if self.refused else ""
        parts = f"{self.recorded} recorded, {self.lost} lost, {self.unproven} unproven"
        return f"{parts} of {self.performed} actions{refused}"

    def record(self) -> dict[str, Any]:
        """The record in results.json."""
        return {
            "performed": self.performed,
            "recorded": self.recorded,
            "lost": self.lost,
            "unproven": self.unproven,
            "refused": self.refused,
            "events": self.events,
            "errors": dict(self.errors),
            "lines": self.lines,
            "answers": dict(self.answers),
            "slowestSeconds": round(self.slowest, 4),
            "why": self.why,
        }


def account_of(
    evidence: Sequence[Evidence],
    counters: AuditMetrics | None,
    lines: int | None,
    *,
    ended: str = "",
    other: str = "",
) -> Delivery:
    """Account for every action of a batch.

    ``counters`` are the server's after the last action, None if they cannot be read; ``lines`` are all lines of the
    log, None if it cannot be read to its end. ``ended`` says that the server has exited, which makes the log final.
    ``other`` is the plugin of another backend, whose losses do not count here. The server must record no other events
    that the reader does not see.
    """
    refused = [one for one in evidence if is_refused(one.exchange)]
    complete = [one for one in evidence if not missing_stages(one)]
    certain, why = _certainty(counters, lines, ended, other)
    missing = len(evidence) - len(complete)
    doubts = tuple(dict.fromkeys(doubt for one in evidence for doubt in one.doubts))
    return Delivery(
        performed=len(evidence),
        recorded=len(complete),
        lost=missing if certain else 0,
        unproven=0 if certain else missing,
        refused=len(refused),
        events=counters.events if counters else None,
        errors={plugin: count for plugin, count in counters.lost_by.items() if count} if counters else {},
        lines=lines,
        answers=dict(sorted(Counter(str(one.exchange.status) for one in evidence).items())),
        slowest=max(((one.exchange.finished - one.exchange.started).total_seconds() for one in evidence), default=0.0),
        why=why if missing else "",
        doubts=doubts,
    )


def missing_stages(evidence: Evidence) -> frozenset[Stage]:
    """The stages at which an event of this action is missing."""
    if is_refused(evidence.exchange):
        return frozenset({Stage.REQUEST_RECEIVED}) - evidence.stages
    return decided_stages(evidence) - evidence.stages


def _certainty(counters: AuditMetrics | None, lines: int | None, ended: str, other: str) -> tuple[bool, str]:
    """Whether the missing events are certainly lost, and what shows it."""
    if lines is None:
        return False, "the log cannot be read to its end"
    # A server that has exited needs no counters to make the log final.
    if ended:
        return True, f"{ended}: no more events can arrive"
    if counters is None:
        return False, "the server's counters cannot be read"
    lost = counters.lost - counters.lost_by.get(other, 0)
    sums = f"{counters.events} events counted, {lost} written off, {lines} lines"
    if counters.events - lost == lines:
        return True, f"{sums}: nothing is on its way"
    return False, f"{sums}: the missing events may still arrive, or their loss was not counted"
