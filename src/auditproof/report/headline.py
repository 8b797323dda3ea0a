"""The verdict of a whole run, in a word and in a sentence that says no more than was shown."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING

from auditproof.audit.event import Level
from auditproof.proof.verdict import Outcome
from auditproof.report.backends import backend_troubles, backends_line
from auditproof.report.change import change_is_shown
from auditproof.report.log_lines import counted
from auditproof.report.reconciliation import miscounted
from auditproof.report.rule_coverage import unmet_requirements

if TYPE_CHECKING:
    from collections.abc import Iterable

    from auditproof.report.model import BackendTest, LogRecord, ProofRecord, Report


COUNTS = {
    "planned": "planned",
    "performed": "performed",
    "proven": "proven",
    "violated": "violated",
    "unproven": "unproven",
    "not_supported": "not supported",
}  # the fields of Summary, in words


class Shown(Enum):
    """How much of what was planned a run has shown: what its exit code says."""

    ALL = "all"
    NOT_ALL = "not all"
    NOTHING = "nothing"  # everything was left out on purpose, and nothing is wrong


def run_outcome(report: Report) -> Shown:
    """Whether a run may pass: only where its headline says PROVEN."""
    if verdict_word(report) is Outcome.PROVEN:
        return Shown.ALL
    return Shown.NOTHING if nothing_shown(report) else Shown.NOT_ALL


def nothing_shown(report: Report) -> bool:
    """Whether everything that was planned was left out on purpose: not supported here, or skipped."""
    planned: list[ProofRecord | BackendTest] = [*report.proofs]
    open_ends = bool(report.not_performed or report.ended)
    if report.backends:
        planned += report.backends.tests
        open_ends = open_ends or bool(report.backends.not_performed)
    return bool(planned) and not open_ends and all(one.verdict is Outcome.NOT_SUPPORTED for one in planned)


def why_not_performed(report: Report) -> str:
    """Why something that was planned has no record of its own."""
    return "not run: " + (f"the run {report.ended}" if report.ended else "no result was reported")


def verdict_word(report: Report) -> Outcome:
    """The verdict of the whole run: PROVEN only where everything that was planned is."""
    summary, backends = report.summary, report.backends
    troubles = {test.verdict for test in backend_troubles(report)}
    if summary.violated or unmet_requirements(report) or Outcome.VIOLATED in troubles:
        return Outcome.VIOLATED
    if troubles or report.ended or (backends and backends.not_performed):
        return Outcome.UNPROVEN
    if backends and not summary.planned:
        shown = any(test.verdict is Outcome.PROVEN for test in backends.tests)
        return Outcome.PROVEN if shown else Outcome.UNPROVEN
    if summary.unproven or not summary.proven or miscounted(report) or versions_not_shown(report):
        return Outcome.UNPROVEN
    return Outcome.PROVEN


RUN = "auditproof::run"  # the id of what is wrong with a run as a whole


def only_the_run(report: Report) -> Outcome | None:
    """The verdict of the whole run if no action or test of it has that verdict, but something about all of them.

    For example, the counters do not match the log, or nothing was shown about one of several versions. None otherwise,
    and where everything was left out on purpose.
    """
    word = verdict_word(report)
    tests = report.backends.tests if report.backends else ()
    if not word.is_trouble or nothing_shown(report) or not (report.summary.planned or tests):
        return None
    unreached = [*report.not_performed, *(report.backends.not_performed if report.backends else ())]
    verdicts = {proof.verdict for proof in report.proofs} | {test.verdict for test in backend_troubles(report)}
    return None if word in (verdicts | ({Outcome.UNPROVEN} if unreached else set())) else word


def versions_not_shown(report: Report) -> list[str]:
    """The Kubernetes versions of the run about which nothing was shown, whatever was shown about others."""
    if not report.summary.planned:
        return []  # of tests of backends
    return [one.version for one in report.versions if one.summary.planned and not one.summary.proven]


def differing_text(report: Report) -> str:
    """How many cases have not the same result on all versions of the run; empty where nothing can be said."""
    count = len(report.differing)
    if not count and sum(1 for one in report.versions if one.summary.performed) < 2:
        return ""
    return "1 case differs" if count == 1 else f"{count or 'no'} cases differ"


def verdict_sentence(report: Report) -> str:
    """The verdict in a few sentences that say no more about the policy than its own actions show."""
    about = _sentence(report)
    if doubt := report.cluster.not_running:
        about = f"{doubt[0].upper()}{doubt[1:]}. {about}"
    if report.ended:
        about = f"The run {report.ended.partition(':')[0]}. {about}"
    if report.deselected:
        about += (
            " 1 more was not selected." if report.deselected == 1 else f" {report.deselected} more were not selected."
        )
    if report.versions:
        differs = f": {text}" if (text := differing_text(report)) else ""
        about += f" Kubernetes {', '.join(one.version for one in report.versions)}{differs}."
    if report.sabotage:
        return f"Sabotage run, on policies broken on purpose: {about}"
    return about


def _sentence(report: Report) -> str:
    summary, path = report.summary, report.policy.path
    planned, proven = summary.planned, summary.proven
    supported = f" ({summary.not_supported} not supported here)" if summary.not_supported else ""
    counts = f"{proven} of {planned} actions proven{supported}"
    if nothing_shown(report):
        return f"Nothing was shown: {_all_of(planned)} skipped or not supported here."
    if backend_troubles(report) or (report.backends and not planned):
        return f"{backends_line(report).capitalize()}."
    if report.log:
        return _of_a_log(report, report.log)
    if summary.violated:
        many = "1 action is" if summary.violated == 1 else f"{summary.violated} actions are"
        return f"{many} not recorded as expected: {counts}."
    if unmet := unmet_requirements(report):
        return f"The policy violates requirements ({', '.join(unmet)}): {counts}."
    if wrong := miscounted(report):
        return f"Inconclusive: {wrong[0].reason} ({wrong[0].policy}). {counts}."
    if summary.unproven or not proven:
        return f"{_inconclusive(planned - proven)}: {counts}."
    if silent := versions_not_shown(report):
        return f"Nothing was shown on Kubernetes {', '.join(silent)}: {counts}."
    own = sum(1 for proof in judged_by_given(report) if proof.verdict is Outcome.PROVEN)
    if not own:
        return f"{counts}, none of them judged by {path}: nothing is shown about that policy."
    if change_is_shown(report):
        return f"The change to {path} behaves as computed: {counts}, {own} of them judged by it."
    judged = "" if own == planned else f", {own} of them judged by {path}"
    return f"{counts}{judged}: the API server records what the policy says."


def _of_a_log(report: Report, log: LogRecord) -> str:
    """No action was performed: the sentence is about recorded requests only."""
    summary = report.summary
    what = f"{counted(log.requests, 'recorded request')} of {counted(log.kinds or summary.planned, 'kind')}"
    if wrong := summary.violated:
        some = "1 kind of recorded requests is" if wrong == 1 else f"{wrong} kinds of recorded requests are"
        return f"{some} not as {report.policy.path} decides: {what}."
    if unmet := unmet_requirements(report):
        return f"The policy violates requirements ({', '.join(unmet)}): {what}."
    if summary.unproven or not summary.proven:
        return f"Not all of this log can be judged: {what}, {summary.unproven} UNPROVEN."
    be = "is" if log.requests == 1 else "are all"
    return f"{what} {be} as {report.policy.path} decides. What is not recorded is not shown."


def _all_of(count: int) -> str:
    return "the only action was" if count == 1 else f"all {count} actions were" if count else "all tests were"


def _inconclusive(count: int) -> str:
    return "1 action was inconclusive" if count == 1 else f"{count} actions were inconclusive"


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


def judged_by_given(report: Report) -> list[ProofRecord]:
    """The proofs that are judged by the policy that the run was given."""
    digest = report.policy.sha256
    return [proof for proof in report.proofs if proof.policy.sha256 == digest]


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
