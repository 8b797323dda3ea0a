"""A log reconciled with the counters: a line too few or too many is found out, whatever else is recorded meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditproof.audit.event import AuditEvent, Level, Stage
from auditproof.auditlog.metrics import AuditMetrics, Scrape
from auditproof.proof.clock import SAME, UNKNOWN, Clock, measured
from auditproof.proof.fence.reconcile import Reconciler

if TYPE_CHECKING:
    from collections.abc import Iterable

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def at(second: float) -> datetime:
    return NOW + timedelta(seconds=second)


def event(second: float, audit_id: str = "id", stage: Stage = Stage.RESPONSE_COMPLETE) -> AuditEvent:
    return AuditEvent(audit_id, Level.METADATA, stage, {"stageTimestamp": at(second).isoformat()})


def scrape(events: int, begun: float = 10, ended: float = 11, own: str = "own") -> Scrape:
    return Scrape(AuditMetrics(events, 0, 7.0), (own,), at(begun), at(ended))


def reconciler(before: Iterable[AuditEvent], reading: Scrape, after: Iterable[AuditEvent] = ()) -> Reconciler:
    made = Reconciler()
    for each in before:
        made.take(each)
    made.scraped(reading)
    for each in after:
        made.take(each)
    return made


THREE = [event(1), event(2), event(3)]


def test_a_whole_log_has_nothing_missing_and_one_that_lost_a_line_has() -> None:
    assert reconciler(THREE, scrape(3)).most_missing(SAME) == 0
    assert reconciler(THREE[:2], scrape(3)).most_missing(SAME) == 1


def test_a_line_that_is_none_of_the_servers_is_one_too_many() -> None:
    """A line that was never counted was not written by the server."""
    found = reconciler([*THREE, event(4, "forged")], scrape(3))

    assert found.too_many(0) == 1
    assert not found.says(0, SAME)


def test_a_line_that_stands_twice_does_not_make_up_for_one_that_is_missing() -> None:
    """Comparing plain numbers of lines would take the copy for the lost event."""
    assert reconciler([event(1), event(2), event(2)], scrape(3)).most_missing(SAME) == 1


def test_two_lines_of_one_event_that_differ_are_not_both_the_servers() -> None:
    found = reconciler(THREE[:2], scrape(3))

    assert found.take(event(1)), "the same once more, as after a rotation"
    assert not found.take(
        AuditEvent("id", Level.REQUEST, Stage.RESPONSE_COMPLETE, {**event(1).raw, "level": "Request"})
    )


def test_an_event_that_was_stamped_just_before_may_not_be_counted_yet() -> None:
    """Between the two a processor with much to do may take a while: that is no line too many."""
    found = reconciler(THREE, scrape(3), [event(9.99)])

    assert found.too_many(0) <= 0
    assert found.says(0, SAME)


def test_what_came_late_is_counted_by_its_own_time() -> None:
    """A line that is read after the counters counts by its timestamp, if the server's clock is known."""
    assert reconciler(THREE[:2], scrape(3), [event(3)]).most_missing(SAME) == 0
    assert reconciler(THREE[:2], scrape(3), [event(3)]).most_missing(UNKNOWN) == 1


def test_what_came_after_the_reading_is_not_in_it() -> None:
    """An event stamped after the reading had ended was not counted by it."""
    found = reconciler(THREE, scrape(3), [event(12)])

    assert found.readings[0].missing(SAME) == (0, 0)


def test_what_came_meanwhile_may_be_in_it_or_not() -> None:
    """The bounds differ by the event that was stamped during the reading."""
    assert reconciler(THREE, scrape(4), [event(10.5)]).readings[0].missing(SAME) == (0, 1)


def test_of_its_own_requests_only_the_beginning_is_counted() -> None:
    """The request for /metrics has been received, but not completed, when the counters are written out."""
    own = event(10.2, "own", Stage.REQUEST_RECEIVED), event(10.8, "own")

    assert reconciler(THREE, scrape(4), own).readings[0].missing(SAME) == (0, 0)


def test_what_is_missing_is_sure_when_two_readings_say_the_same() -> None:
    """A single reading may be wrong by an event that was counted and not yet written."""
    found = reconciler(THREE, scrape(5))
    assert found.missing(SAME) is None
    found.scraped(scrape(5, 12, 13))
    assert found.missing(SAME) == 2


@given(st.lists(st.floats(0, 20, allow_nan=False), max_size=30), st.floats(10, 11), st.integers(0, 3), st.randoms())
def test_no_reading_calls_a_whole_log_short_nor_a_short_one_whole(
    times: list[float], moment: float, lost: int, random: object
) -> None:
    """Whenever between its beginning and its end the counter was read, and whatever came around it."""
    written = [event(second, f"id-{n}") for n, second in enumerate(sorted(times))]
    counted = sum(second <= moment for second in sorted(times)) + lost
    before = [each for each, second in zip(written, sorted(times), strict=True) if second < 9.9]
    after = written[len(before) :]

    least, most = reconciler(before, scrape(counted), after).readings[0].missing(SAME)

    assert least <= lost <= most


@pytest.mark.parametrize("ahead", [0.0, 5.0, -7200.0])
def test_a_clock_is_measured_by_what_most_exchanges_agree_on(ahead: float) -> None:
    """One stray exchange does not move the measured offset."""
    bounds = [(timedelta(seconds=ahead - width), timedelta(seconds=ahead + width)) for width in (0.5, 0.2, 0.9)]
    stray = (timedelta(seconds=ahead + 100), timedelta(seconds=ahead + 101))

    clock = measured([*bounds, stray])

    assert clock.least <= timedelta(seconds=ahead) <= clock.most
    assert clock.most - clock.least < timedelta(seconds=0.6)


def test_a_clock_that_nothing_is_known_of_proves_nothing_of_the_time() -> None:
    """Without a measurement every timestamp is possible, and nothing is said about the clock."""
    assert measured([]) == UNKNOWN
    assert UNKNOWN.text() == Clock().text() == ""
    assert Clock(timedelta(seconds=4), timedelta(seconds=6)).text() == (
        "the server's clock is 5.000 s ahead of ours, give or take 1.000 s"
    )


def test_what_lies_in_log_and_counters_alike_is_not_noticed() -> None:
    """The limit of the method: whoever takes an event out of both has made up a server."""
    assert reconciler(THREE[:2], scrape(2)).most_missing(SAME) == 0
