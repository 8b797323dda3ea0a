"""Whether the server recorded what the policies decide: one of the statements behind a decision. Pure.

It is about the server. A case may expect something else than the policy decides; if the server did as the policy says,
that is counted apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.proof.verdict import Outcome
from auditproof.report.backends import backend_troubles, backends_line
from auditproof.report.log_lines import counted
from auditproof.report.model import FaithfulStatement
from auditproof.report.reconciliation import miscounted
from auditproof.report.reference import reference_remarks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.report.model import BackendTest, LogRecord, ProofRecord, Report


def faithful(report: Report) -> FaithfulStatement:
    """The statement about the server: PROVEN only if everything that was planned is."""
    word, violated = faithful_word(report), _violated(report)
    return FaithfulStatement(
        word=word,
        passes=word is Outcome.PROVEN,
        sentence=" ".join([f"{capital(faithful_clause(report))}.", *remarks(report)]),
        server=sum(1 for proof in violated if not proof.contradicts),
        cases=sum(1 for proof in violated if proof.contradicts),
        unproven=report.summary.unproven,
    )


def faithful_word(report: Report) -> Outcome:
    """The verdict about the server: PROVEN only if everything that was planned is."""
    summary, backends = report.summary, report.backends
    troubles = {test.verdict for test in backend_troubles(report)}
    if summary.violated or Outcome.VIOLATED in troubles:
        return Outcome.VIOLATED
    if troubles or report.ended or (backends and backends.not_performed):
        return Outcome.UNPROVEN
    # A run of backends alone has no actions to count.
    if backends and not summary.planned:
        shown = any(test.verdict is Outcome.PROVEN for test in backends.tests)
        return Outcome.PROVEN if shown else Outcome.UNPROVEN
    if summary.unproven or not summary.proven or miscounted(report) or versions_not_shown(report):
        return Outcome.UNPROVEN
    return Outcome.PROVEN


def _violated(report: Report) -> list[ProofRecord]:
    return [proof for proof in report.proofs if proof.verdict is Outcome.VIOLATED]


def nothing_shown(report: Report) -> bool:
    """Whether everything that was planned was left out on purpose: not supported here, or skipped."""
    planned: list[ProofRecord | BackendTest] = [*report.proofs]
    open_ends = bool(report.not_performed or report.ended)
    if report.backends:
        planned += report.backends.tests
        open_ends = open_ends or bool(report.backends.not_performed)
    return bool(planned) and not open_ends and all(one.verdict is Outcome.NOT_SUPPORTED for one in planned)


def judged_by_given(report: Report) -> list[ProofRecord]:
    """The proofs that are judged by the policy that the run was given."""
    digest = report.policy.sha256
    return [proof for proof in report.proofs if proof.policy.sha256 == digest]


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


def faithful_clause(report: Report) -> str:
    """What was shown about the server, in a clause that says no more about the policy than its own actions show."""
    early = f"the run {report.ended.partition(':')[0]}" if report.ended else ""
    return "; ".join(filter(None, (early, report.cluster.not_running, _shown(report))))


def _shown(report: Report) -> str:
    summary, path = report.summary, report.policy.path
    planned, proven = summary.planned, summary.proven
    supported = f" ({summary.not_supported} not supported here)" if summary.not_supported else ""
    counts = f"{proven} of {planned} actions proven{supported}"
    if nothing_shown(report):
        all_of = (
            "the only action was" if planned == 1 else f"all {planned} actions were" if planned else "all tests were"
        )
        return f"nothing was shown: {all_of} skipped or not supported here"
    if backend_troubles(report) or (report.backends and not planned):
        return backends_line(report)
    if report.log:
        return _of_a_log(report, report.log)
    if summary.violated:
        return f"{', '.join(_deviations(report))}: {counts}"
    if wrong := miscounted(report):
        return f"inconclusive: {wrong[0].reason} ({wrong[0].policy}), {counts}"
    if summary.unproven or not proven:
        count = planned - proven - summary.not_supported
        inconclusive = "1 action was inconclusive" if count == 1 else f"{count} actions were inconclusive"
        return f"{inconclusive}: {counts}"
    if silent := versions_not_shown(report):
        return f"nothing was shown on Kubernetes {', '.join(silent)}: {counts}"
    # Reference suites have their own policies: they show nothing about the given one.
    own = sum(1 for proof in judged_by_given(report) if proof.verdict is Outcome.PROVEN)
    if not own:
        return f"{counts}, none of them judged by {path}: nothing is shown about that policy"
    judged = "" if own == planned else f", {own} of them judged by {path}"
    return counts + judged if report.ended else f"the server recorded what the policy decides: {counts}{judged}"


def _deviations(report: Report) -> Iterator[str]:
    """Who is at fault for what is VIOLATED: first the server, then cases."""
    kinds = [proof.contradicts for proof in _violated(report)]
    if server := kinds.count(""):
        yield f"the server recorded something else than the policy decides ({counted(server, 'action')})"
    if cases := kinds.count("policy"):
        yield f"{_expect(cases)} something else than the policy decides"
    if cases := kinds.count("events"):
        yield f"{_expect(cases)} something else in the events, which are as the policy decides"


def _expect(cases: int) -> str:
    return "1 case expects" if cases == 1 else f"{cases} cases expect"


def _of_a_log(report: Report, log: LogRecord) -> str:
    """No action was performed: the sentence is about recorded requests only."""
    summary = report.summary
    what = f"{counted(log.requests, 'recorded request')} of {counted(log.kinds or summary.planned, 'kind')}"
    if wrong := summary.violated:
        some = "1 kind of recorded requests is" if wrong == 1 else f"{wrong} kinds of recorded requests are"
        return f"{some} not as {report.policy.path} decides: {what}"
    if summary.unproven or not summary.proven:
        return f"not all of this log can be judged: {what}, {summary.unproven} UNPROVEN"
    be = "is" if log.requests == 1 else "are all"
    return f"{what} {be} as {report.policy.path} decides"


def remarks(report: Report) -> list[str]:
    """What limits the statement, in sentences: what was left out, and on which versions it was."""
    found = ["What is not recorded is not shown."] if report.log else []
    if report.deselected:
        more = "1 more was" if report.deselected == 1 else f"{report.deselected} more were"
        found.append(f"{more} not selected.")
    if report.versions:
        differs = f": {text}" if (text := differing_text(report)) else ""
        found.append(f"Kubernetes {', '.join(one.version for one in report.versions)}{differs}.")
    return [*found, *reference_remarks(report)]


def capital(text: str) -> str:
    """The text as the beginning of a sentence."""
    return text[:1].upper() + text[1:]
