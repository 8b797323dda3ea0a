"""The end of a run on a terminal: no more lines than a screen holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.proof.verdict import Outcome
from auditproof.report.backends import backends_line
from auditproof.report.ci.troubles import troubles
from auditproof.report.detections.fired import unfired_lines
from auditproof.report.entries import acknowledged_lines, entry_remarks
from auditproof.report.faithful import differing_text, judged_by_given, nothing_shown
from auditproof.report.headline import COUNTS
from auditproof.report.log_lines import counted, log_lines
from auditproof.report.reconciliation import counting_lines
from auditproof.report.reference import reference_lines
from auditproof.report.statements import decision, statements, told_statements

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

    from auditproof.report.model import Report, Summary

TOLD = 10  # so that a screen of 24 lines holds them, the statements and the counts
ENTRIES = 3  # of the file of acknowledged changes
NOTHING = "nothing was shown: everything was skipped or is not supported here"
_ACTIONS = ("planned", "performed")  # nothing is performed where a log is judged
_ALWAYS, _LOUD = ("planned", "performed", "proven"), ("violated", "unproven")


def decision_lines(report: Report) -> list[str]:
    """The decision, then the statements behind it; without a base, the decision says it all."""
    lines = [decision(report).sentence]
    if report.gate:
        lines += [f"{name}: {one.word}. {one.sentence}" for name, one in told_statements(report)]
    elif told := statements(report).detections:
        lines.append(f"detections: {told.word}. {told.sentence}")
    return lines


def closing_lines(report: Report, seconds: float) -> list[str]:
    """The worst of what keeps the run from passing, what someone has acknowledged, the counts, and how it ended."""
    wrong = list(_wrong(report))
    if len(wrong) > TOLD or report.not_performed:  # all of these have one reason
        wrong = list(_alike(wrong))
    else:
        wrong = list(_alike(wrong, apart={proof.id for proof in report.proofs if proof.audit_id}))
    lines = [f"{place}: {reason}" for place, reason in wrong[:TOLD]]
    lines += [f"... and {len(wrong) - TOLD} more reasons"] if len(wrong) > TOLD else []
    lines += _first([*acknowledged_lines(report)])
    lines += _first([*entry_remarks(report)])
    lines += _first(unfired_lines(report))
    lines += _first([*_unfailing(report)])
    lines += [f"the run {report.ended}"] if report.ended else []
    lines += [NOTHING] if nothing_shown(report) else []
    lines += log_lines(report)
    lines += _sums(report, f" in {seconds:.0f} s")
    lines += version_lines(report)
    return [*lines, *counting_lines(report), *reference_lines(report)]


def _unfailing(report: Report) -> Iterator[str]:
    """The cases of a sabotage run that the broken policy does not break."""
    for proof in report.proofs if report.sabotage else ():
        if proof.verdict is Outcome.PROVEN:
            yield f"cannot fail: {proof.id}: PROVEN although its policy is broken on purpose"


def _first(lines: Sequence[str]) -> list[str]:
    return [*lines[:ENTRIES], *([f"... and {len(lines) - ENTRIES} more"] if len(lines) > ENTRIES else [])]


def _sums(report: Report, lasted: str) -> Iterator[str]:
    """The counts; a run that only tests backends has no actions but theirs."""
    summary, backends = report.summary, backends_line(report)
    if log := report.log:
        what = (
            f"{counted(log.requests, 'request')} of {counted(log.kinds, 'kind')} in {counted(len(log.files), 'file')}"
        )
        shown = [
            f"{getattr(summary, key)} {text.upper() if key in _LOUD else text}"
            for key, text in COUNTS.items()
            if getattr(summary, key) and key not in _ACTIONS
        ]
        yield f"{report.policy.path}: {what}: {', '.join(shown) or 'nothing proven'}{lasted}"
        return
    if summary.planned or not backends:
        own = judged_by_given(report) or not report.proofs
        judge = report.policy.path if own else f"policies of the cases' own, not {report.policy.path}"
        yield f"{judge}: {_counts(summary)}{lasted}"
    if backends:
        yield backends if summary.planned else backends + lasted


def _counts(summary: Summary) -> str:
    return ", ".join(
        f"{getattr(summary, key)} {text.upper() if key in _LOUD else text}"
        for key, text in COUNTS.items()
        if getattr(summary, key) or key in _ALWAYS
    )


def version_lines(report: Report) -> Iterator[str]:
    """The counts of each Kubernetes version, and how many cases differ; nothing in a run on one version."""
    for one in report.versions:
        yield f"Kubernetes {one.kubernetes}: {_counts(one.summary)}"
    if report.versions and differing_text(report):
        yield f"{differing_text(report)} between these versions"


def _wrong(report: Report) -> Iterator[tuple[str, str]]:
    """What keeps the run from passing, worst first: verdict, place and id; and the first reason."""
    for trouble in troubles(report):
        yield f"{trouble.verdict} {trouble.path}:{trouble.line}: {trouble.id}", trouble.text.partition("\n")[0]


def _alike(wrong: list[tuple[str, str]], apart: Container[str] = ()) -> Iterator[tuple[str, str]]:
    """The first of those that have the same verdict for the same reason, and how many there are.

    Each of the ids ``apart`` stays by itself: what was performed is worth a line, unlike what a set-up error prevented.
    """
    found: dict[tuple[str, ...], list[str]] = {}
    for place, reason in wrong:
        verdict, _, name = place.partition(" ")[0], *place.rpartition(": ")[1:]
        found.setdefault((reason, verdict, name if name in apart else ""), []).append(place)
    for (reason, *_), places in found.items():
        yield places[0] + (f", and {len(places) - 1} more" if len(places) > 1 else ""), reason
