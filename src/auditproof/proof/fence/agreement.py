"""Compares the server's counters with its log, batch by batch, to show that the log is complete."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.errors import AuditproofError
from auditproof.kube.attributes import attributes_of
from auditproof.proof.clock import PRECISION, SAME, measured
from auditproof.proof.event_match import offset_of
from auditproof.proof.fence.batch_log import Asked
from auditproof.proof.fence.server_metrics import METRICS, Metrics
from auditproof.proof.fence.uncounted import Counted, miscounted, uncounted
from auditproof.wait import TimedOut, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime, timedelta

    from auditproof.audit.decide import Decision
    from auditproof.audit.event import AuditEvent
    from auditproof.auditlog.metrics import Scrape
    from auditproof.client.exchange import Exchange
    from auditproof.kube.attributes import Attributes, UserInfo
    from auditproof.proof.clock import Clock
    from auditproof.proof.fence.batch_log import BatchLog
    from auditproof.setup.admin import AdminClient

BASE_TIMEOUT_S = 10.0  # how long a log may take to agree with the counters before anything is performed
MOST_OFFSETS, FEW_OFFSETS = 512, 8
QUIET_S = 0.5  # how long a moment without other clients is waited for
# The policy is evaluated for every request, including the first ones to /readyz, unless the filter is not installed.
AUDIT_OFF = (
    "audit is off: this API server has no policy (--audit-policy-file) or no backend "
    "(--audit-log-path, --audit-webhook-config-file), so it records nothing at all"
)
TOO_BUSY = (
    "the API server records so much other traffic that its counters and its log were never seen to agree: "
    "it is unknown whether the log is complete"
)


@dataclass(frozen=True, slots=True)
class Agreed:
    """The result of comparing log and counters after a batch.

    ``unsound`` are reasons why nothing in the log can be relied on, ``doubts`` say that events were lost, ``unclear``
    is why it is unknown whether events were lost.
    """

    after: Scrape | None
    unsound: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    unclear: str | None = None


class Agreement:
    """Compares a log with the counters of its server or servers.

    ``own``: this run started the server together with its log, on the same machine and so with the same clock.
    ``idle``: no controllers use it, so it is worth waiting for a moment in which only auditproof sends requests.
    """

    def __init__(self, log: BatchLog, admin: AdminClient, servers: int, *, own: bool, idle: bool) -> None:
        self._log, self._admin, self._own, self._idle = log, admin, own, idle
        self._metrics = Metrics(admin, servers)
        self._before: Scrape | None = None
        self._asker: UserInfo | None = None
        self._base: int | None = None  # counted events without a known line, from before the first batch
        self._busy: str | None = None
        self._unread: str | None = None
        self._offsets: list[tuple[timedelta, timedelta]] = []
        self._last: Scrape | None = None  # the reading that closed the last batch
        self.asked = Asked()

    @property
    def blind(self) -> str | None:
        """Why the counters cannot be read; None if they can."""
        return self._metrics.blind

    @property
    def clock(self) -> Clock:
        """The offset of the server's clock."""
        return SAME if self._own else measured(self._offsets)

    @property
    def _clock_now(self) -> Clock:
        """The offset by the latest exchanges only, without an allowance for drift."""
        return SAME if self._own else measured(self._offsets[-FEW_OFFSETS:], PRECISION)

    @property
    def _counts(self) -> bool:
        """Whether the log can be reconciled with the counters."""
        return self._log.in_order and not self.blind and not self._unread

    def note_clock(self, events: Sequence[AuditEvent], sent: datetime, answered: datetime) -> None:
        """Note what an exchange shows about the server's clock, if that is another machine's."""
        offset = offset_of(events[0], sent, answered) if events and not self._own else None
        if offset is not None:
            self._offsets = [*self._offsets[-MOST_OFFSETS:], offset]

    def open(self, asked: Asked, settle: Callable[[], object]) -> None:
        """Read the log to its end and the counters, before a batch; ``settle`` waits for late events first.

        Raises AuditproofError if either cannot be read, or if the server has evaluated no policy at all.
        """
        self.asked = asked
        if self._before is None and not self.blind and (first := self._metrics.first()) is not None:
            if not sum(first.counters.levels.values()):
                raise AuditproofError(AUDIT_OFF)  # there may be no log either
            self._unread = self._admin.unread_servers() if self._log.in_order else None
            self._asker = self._admin.user()
        if not self._log.catch_up(restart=self._base is None, whole=self._own and self._counts):
            self._base = None
        if self.blind:
            return
        set_up = self._admin.take_asked()
        if self._own and self._last is not None and self._asker is not None:  # another reading would show nothing new
            self._before = self._last
            asked.extra += [attributes_of(method, uri, self._asker) for method, uri, _ in set_up]
            asked.ids.update(audit_id for _, _, audit_id in set_up)
        else:
            self._before = self._metrics.read()
        if self._counts and self._base is None:
            self._find_base(settle)
            asked.extra.clear()
            asked.answered.clear()

    def _find_base(self, settle: Callable[[], object]) -> None:
        """Find how many counted events have no known line, before anything is performed.

        That is none if the log began with the server and was not rotated; otherwise all events before the place at
        which reading began.
        """
        # An own log began with the server, so nothing should be missing. Only if that was not seen for half of the time
        # is a constant number of missing lines accepted.
        patient = time.monotonic() + BASE_TIMEOUT_S / 2
        until = time.monotonic() + QUIET_S

        def look() -> int | None:
            self._before = self._scrape()
            if self._own and self._log.reconciler.most_missing(SAME) == 0:
                return 0 if self._is_quiet(self._before, until) else None
            exact = self._log.reconciler.missing(self._clock_now)
            return None if self._own and time.monotonic() < patient else exact

        self._busy = None
        try:
            if not self._own:
                settle()
            self._base = wait_until(look, what="a quiet moment of the API server", timeout_s=BASE_TIMEOUT_S)
        except TimedOut:
            self._busy = TOO_BUSY

    def ask(self) -> Scrape:
        """Read the counters, which is itself an audited request. Raises AuditproofError."""
        scrape = self._metrics.read()
        self.asked.ids.update(scrape.audit_ids)
        if self._asker is not None:
            self.asked.extra += [attributes_of("GET", METRICS, self._asker)] * len(scrape.audit_ids)
        return scrape

    def counted_since(self) -> int:
        """How many events the server has counted since the batch began. Raises AuditproofError."""
        if self.blind:
            raise AuditproofError(self.blind)
        assert self._before is not None
        return self.ask().counters.events - self._before.counters.events

    def _scrape(self) -> Scrape:
        """Read the log to its end, the counters, and the log again."""
        self._log.read()
        scrape = self.ask()
        self._log.reconciler.scraped(scrape)
        self._log.read()
        return scrape

    def _is_quiet(self, scrape: Scrape, until: float) -> bool:
        """Whether no other client sent a request while the counters were read.

        Taken for granted on a server that is not idle, and after ``until`` (seconds of the monotonic clock).
        Such a request may be counted or not, and so hide that a level in the log is not the one that was decided.
        """
        if not self._idle or time.monotonic() > until:
            return True
        begun, ended = scrape.started + SAME.least, scrape.finished + SAME.most
        return not self._log.reconciler.others(begun, ended) - self.asked.ids

    def close(self, patience_s: float) -> Agreed:
        """Wait up to ``patience_s`` seconds until log and counters agree about the batch. Raises AuditproofError."""
        # A batch that fails from here on must not lend an older reading to the next one.
        self._last = None
        agreed = self._agree(patience_s)
        self._last = agreed.after
        self._admin.take_asked()  # the last reading contains them
        return agreed

    def _agree(self, patience_s: float) -> Agreed:
        if self.blind:
            return Agreed(None, unclear=self.blind)
        if not self._counts or self._base is None:
            after = self.ask()
            return Agreed(after, doubts=self._lost(after), unclear=self._unread or self._busy)
        reconciler, last = self._log.reconciler, self._before
        reconciler.keep()
        until = time.monotonic() + min(QUIET_S, patience_s / 2)

        def look() -> tuple[int, int] | None:
            """How many events are missing now and were before the batch; None while log and counters do not agree."""
            nonlocal last
            last = self._scrape()
            base = self._base_now()
            if self._log.problems or self._lost(last):  # then events are known to be missing anyway
                return base, base
            whole = {base, 0} if self._own else {base}  # events that were late when an own log began may have arrived
            if (too_many := reconciler.too_many(min(whole))) > 0:
                return min(whole) - too_many, min(whole)
            if not self._is_quiet(last, until):
                return None
            return next(((missing, missing) for missing in whole if reconciler.says(missing, self._clock_now)), None)

        try:
            missing, base = wait_until(look, what="log and counters to agree", timeout_s=patience_s)
        except TimedOut:
            base, self._base = self._base_now(), None
            least = reconciler.least_missing(self._clock_now) - base
            most = reconciler.most_missing(self._clock_now) - base
            if least > 0:
                why = f"the log holds {least} fewer events than the server has counted: it is not complete"
                return Agreed(last, unsound=(why,))
            return Agreed(last, unclear=f"up to {most} events that the server has counted may be missing in the log")
        doubts = self._lost(last)
        if missing != base:
            self._base = None
            why = f"the log holds {base - missing} more events than the server has counted: something else writes to it"
            return Agreed(last, (why,), doubts)
        self._base = None if doubts else missing  # lost events have no line, so count them again
        return Agreed(last, (), doubts)

    def _base_now(self) -> int:
        """How many events were missing before the first batch, as known now: lines may have arrived late."""
        assert self._base is not None
        if self._own and self._base == 0:
            return 0
        kept = self._log.reconciler.kept
        return min((reading.missing(self._clock_now)[1] for reading in kept), default=self._base)

    def _lost(self, scrape: Scrape | None) -> tuple[str, ...]:
        """Doubts from the counters: the server lost events, or another process responds now."""
        if scrape is None or self._before is None:
            return ()
        before, after = self._before.counters, scrape.counters
        if after.process_start != before.process_start:
            return ("the API server was restarted in between",)
        lost, rejected = after.lost - before.lost, after.rejected - before.rejected
        if not lost and not rejected:
            return ()
        return (f"the server counts {lost} lost audit events and {rejected} rejected requests",)

    def decisions(
        self, sent: Sequence[Exchange], agreed: Agreed, decide: Callable[[Attributes], Decision]
    ) -> tuple[dict[str, str], str | None]:
        """Compare the counted decisions of the policy with the requests that were sent.

        Returns a doubt, by Audit-ID, about each action without an event that the server may never have seen; and why
        the levels in the log cannot be the server's own, usually None.
        """
        recorded = self._log.events.keys()
        if agreed.after is None:
            return {}, None
        assert self._before is not None
        before, after, shown = self._before, agreed.after, {}
        if self._counts:
            clock = self._clock_now
            # Only requests received between the two readings, by the server's clock, are certainly in the difference.
            shown = self._log.reconciler.requests(before.finished + clock.most, after.started + clock.least)
            # Whatever a clock says, what was sent after the one and answered before the other is.
            shown |= self._log.reconciler.levels({each.audit_id for each in sent if each.status} | self.asked.answered)
        others = [level for name, level in shown.items() if name not in self.asked.ids]
        counted = Counted(before.counters, after.counters, self.asked.extra, others)
        return uncounted(sent, recorded, counted, decide), None if agreed.doubts or agreed.unsound else miscounted(
            shown, counted
        )
