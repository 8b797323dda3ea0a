"""The third oracle: compares a server's audit counters with its whole log, at the end of a run.

It judges no action; it shows whether the log by which the actions were judged is complete. For one log of one process:
lines = apiserver_audit_event_total - the sum of apiserver_audit_error_total
(staging/src/k8s.io/apiserver/pkg/audit/metrics.go). Both include the server's own requests. Counters are read in an
instant, a log is not: an event recorded meanwhile may be counted or not, so the reading is repeated.
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
QUIET_TIMEOUT_S = 10.0  # until no other event falls into a reading, and the log has caught up with the counters
CLOCK_S = 1.0  # difference between the start of a process and the start time that it reports


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The counters of one server and the lines of its log.

    ``holds`` is whether they agree, None if that is unknown; ``reason`` says why, or what does not add up. ``events``
    and ``lost`` are counters, ``lines`` those of the log at the same moment, ``levels`` the evaluations by level.
    """

    events: int = 0
    lost: int = 0
    lines: int = 0
    levels: Mapping[str, int] = field(default_factory=dict)
    holds: bool | None = None
    reason: str = ""


def count(cluster: Cluster) -> Reconciliation:
    """Compare the counters of ``cluster`` with its log; never raises: an error is the ``reason``."""
    wire = Connection(cluster.url, cluster.ca, cluster.admin)
    try:
        return _ServerReconciler(FileLog(cluster.log), wire).account()
    except AuditproofError as error:
        return Reconciliation(reason=f"could not be counted: {error}")
    finally:
        wire.close()


@dataclass(frozen=True, slots=True)
class TimedScrape:
    """One reading of the counters: its start and end, and the Audit-ID of its own events."""

    counters: AuditMetrics
    audit_id: str
    started: datetime
    finished: datetime


@dataclass(frozen=True, slots=True)
class Balance:
    """One reading compared with the log: the ``missing`` lines (negative: too many), and the ``unclear`` ones.

    Events recorded while the counters were read are unclear: they may be counted or not.
    """

    lines: int
    missing: int
    unclear: int

    @property
    def holds(self) -> bool:
        """Whether the log holds exactly the counted events."""
        return not self.missing and not self.unclear

    @property
    def on_its_way(self) -> bool:
        """Whether events are missing only because they may not have reached the log yet."""
        return self.missing > 0 and not self.unclear


def balance(lines: int, tail: Sequence[AuditEvent], scrape: TimedScrape) -> Balance:
    """Compare one reading of the counters with the log. Pure.

    ``lines`` is the number of lines in the log before the reading began, ``tail`` the events after them. The counters
    include the reading's own RequestReceived, but not its ResponseComplete.
    """
    own = [event for event in tail if event.audit_id == scrape.audit_id]
    times = [time_of(event, "stageTimestamp") for event in tail if event.audit_id != scrape.audit_id]
    before = sum(time is not None and time < scrape.started for time in times)
    unclear = sum(time is None or scrape.started <= time <= scrape.finished for time in times)
    # Events recorded before the reading began were counted, even if their lines are read only now.
    written = lines + before + sum(event.stage is Stage.REQUEST_RECEIVED for event in own)
    return Balance(written, scrape.counters.lines - written, unclear)


class _ServerReconciler:
    """Compares the counters and the log of one server."""

    def __init__(self, log: FileLog, wire: Connection) -> None:
        self._log = log
        self._wire = wire
        self._account = Reconciliation(reason="could not be counted")

    def account(self) -> Reconciliation:
        """Read the whole log, then the counters, until no other client's event falls in between.

        Raises AuditproofError if log or counters cannot be read.
        """
        first = iter([True])  # keep only the first event: a whole log may not fit into memory
        base = self._log.read(self._log.beginning(), lambda _: next(first, False))
        self._scrape = self._ask()
        begun = time_of(base.events[0], "stageTimestamp") if base.events else None
        if begun is not None and begun.timestamp() < self._scrape.counters.process_start - CLOCK_S:
            return Reconciliation(
                reason="the log begins before the present server process: the API server was restarted"
            )
        with suppress(TimedOut):  # then the last account has the reason
            what = "a quiet moment of the API server"
            wait_until(lambda: self._look(base) or None, what=what, timeout_s=QUIET_TIMEOUT_S)
        return self._account

    def _look(self, base: LogSlice) -> bool:
        """Compare the last reading with the present log; read the counters again if the two can no longer agree."""
        tail = self._log.read(base.end, lambda _: True).events
        found = balance(base.lines, tail, self._scrape)
        self._account = _account(found, self._scrape.counters)
        if not found.holds and not found.on_its_way:
            self._scrape = self._ask()
        return found.holds

    def _ask(self) -> TimedScrape:
        audit_id = f"count-{uuid.uuid4()}"
        answer = self._wire.send(SCRAPE, audit_id=audit_id, user_agent=USER_AGENT)
        if answer.error or answer.status != 200:
            raise WireError(f"GET /metrics was answered {answer.error or answer.status}")
        return TimedScrape(parse_metrics(answer.body), audit_id, answer.started, answer.finished)


def _account(found: Balance, counters: AuditMetrics) -> Reconciliation:
    holds = None if found.unclear else not found.missing
    lost = counters.events - counters.lines
    if found.unclear:
        words = "could not be counted: other requests were recorded during every reading"
    elif found.missing < 0:
        words = f"the log holds {-found.missing} more events than the server counted: something else writes to it"
    elif found.missing:
        words = f"the log holds {found.missing} fewer events than the server counted: it is not the whole log"
    else:
        words = ""
    return Reconciliation(counters.events, lost, found.lines, counters.levels, holds, words)
