"""The log that is read, reconciled with what the API server has counted: whether it is the server's whole log. Pure.

The law: of one process, the lines of its log are apiserver_audit_event_total less what it has lost (staging/src/k8s.io/
apiserver/pkg/audit/metrics.go). The two are never read at one moment, so a reading of the counters only bounds what is
missing: lines that stood in the log before the reading began are counted for sure, and so are those that are older by
their own timestamps; lines that came while it lasted may be. An event is counted just before it is written
(pkg/audit/context.go), so what is missing on a quiet server is missing for good.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from auditproof.audit.event import Stage
from auditproof.proof.event_match import time_of

if TYPE_CHECKING:
    from datetime import datetime

    from auditproof.audit.event import AuditEvent, Level
    from auditproof.auditlog.metrics import Scrape
    from auditproof.proof.clock import Clock


AGENT = "auditproof/"  # our own requests: they have ended, and were counted, before we read the counters
# An event is stamped, then counted; on a processor with much to do some time may pass in between.
COUNTED_S = timedelta(milliseconds=20)


@dataclass(slots=True)
class Reading:
    """A scrape with how many lines were known when it began, and the events that were read since."""

    scrape: Scrape
    known: int
    later: list[AuditEvent] = field(default_factory=list)

    @property
    def most_by_order(self) -> int:
        """At most how many are missing, by nothing but what stood in the log before: too many lines are so for sure."""
        own = sum(
            event.audit_id in self.scrape.audit_ids and event.stage is Stage.REQUEST_RECEIVED for event in self.later
        )
        return self.scrape.counters.events - self.known - own

    def missing(self, clock: Clock) -> tuple[int, int]:
        """At least and at most how many counted events no line was seen of; negative where there are too many lines.

        Of its own requests, RequestReceived was counted by then, and nothing later. Where they are recorded, they say
        when it was, by the server's own clock.
        """
        own = [event for event in self.later if event.audit_id in self.scrape.audit_ids]
        begun = _earliest(own, Stage.REQUEST_RECEIVED) or self.scrape.started + clock.least
        ended = _latest(own, Stage.RESPONSE_COMPLETE) or self.scrape.finished + clock.most
        sure = possible = self.known
        for event in self.later:
            if event.audit_id in self.scrape.audit_ids:
                counted = event.stage is Stage.REQUEST_RECEIVED
                sure += counted
                possible += counted
                continue
            reached = _reached(event)
            ended_before = str(event.raw.get("userAgent", "")).startswith(AGENT)
            sure += reached is not None and reached < (begun if ended_before else begun - COUNTED_S)
            possible += reached is None or reached <= ended
        events = self.scrape.counters.events
        return events - possible, events - sure


def _earliest(events: list[AuditEvent], stage: Stage) -> datetime | None:
    return min((time for event in events if event.stage is stage and (time := _reached(event))), default=None)


def _latest(events: list[AuditEvent], stage: Stage) -> datetime | None:
    return max((time for event in events if event.stage is stage and (time := _reached(event))), default=None)


def _reached(event: AuditEvent) -> datetime | None:
    return time_of(event, "stageTimestamp")


class Reconciler:
    """Takes every line of a log in turn, and every reading of the counters in between."""

    def __init__(self) -> None:
        self._lines = 0
        self._seen: set[tuple[str, str, str]] = set()
        self._requests: dict[str, AuditEvent] = {}
        self.readings: list[Reading] = []
        self.kept: list[Reading] = []  # earlier ones, that what comes late still belongs to

    def take(self, event: AuditEvent) -> None:
        """Take a line that is an event; one that repeats another is none of the server's."""
        key = event.audit_id, str(event.stage), str(event.raw.get("stageTimestamp"))
        if key in self._seen:
            return
        self._seen.add(key)
        self._lines += 1
        self._requests[event.audit_id] = event
        for reading in (*self.readings, *self.kept):
            reading.later.append(event)

    def take_others(self, lines: int) -> None:
        """Take lines that are no events."""
        self._lines += lines

    def scraped(self, scrape: Scrape) -> None:
        """Take a reading of the counters, all lines before which were taken already."""
        self.readings.append(Reading(scrape, self._lines))

    def forget(self) -> None:
        """Forget all readings, and which lines there were: what comes is another batch."""
        self.readings.clear()
        self.kept.clear()
        self._seen.clear()
        self._requests.clear()

    def requests(self, begun: datetime, ended: datetime) -> dict[str, Level]:
        """The level of each request in the log that came between, by the server's clock, by its Audit-ID."""
        return {
            name: event.level
            for name, event in self._requests.items()
            if (received := time_of(event, "requestReceivedTimestamp")) is not None and begun <= received <= ended
        }

    def keep(self) -> None:
        """Set the readings so far apart: what comes late still belongs to them."""
        self.kept, self.readings = self.readings, []

    def least_missing(self, clock: Clock) -> int:
        """How many counted events are missing at least, by the reading that says most."""
        return max(reading.missing(clock)[0] for reading in self.readings)

    def says(self, missing: int, clock: Clock) -> bool:
        """Whether a reading says that no more are missing."""
        return any(reading.missing(clock)[1] == missing for reading in self.readings)

    def too_many(self, base: int) -> int:
        """How many lines there are for sure that were never counted, where ``base`` events were missing before."""
        return max(base - reading.most_by_order for reading in self.readings)

    def most_missing(self, clock: Clock) -> int:
        """How many counted events are missing at most, by the reading that says least."""
        return min(reading.missing(clock)[1] for reading in self.readings)

    def missing(self, clock: Clock) -> int | None:
        """How many are missing exactly, by all readings together, two at least; None where that is not sure."""
        bounds = [reading.missing(clock) for reading in self.readings]
        least, most = max(low for low, _ in bounds), min(high for _, high in bounds)
        return least if least == most and len(bounds) > 1 else None
