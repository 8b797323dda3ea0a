"""What the parts of a report have in common: its counts, its exit code, its time, and the order of its proofs."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING

from auditproof.audit.event import Level
from auditproof.proof.verdict import Outcome
from auditproof.report.backends import backend_troubles
from auditproof.report.faithful import faithful_word, nothing_shown
from auditproof.report.statements import FAIL, decision, statements

if TYPE_CHECKING:
    from collections.abc import Iterable

    from auditproof.report.model import ProofRecord, Report


COUNTS = {
    "planned": "planned",
    "performed": "performed",
    "proven": "proven",
    "violated": "violated",
    "unproven": "unproven",
    "not_supported": "not supported",
}  # the fields of Summary, in words


class ShownAmount(Enum):
    """How much of what was planned a run has shown: what its exit code says."""

    ALL = "all"
    NOT_ALL = "not all"
    NOTHING = "nothing"  # everything was left out on purpose, and nothing is wrong


def run_outcome(report: Report) -> ShownAmount:
    """Whether a run may pass: only if its decision says so."""
    decided = decision(report)
    if decided.passes:
        return ShownAmount.ALL
    return ShownAmount.NOTHING if nothing_shown(report) and decided.word != FAIL else ShownAmount.NOT_ALL


def why_not_performed(report: Report) -> str:
    """Why something that was planned has no record of its own."""
    return "not run: " + (f"the run {report.ended}" if report.ended else "no result was reported")


RUN = "auditproof::run"  # the id of what is wrong with a run as a whole


def only_the_run(report: Report) -> Outcome | None:
    """The verdict of the run if no action, test or requirement has that verdict, but something about all of them.

    For example, the counters do not match the log, nothing was shown about one of several versions, or about the
    policy of a change. None otherwise, and where everything was left out on purpose.
    """
    word = faithful_word(report)
    tests = report.backends.tests if report.backends else ()
    if nothing_shown(report) or not (report.summary.planned or tests or report.ended):
        return None
    if not word.is_trouble:
        told = statements(report)
        fed = told.detections is None or told.detections.passes
        alone = told.requirements.passes and told.change.passes and fed and not decision(report).passes
        return Outcome.UNPROVEN if alone else None
    unreached = [*report.not_performed, *(report.backends.not_performed if report.backends else ())]
    verdicts = {proof.verdict for proof in report.proofs} | {test.verdict for test in backend_troubles(report)}
    return None if word in (verdicts | ({Outcome.UNPROVEN} if unreached else set())) else word


def run_time(report: Report) -> str:
    """When the run was made, for people: the day, both times of it in UTC, and how long that is."""
    try:
        started, finished = map(datetime.fromisoformat, (report.started, report.finished))
        seconds = round((finished - started).total_seconds())
    except (ValueError, TypeError):  # of a results.json that does not say, or says the zone of one of them only
        return f"{report.started} to {report.finished}" if report.started else "at an unknown time"
    end = f"{finished:%H:%M:%S}" if started.date() == finished.date() else f"{finished.day} {finished:%B %Y, %H:%M:%S}"
    long = f"{seconds // 60} min {seconds % 60} s" if seconds >= 60 else f"{seconds} s"
    return f"{started.day} {started:%B %Y, %H:%M:%S} to {end} UTC ({long})"


def worst_first(proofs: Iterable[ProofRecord]) -> list[ProofRecord]:
    """By verdict, then by how much is missing from the log."""
    return sorted(proofs, key=lambda proof: (proof.verdict.rank, _missing(proof), proof.id))


def _missing(proof: ProofRecord) -> tuple[int, int]:
    """How bad a violation is: first what is not recorded at all, then what lacks most, then what is recorded too much.

    An action that was not performed counts as one that differs in nothing.
    """
    levels = list(Level)
    expected = levels.index(proof.expected.level)
    observed = levels.index(proof.observed.level or proof.expected.level)
    lost = expected > observed == 0
    return (0 if lost else 1, observed - expected)
