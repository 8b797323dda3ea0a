"""Reconciles a log with the API server's counters, to show whether it is the server's whole log. Pure.

The law: the log of a process has as many lines as apiserver_audit_event_total minus the lost events
(staging/src/k8s.io/ apiserver/pkg/audit/metrics.go). The two are never read at the same moment, so a reading of the
counters only bounds how many lines are missing. Lines that were in the log before the reading began are certainly
counted, and so are lines with older timestamps; lines that arrived during the reading may be. An event is counted just
before it is written (pkg/audit/context.go), so on a quiet server a missing line stays missing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from auditproof.audit.event import Stage
from auditproof.proof.event_match import time_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from auditproof.audit.event import AuditEvent, Level
    from auditproof.auditlog.metrics import Scrape
    from auditproof.proof.clock import Clock


AGENT = "auditproof/"  # auditproof's own requests: they have ended, and were counted, before the counters are read
# An event is stamped, then counted; on a busy processor some time may pass in between.
COUNTED_S = timedelta(milliseconds=20)


@dataclass(slots=True)
class CounterReading:
    """A scrape, the number of lines known when it began, and the events read since."""

    scrape: Scrape
    known: int
    later: list[AuditEvent] = field(default_factory=list)

    @property
    def most_by_order(self) -> int:
        """An upper bound of missing events, without timestamps; if negative, there are certainly too many lines."""
        own = sum(
            event.audit_id in self.scrape.audit_ids and event.stage is Stage.REQUEST_RECEIVED for event in self.later
        )
        return self.scrape.counters.events - self.known - own

    def missing(self, clock: Clock) -> tuple[int, int]:
        """The least and the most counted events without a line; negative if there are too many lines.

        Of the scrape's own requests, RequestReceived was counted by then, and nothing later. If they are recorded,
        their timestamps show when the counters were read, by the server's own clock.
        """
        own = [event for event in self.later if event.audit_id in self.scrape.audit_ids]
        received = [time for each in own if each.stage is Stage.REQUEST_RECEIVED and (time := _reached(each))]
        completed = [time for each in own if each.stage is Stage.RESPONSE_COMPLETE and (time := _reached(each))]
        begun = min(received, default=self.scrape.started + clock.least)
        ended = max(completed, default=self.scrape.finished + clock.most)
        sure = possible = self.known
        for event in self.later:
            if event.audit_id in self.scrape.audit_ids:
                counted = event.stage is Stage.REQUEST_RECEIVED
                sure += counted
                possible += counted
                continue
            reached = _reached(event)
            sure += reached is not None and reached < (begun if _is_own(event) else begun - COUNTED_S)
            possible += reached is None or reached <= ended
        events = self.scrape.counters.events
        return events - possible, events - sure


def _is_own(event: AuditEvent) -> bool:
    return str(event.raw.get("userAgent", "")).startswith(AGENT)


def _reached(event: AuditEvent) -> datetime | None:
    return time_of(event, "stageTimestamp")


class Reconciler:
    """Takes every line of a log in turn, and every reading of the counters in between."""

    def __init__(self) -> None:
        self._lines = 0
        self._seen: dict[tuple[str, str, str], AuditEvent] = {}
        self._requests: dict[str, AuditEvent] = {}
        self.readings: list[CounterReading] = []
        self.kept: list[CounterReading] = []  # earlier ones; late events are still assigned to them

    def take(self, event: AuditEvent) -> bool:
        """Take a line that is an event; a repetition is ignored, because the server writes each event once.

        Returns False for a repetition that says something else than the first line: one of the two is not the server's.
        """
        key = event.audit_id, str(event.stage), str(event.raw.get("stageTimestamp"))
        first = self._seen.setdefault(key, event)
        if first is not event:
            return first.raw == event.raw
        self._lines += 1
        self._requests[event.audit_id] = event
        for reading in (*self.readings, *self.kept):
            reading.later.append(event)
        return True

    def take_others(self, lines: int) -> None:
        """Take lines that are not events."""
        self._lines += lines

    def scraped(self, scrape: Scrape) -> None:
        """Take a reading of the counters; all lines before it must have been taken already."""
        self.readings.append(CounterReading(scrape, self._lines))

    def forget(self) -> None:
        """Forget all readings and lines: another batch begins."""
        self.readings.clear()
        self.kept.clear()
        self._seen.clear()
        self._requests.clear()

    def requests(self, begun: datetime, ended: datetime) -> dict[str, Level]:
        """The level, by Audit-ID, of each request that the server received between two times of its clock."""
        return {event.audit_id: event.level for event in self._received(begun, ended)}

    def levels(self, audit_ids: set[str]) -> dict[str, Level]:
        """The level of each of these requests that is in the log."""
        return {name: self._requests[name].level for name in audit_ids & self._requests.keys()}

    def others(self, begun: datetime, ended: datetime) -> set[str]:
        """The Audit-IDs of the requests of other clients that the server received between two times of its clock."""
        return {event.audit_id for event in self._received(begun, ended) if not _is_own(event)}

    def _received(self, begun: datetime, ended: datetime) -> Iterator[AuditEvent]:
        for event in self._requests.values():
            received = time_of(event, "requestReceivedTimestamp")
            if received is not None and begun <= received <= ended:
                yield event

    def keep(self) -> None:
        """Set the present readings apart: late events are still assigned to them."""
        self.kept, self.readings = self.readings, []

    def least_missing(self, clock: Clock) -> int:
        """The least number of missing events: the highest lower bound of all readings."""
        return max(reading.missing(clock)[0] for reading in self.readings)

    def says(self, missing: int, clock: Clock) -> bool:
        """Whether a reading shows that at most ``missing`` events are missing."""
        return any(reading.missing(clock)[1] == missing for reading in self.readings)

    def too_many(self, base: int) -> int:
        """How many lines were certainly never counted, if ``base`` events were missing before."""
        return max(base - reading.most_by_order for reading in self.readings)

    def most_missing(self, clock: Clock) -> int:
        """The most events that can be missing: the lowest upper bound of all readings."""
        return min(reading.missing(clock)[1] for reading in self.readings)

    def missing(self, clock: Clock) -> int | None:
        """Exactly how many are missing, by at least two readings together; None if the bounds differ."""
        bounds = [reading.missing(clock) for reading in self.readings]
        least, most = max(low for low, _ in bounds), min(high for _, high in bounds)
        return least if least == most and len(bounds) > 1 else None
