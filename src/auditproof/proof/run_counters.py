"""The third oracle: a server's own audit counters held against its whole log, after everything else.

Nothing is judged by it; it shows whether the log that everything was judged by is the whole log. The law holds for one
log of one process: lines = apiserver_audit_event_total - the sum of apiserver_audit_error_total
(staging/src/k8s.io/apiserver/pkg/audit/metrics.go). The server's own requests are in both. A counter is read at a
moment, a log over a while: what is recorded while the counters are read may be in them or not, so they are read again.
"""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from auditproof.audit.event import Stage
from auditproof.auditlog.file_log import FileLog
from auditproof.auditlog.metrics import parse_metrics
from auditproof.client.connection import Connection
from auditproof.errors import AuditproofError, WireError
from auditproof.kube.action import Request
from auditproof.proof.event_match import time_of
from auditproof.wait import TimedOut, wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from auditproof.audit.event import AuditEvent
    from auditproof.auditlog.file_log import LogSlice
    from auditproof.auditlog.metrics import AuditMetrics
    from auditproof.clusters.cluster import Cluster

SCRAPE = Request("GET", "/metrics")
USER_AGENT = "auditproof/counting"
QUIET_TIMEOUT_S = 10.0  # until no foreign event falls into a reading, and the log has caught up with the counters
CLOCK_S = 1.0  # between the start of a process and what it says of it


@dataclass(frozen=True, slots=True)
class Account:
    """What one server counted and what its log holds.

    ``holds`` is None where nothing could be concluded; ``reason`` says why, or what does not add up. ``events`` and
    ``lost`` are counters, ``lines`` those of the log at the same moment, ``levels`` the evaluations by level.
    """

    events: int = 0
    lost: int = 0
    lines: int = 0
    levels: Mapping[str, int] = field(default_factory=dict)
    holds: bool | None = None
    reason: str = ""


def count(cluster: Cluster) -> Account:
    """Hold the counters of ``cluster`` against its log; never raises: what goes wrong is the reason of an Account."""
    wire = Connection(cluster.url, cluster.ca, cluster.admin)
    try:
        return _Reading(FileLog(cluster.log), wire).account()
    except AuditproofError as error:
        return Account(reason=f"could not be counted: {error}")
    finally:
        wire.close()


@dataclass(frozen=True, slots=True)
class Scrape:
    """One reading of the counters: when it was begun and ended, and the Audit-ID of its own events."""

    counters: AuditMetrics
    audit_id: str
    started: datetime
    finished: datetime


@dataclass(frozen=True, slots=True)
class Balance:
    """One reading held against the log: ``missing`` lines (negative: too many), ``unclear`` ones beside them.

    Unclear is what was recorded while the counters were read: it may be in them or not.
    """

    lines: int
    missing: int
    unclear: int

    @property
    def holds(self) -> bool:
        """Whether the log holds exactly what was counted."""
        return not self.missing and not self.unclear

    @property
    def on_its_way(self) -> bool:
        """Whether all that speaks against it is that an event is not in the log yet."""
        return self.missing > 0 and not self.unclear


def balance(lines: int, tail: Sequence[AuditEvent], scrape: Scrape) -> Balance:
    """Hold one reading of the counters against the log. Pure.

    ``lines`` is how many lines stood in the log before the reading began, ``tail`` what came after them. The reading's
    own RequestReceived is in the counters, its ResponseComplete is not.
    """
    own = [event for event in tail if event.audit_id == scrape.audit_id]
    times = [time_of(event, "stageTimestamp") for event in tail if event.audit_id != scrape.audit_id]
    before = sum(time is not None and time < scrape.started for time in times)
    unclear = sum(time is None or scrape.started <= time <= scrape.finished for time in times)
    written = lines + before + sum(event.stage is Stage.REQUEST_RECEIVED for event in own)
    return Balance(written, scrape.counters.lines - written, unclear)


class _Reading:
    """One counting of one server."""

    def __init__(self, log: FileLog, wire: Connection) -> None:
        self._log = log
        self._wire = wire
        self._account = Account(reason="could not be counted")

    def account(self) -> Account:
        """Read the whole log, then the counters, until nothing foreign falls in between.

        Raises AuditproofError where log or counters cannot be read.
        """
        first = iter([True])
        base = self._log.read(self._log.beginning(), lambda _: next(first, False))
        self._scrape = self._ask()
        begun = time_of(base.events[0], "stageTimestamp") if base.events else None
        if begun is not None and begun.timestamp() < self._scrape.counters.process_start - CLOCK_S:
            return Account(reason="the log begins before the process that counts: the API server was restarted")
        with suppress(TimedOut):  # then the last account says what is wrong
            what = "a quiet moment of the API server"
            wait_until(lambda: self._look(base) or None, what=what, timeout_s=QUIET_TIMEOUT_S)
        return self._account

    def _look(self, base: LogSlice) -> bool:
        """Hold the last reading against the log as it is now; one that cannot come out even any more is made anew."""
        tail = self._log.read(base.end, lambda _: True).events
        found = balance(base.lines, tail, self._scrape)
        self._account = _account(found, self._scrape.counters)
        if not found.holds and not found.on_its_way:
            self._scrape = self._ask()
        return found.holds

    def _ask(self) -> Scrape:
        audit_id = f"count-{uuid.uuid4()}"
        answer = self._wire.send(SCRAPE, audit_id=audit_id, user_agent=USER_AGENT)
        if answer.error or answer.status != 200:
            raise WireError(f"GET /metrics was answered {answer.error or answer.status}")
        return Scrape(parse_metrics(answer.body), audit_id, answer.started, answer.finished)


def _account(found: Balance, counters: AuditMetrics) -> Account:
    holds = None if found.unclear else not found.missing
    lost = counters.events - counters.lines
    return Account(counters.events, lost, found.lines, counters.levels, holds, _words(found))


def _words(found: Balance) -> str:
    if found.unclear:
        return "could not be counted: the API server recorded something of its own at every reading"
    if found.missing < 0:
        return f"the log holds {-found.missing} more events than the server counted: something else writes to it"
    if found.missing:
        return f"the log holds {found.missing} fewer events than the server counted: it is not the whole log"
    return ""
