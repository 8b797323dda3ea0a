"""How it was proven: what was sent for which purpose, and what that shows, for a reader who sees it for the first time.

Pure.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.report.log_lines import counted
from auditproof.report.model import ReferenceState
from auditproof.report.reference import reference_remarks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.proof.verdict import Outcome
    from auditproof.report.model import ProofRecord, Report

_PURPOSES = {
    "rules": "Requests made from this policy's rules: some that each rule matches, some that just miss it",
    "change": "Requests that the old and the new policy record differently, sent to a server with each",
    "requirements": "Requests that the requirements are about",
    "actions": "Standard actions (such as kubectl exec or reading a secret) and your own cases, with this policy",
    "log": "Kinds of requests found in the log",
    "reference": "Self-check: built-in suites with policies of their own; they say nothing about this policy",
}


@dataclass(frozen=True, slots=True)
class Purpose:
    """Why some requests were sent, and their verdicts."""

    text: str
    counts: Counter[Outcome]

    @property
    def total(self) -> int:
        """How many were planned and have a result."""
        return self.counts.total()


def purposes(report: Report) -> list[Purpose]:
    """The proofs by purpose, each counted once; purposes without any are left out."""
    found: dict[str, Counter[Outcome]] = {name: Counter() for name in _PURPOSES}
    known = dict(_named(report))
    for proof in report.proofs:
        found[known.get(proof.id) or _purpose(proof, report)][proof.verdict] += 1
    return [Purpose(text, found[name]) for name, text in _PURPOSES.items() if found[name]]


def _named(report: Report) -> Iterator[tuple[str, str]]:
    """Ids of generated proofs with their purpose."""
    for rule in report.coverage.rules if report.coverage else ():
        yield from ((name, "rules") for name in (*rule.witnesses, *rule.near_misses))
    for record in report.requirements:
        yield from ((name, "requirements") for name in record.proofs)
    for row in report.change.changes if report.change else ():
        yield from ((name, "change") for name in (row.proofs.old, row.proofs.new) if name)


def _purpose(proof: ProofRecord, report: Report) -> str:
    if report.log:
        return "log"
    return "actions" if proof.policy.sha256 == report.policy.sha256 else "reference"


def method(report: Report) -> list[str]:
    """How it was proven, in a few sentences for a reader who has never seen such a report."""
    if report.log:
        return [
            "No request was sent. Every request in the files was compared with what the policy decides about it.",
            "A request that was not recorded leaves nothing to compare.",
        ]
    if not report.proofs and report.backends:
        return ["This run tested the audit backends. It says nothing about the rules of the policy."]
    if not report.summary.performed:
        return ["No request was sent. This run says nothing about the policy."]
    servers = f"{counted(len(report.counting), 'API server')}" if report.counting else "an API server"
    return [
        (
            f"auditproof sent {number(report.summary.performed)} requests to {servers} and read the audit logs. "
            "For each request it computed from the policy which events there must be, and compared level, stages, "
            "bodies and every other field with the events in the log."
        ),
        (
            "An event counts as missing only after the event of a later request was read back from the log (a fence): "
            "then it is absent, and not just late."
        ),
        *([text] if (text := cross_check(report)) else []),
        *reference_remarks(report, ReferenceState.ATTESTED),
    ]


def cross_check(report: Report) -> str:
    """What the servers' own counters say, in a sentence; empty where nothing was counted."""
    entries = report.counting
    wrong = [entry for entry in entries if not entry.holds]
    if wrong:
        return f"The counters of {counted(len(wrong), 'API server')} do not confirm the log: {wrong[0].reason}."
    events = sum(entry.lines for entry in entries)
    servers = "the API server" if len(entries) == 1 else f"the {len(entries)} API servers"
    check = f"As a cross-check, {servers} counted {number(events)} events, and the logs hold exactly as many."
    return check if entries else ""


def limits(report: Report) -> list[str]:
    """What this run does not show, in sentences."""
    return list(_limits(report))


def _limits(report: Report) -> Iterator[str]:
    summary = report.summary
    if report.sabotage:
        yield "The servers ran policies that were broken on purpose: violations are expected."
    if report.not_performed:
        yield f"{counted(len(report.not_performed), 'planned action')} had no result."
    if summary.not_supported:
        be = "action was" if summary.not_supported == 1 else "actions were"
        yield f"{number(summary.not_supported)} {be} not possible on this cluster, and left out."
    if report.deselected:
        be = "action was" if report.deselected == 1 else "actions were"
        yield f"{number(report.deselected)} {be} left out by the options of this run."
    yield from reference_remarks(report, ReferenceState.LEFT_OUT)
    if report.coverage and report.coverage.unperformed:
        kinds = "1 kind" if len(report.coverage.unperformed) == 1 else f"{len(report.coverage.unperformed)} kinds"
        yield f"{kinds} of requests can be sent by no client, and were only computed."
    if report.log:
        yield from report.log.not_seen


def number(amount: int) -> str:
    """A number for people: ``1 709`` with a narrow space that does not break."""
    return f"{amount:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
