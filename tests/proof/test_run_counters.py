"""The counters held against the log: what adds up, what does not, and what leaves it open.

A real server's own stand in tests/live/test_counting.py.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from auditproof.audit.server_flags import ServerFlags
from auditproof.auditlog.file_log import event_of
from auditproof.auditlog.metrics import AuditMetrics
from auditproof.proof.run_counters import Reconciliation, TimedScrape, balance
from auditproof.report.reconciliation import counting_lines, counting_record, miscounted
from auditproof.report.statements import decision
from tests.report.test_report import proof
from tests.report.test_report import report as report_of

if TYPE_CHECKING:
    from auditproof.report.model import Report

BEGUN, ENDED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC)
BEFORE, AMID, AFTER = (f"2026-01-02T03:04:0{second}.500000Z" for second in (4, 5, 6))


def scrape(events: int, lost: int = 0) -> TimedScrape:
    return TimedScrape(AuditMetrics(events, 0, 7.0, {"log": lost}), "count-1", BEGUN, ENDED)


def event(audit_id: str, stage: str, time: str) -> Any:
    raw = {"kind": "Event", "auditID": audit_id, "level": "Metadata", "stage": stage, "stageTimestamp": time}
    return event_of(raw, "audit.log", 0)


OWN = (event("count-1", "RequestReceived", AMID), event("count-1", "ResponseComplete", AMID))


def test_a_reading_counts_its_own_arrival_and_not_its_end() -> None:
    """Its RequestReceived is counted when the counters are read, its ResponseComplete is not."""
    assert balance(10, OWN, scrape(11)).holds


def test_a_reading_that_the_policy_excludes_counts_nothing() -> None:
    assert balance(10, (), scrape(10)).holds


def test_what_was_lost_is_not_in_the_log() -> None:
    """Events that the server has counted as lost have no line, and none is missing."""
    assert balance(10, (), scrape(12, lost=2)).holds


def test_what_comes_after_the_reading_is_not_in_it() -> None:
    assert balance(10, (event("other", "ResponseComplete", AFTER),), scrape(10)).holds


def test_what_was_on_its_way_when_the_reading_began_is_in_it() -> None:
    """A missing line is no fault until it has had the time to arrive."""
    found = balance(10, (), scrape(11))

    assert found.on_its_way and not found.holds
    assert balance(10, (event("other", "ResponseComplete", BEFORE),), scrape(11)).holds


def test_what_happens_during_the_reading_leaves_it_open() -> None:
    """The event may have been counted or not, so the reading is repeated."""
    found = balance(10, (event("other", "ResponseComplete", AMID),), scrape(11))

    assert (found.holds, found.on_its_way, found.unclear) == (False, False, 1)


@pytest.mark.parametrize(("lines", "missing"), [(9, 1), (11, -1)])
def test_a_line_too_few_and_a_line_too_many_are_told(lines: int, missing: int) -> None:
    found = balance(lines, (), scrape(10))

    assert (found.missing, found.holds) == (missing, False)


def report(*accounts: Reconciliation) -> Report:
    counting = counting_record([("policy.yaml", account) for account in accounts])
    return report_of(proof("one"), proof("two"), parts={"counting": counting})


GOOD = Reconciliation(events=12, lost=2, lines=10, levels={"None": 3, "Metadata": 5}, holds=True)
SHORT = Reconciliation(events=12, lines=11, holds=False, reason="the log holds 1 fewer events than the server counted")
OPEN = Reconciliation(reason="could not be counted: no answer")


def test_no_run_is_proven_whose_log_is_not_what_was_counted() -> None:
    """All cases may be proven: a server whose log lacks a line still makes the run UNPROVEN."""
    assert decision(report(GOOD)).word == "PASS"
    assert decision(report(GOOD, SHORT)).word == "UNPROVEN"
    assert "the log holds 1 fewer events" in decision(report(GOOD, SHORT)).sentence
    assert miscounted(report(GOOD, OPEN)) == []


def test_the_lines_tell_the_sum_and_each_that_does_not_agree() -> None:
    assert counting_lines(report()) == []
    assert counting_lines(report(GOOD, GOOD)) == ["counters of all 2 API servers match the log (20 events)"]
    assert counting_lines(report(GOOD, SHORT, OPEN)) == [
        "counters of 1 of 3 API servers match the log (10 events)",
        "policy.yaml: the log holds 1 fewer events than the server counted",
        "policy.yaml: could not be counted: no answer",
    ]


def test_a_log_that_is_thrown_away_cannot_be_counted() -> None:
    """maxbackup and maxage let the server delete rotated files; maxsize alone only rotates."""
    assert ServerFlags.of({"mode": "batch", "maxsize": "1"}).keeps_log
    assert not ServerFlags.of({"maxbackup": "2"}).keeps_log
    assert not ServerFlags.of(flags={"audit-log-maxage": "1"}).keeps_log
    assert ServerFlags.of({"maxbackup": None}).keeps_log
