"""The result of an item: determined by how its actions and phases ended, whatever happens to its reports later.

A verdict that is not PROVEN is final, even if the test swallows the exception, is expected to fail (xfail), skips
afterwards, or is repeated by a plugin until it passes. pytest's reports of the item are changed to agree with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from auditproof.errors import AuditproofError
from auditproof.plugin.asked_of_audit import missing_fixture
from auditproof.plugin.collect import CaseItem
from auditproof.plugin.failures import NOT_RUN, FailureText, is_left_out
from auditproof.plugin.fixtures import FIXTURES, NOT_SUPPORTED, PROOFS, TAKEN, source_of, title_of
from auditproof.plugin.item_records import properties_of, record_of, settle
from auditproof.plugin.offline import RecordItem
from auditproof.plugin.taken import takes
from auditproof.proof.verdict import Outcome
from auditproof.report.proof_record import bare_record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditproof.plugin.session import AuditSession
    from auditproof.report.model import ProofRecord

NEVER_ACTED = "the test uses the audit fixture but sends no request: nothing was shown"
EARLIER = "in an earlier attempt of this test: repeating a test does not change its verdict"
STANDS = "  note      pytest did not count this as a failure, but a verdict is final, whatever the test does with it"


@dataclass(slots=True)
class Course:
    """The state of an item over all its attempts; ``calling`` while its test function runs."""

    attempts: int = 0
    calling: bool = False
    concluded: bool = False
    told: list[ProofRecord] = field(default_factory=list)
    properties: list[tuple[str, object]] = field(default_factory=list)


COURSE: pytest.StashKey[Course] = pytest.StashKey()


def course_of(item: pytest.Item) -> Course:
    """The course of an item."""
    return item.stash.setdefault(COURSE, Course())


def proves(item: pytest.Item) -> bool:
    """Whether an item is expected to have a proof."""
    if isinstance(item, CaseItem | RecordItem) or TAKEN in item.stash:
        return True
    return takes(item, FIXTURES)


def concluded(
    session: AuditSession, item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport
) -> list[ProofRecord]:
    """The records of an item's proofs after a phase, if that phase changes them; otherwise an empty list.

    During a test (when a subtest has ended) the list is empty, too, but a failure is noted.
    """
    course = course_of(item)
    if call.when == "setup":
        course.attempts += 1
        _mark_earlier(item, course)
    if call.when == "setup" and call.excinfo is None and not report.failed:
        return []
    if isinstance(item, CaseItem):
        records = _case_records(session, item, call, report)
    else:
        records = item.stash.setdefault(PROOFS, [])
    _note_end(session, item, call, report, records)
    if isinstance(item, CaseItem) and call.when == "teardown" and records[0].verdict is Outcome.PROVEN:
        settle(session, item, records[0])
    if course.calling or (call.when == "teardown" and records == course.told):
        return []
    course.told = list(records)
    return records


def _mark_earlier(item: pytest.Item, course: Course) -> None:
    """Add a note to the failed records of an earlier attempt."""
    if course.attempts < 2 or isinstance(item, CaseItem | RecordItem):
        return  # these are judged once, so their verdict is the same in every attempt
    records = item.stash.get(PROOFS, [])
    for number, record in enumerate(records):
        if record.verdict.is_trouble and EARLIER not in record.reasons:
            records[number] = record.model_copy(update={"reasons": (*record.reasons, EARLIER)})


def _case_records(
    session: AuditSession, item: CaseItem, call: pytest.CallInfo[None], report: pytest.TestReport
) -> list[ProofRecord]:
    if PROOFS not in item.stash or call.when == "setup":
        failed = _said(call, report) if report.failed else ""
        if call.excinfo is None or not is_left_out(call.excinfo.value):
            why_skipped = ""
        else:
            why_skipped = ", ".join(session.support.missing(item.case, item.placement)) or _skip_reason(
                call.excinfo.value
            )
        item.stash[PROOFS] = [record_of(session, item, why_skipped, failed)]
    return item.stash[PROOFS]


def _note_end(
    session: AuditSession,
    item: pytest.Item,
    call: pytest.CallInfo[None],
    report: pytest.TestReport,
    records: list[ProofRecord],
) -> None:
    """Add the result of the phase to the records, unless they have it already."""
    error = call.excinfo.value if call.excinfo is not None else None
    if error is not None and is_left_out(error):
        why = item.stash.get(NOT_SUPPORTED, "") or _skip_reason(error)
        # A skip after the proof says that the test does not apply; what was shown before it stays VIOLATED or UNPROVEN.
        if isinstance(item, RecordItem) and records[-1].verdict is Outcome.PROVEN:
            records[-1] = _judged(records[-1], Outcome.NOT_SUPPORTED, why)
        elif not isinstance(item, CaseItem | RecordItem):
            records.append(_bare(session, item, Outcome.NOT_SUPPORTED, why, records))
    elif isinstance(error, pytest.xfail.Exception):
        records.append(_bare(session, item, Outcome.UNPROVEN, f"the test gave up (xfail): {error.msg}", records))
    elif error is None and not report.failed:
        # A test that sent nothing has shown nothing, however it ended.
        if call.when == "call" and not records and not course_of(item).calling:
            records.append(_bare(session, item, Outcome.UNPROVEN, NEVER_ACTED, records))
    elif not any(record.verdict.is_trouble for record in records):
        _note_failure(session, item, call, report, records)


def _note_failure(
    session: AuditSession,
    item: pytest.Item,
    call: pytest.CallInfo[None],
    report: pytest.TestReport,
    records: list[ProofRecord],
) -> None:
    """Change a PROVEN record of a test that failed for another reason.

    An assertion that fails says that what the policy records is not what the test states: VIOLATED. Any other error is
    one of the test itself, and shows nothing about the policy: UNPROVEN.
    """
    proven = [number for number, record in enumerate(records) if record.verdict is Outcome.PROVEN]
    said = _said(call, report)
    if not proven:
        records.append(_bare(session, item, Outcome.UNPROVEN, said, records))
    elif call.when == "call" and (
        call.excinfo is None or isinstance(call.excinfo.value, AssertionError | pytest.fail.Exception)
    ):  # beyond level and stages
        stated = _judged(records[proven[-1]], Outcome.VIOLATED, said)
        records[proven[-1]] = stated.model_copy(update={"contradicts": "events"})
    else:
        where = "itself" if call.when == "call" else f"in its {call.when}"
        reason = f"the test failed {where}, which says nothing about the policy: {said}"
        records[proven[-1]] = _judged(records[proven[-1]], Outcome.UNPROVEN, reason)


def _judged(record: ProofRecord, verdict: Outcome, reason: str) -> ProofRecord:
    return record.model_copy(update={"verdict": verdict, "reasons": (reason,)})


def _bare(
    session: AuditSession, item: pytest.Item, verdict: Outcome, reason: str, records: Sequence[ProofRecord]
) -> ProofRecord:
    """A record of an action that was not performed, named after the test if that has no other record."""
    name = f"{item.nodeid}#{len(records) + 1}" if records else item.nodeid
    return bare_record(name, title_of(item), source_of(item), session.options.policy, verdict, reason)


def _skip_reason(error: BaseException) -> str:
    text = str(getattr(error, "msg", "") or error)
    return f"skipped: {text.removeprefix(NOT_RUN)}"


def _said(call: pytest.CallInfo[None], report: pytest.TestReport) -> str:
    """A failure in one line."""
    error = call.excinfo.value if call.excinfo is not None else None
    if isinstance(error, pytest.FixtureLookupError):
        return missing_fixture(error)
    if isinstance(error, AuditproofError):
        return str(error).removeprefix("UNPROVEN: ")
    crash = getattr(report.longrepr, "reprcrash", None)
    lines = (crash.message if crash else report.longreprtext).strip().splitlines()
    if lines and report.failed:
        return str(lines[0])
    return f"the test raised {call.excinfo.typename}" if call.excinfo else "the test failed"


def bring_into_line(item: pytest.Item, report: pytest.TestReport, records: Sequence[ProofRecord]) -> None:
    """Add the properties of the proofs to the report of a phase, and make it a failure if one is not PROVEN."""
    course = course_of(item)
    if records:
        others = [pair for pair in item.user_properties if pair not in course.properties]
        course.properties = [pair for record in records for pair in properties_of(record)]
        item.user_properties[:] = [*others, *course.properties]
    report.user_properties = list(item.user_properties)
    path, line, _ = item.reportinfo()
    make_it_fail(report, records, item.name, str(path), (line or 0) + 1)


def make_it_fail(report: pytest.TestReport, records: Sequence[ProofRecord], name: str, path: str, line: int) -> None:
    """Make a passed or skipped report a failure if one of its records is VIOLATED or UNPROVEN."""
    wrong = [record for record in records if record.verdict.is_trouble]
    if not wrong or report.outcome not in ("passed", "skipped"):
        return
    report.outcome = "failed"
    if hasattr(report, "wasxfail"):  # with it, pytest would count the failure as an expected one
        del report.wasxfail
    told = [f"{name}: {_told(wrong[0])}", *(f"  also      {_told(record)}" for record in wrong[1:])]
    shown: Any = FailureText("\n".join([*told, STANDS]), path, line)
    report.longrepr = shown


def _told(record: ProofRecord) -> str:
    return f"{record.verdict}: {'; '.join(record.reasons)}"
