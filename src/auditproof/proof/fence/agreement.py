"""Whether the log that is read is all that the server has recorded: its counters held against it, batch by batch."""

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
# The policy is evaluated for every request, the very first ones of /readyz too, unless the filter is not installed.
AUDIT_OFF = (
    "audit is off: this API server has no policy (--audit-policy-file) or no backend "
    "(--audit-log-path, --audit-webhook-config-file), so it records nothing at all"
)
TOO_BUSY = (
    "the API server records so much beside this run that its counters and its log were never seen to agree: "
    "nobody can say whether the log is whole"
)


@dataclass(frozen=True, slots=True)
class Agreed:
    """What a batch came to.

    ``unsound`` say why nothing that the log holds can be relied on, ``doubts`` that something was lost, and ``unclear``
    why nobody can say whether anything was.
    """

    after: Scrape | None
    unsound: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    unclear: str = ""


class Agreement:
    """Holds a log against the counters of its server or servers.

    ``own``: the server is ours, begun with its log, and its clock is our clock. ``blind`` says why the counters cannot
    be read, ``unread`` why events may be in a log that nobody reads; both are mostly empty.
    """

    def __init__(self, log: BatchLog, admin: AdminClient, servers: int, *, own: bool) -> None:
        self._log, self._admin, self._own = log, admin, own
        self._metrics = Metrics(admin, servers)
        self._before: Scrape | None = None
        self._asker: UserInfo | None = None
        self._base: int | None = None  # how many counted events no line is known of, from before the first batch
        self._busy = self._unread = ""
        self._offsets: list[tuple[timedelta, timedelta]] = []
        self._last: Scrape | None = None  # the reading by which the last batch ended
        self.asked = Asked()

    @property
    def blind(self) -> str:
        """Why the counters cannot be read."""
        return self._metrics.blind

    @property
    def clock(self) -> Clock:
        """How far the server's clock is ahead."""
        return SAME if self._own else measured(self._offsets)

    @property
    def _clock_now(self) -> Clock:
        """As exact as it is known at the moment."""
        return SAME if self._own else measured(self._offsets[-FEW_OFFSETS:], PRECISION)

    @property
    def _counts(self) -> bool:
        """Whether the log can be reconciled with the counters."""
        return self._log.in_order and not self.blind and not self._unread

    def note_clock(self, events: Sequence[AuditEvent], sent: datetime, answered: datetime) -> None:
        """Note what an exchange says of the server's clock, where it is not ours."""
        offset = offset_of(events[0], sent, answered) if events and not self._own else None
        if offset is not None:
            self._offsets = [*self._offsets[-MOST_OFFSETS:], offset]

    def open(self, asked: Asked, settle: Callable[[], object]) -> None:
        """Read the log to its end and the counters, before a batch; ``settle`` lets what comes late come first.

        Raises AuditproofError where either cannot be read, or nothing is counted at all.
        """
        self.asked = asked
        if self._before is None and not self.blind and (first := self._metrics.first()) is not None:
            if not sum(first.counters.levels.values()):
                raise AuditproofError(AUDIT_OFF)  # there may be no log either
            self._unread = (self._admin.unread_servers() or "") if self._log.in_order else ""
            self._asker = self._admin.user()
        if not self._log.catch_up(anew=self._base is None, whole=self._own and self._counts):
            self._base = None
        if self.blind:
            return
        set_up = self._admin.take_asked()
        if self._own and self._last is not None and self._asker is not None:  # another reading would say nothing new
            self._before = self._last
            asked.beside += [attributes_of(method, uri, self._asker) for method, uri, _ in set_up]
            asked.ids.update(audit_id for _, _, audit_id in set_up)
        else:
            self._before = self._metrics.read()
        if self._counts and self._base is None:
            self._find_base(settle)
            asked.beside.clear()

    def _find_base(self, settle: Callable[[], object]) -> None:
        """Find how many events were counted of which no line is known, before anything is performed.

        That is none where the log began with the server, and was not rotated away; else all that stood before the
        place where we began to read.
        """
        patient = time.monotonic() + BASE_TIMEOUT_S / 2

        def look() -> int | None:
            self._before = self._scrape()
            if self._own and self._log.reconciler.most_missing(SAME) == 0:
                return 0
            exact = self._log.reconciler.missing(self._clock_now)
            return None if self._own and time.monotonic() < patient else exact

        self._busy = ""
        try:
            if not self._own:
                settle()
            self._base = wait_until(look, what="a quiet moment of the API server", timeout_s=BASE_TIMEOUT_S)
        except TimedOut:
            self._busy = TOO_BUSY

    def ask(self) -> Scrape:
        """Read the counters, which is a request like any other. Raises AuditproofError."""
        scrape = self._metrics.read()
        self.asked.ids.update(scrape.audit_ids)
        if self._asker is not None:
            self.asked.beside += [attributes_of("GET", METRICS, self._asker)] * len(scrape.audit_ids)
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

    def close(self, patience_s: float) -> Agreed:
        """Wait until log and counters agree about the batch, for so many seconds. Raises AuditproofError."""
        self._last = None
        agreed = self._agree(patience_s)
        self._last = agreed.after
        self._admin.take_asked()  # it is in that reading
        return agreed

    def _agree(self, patience_s: float) -> Agreed:
        if self.blind:
            return Agreed(None, unclear=self.blind)
        if not self._counts or self._base is None:
            after = self.ask()
            return Agreed(after, doubts=self._lost(after), unclear=self._unread or self._busy)
        reconciler, last = self._log.reconciler, self._before
        reconciler.keep()

        def look() -> tuple[int, int] | None:
            """What is missing now, and what was before; None while the two are not seen to agree."""
            nonlocal last
            last = self._scrape()
            base = self._base_now()
            if self._log.problems or self._lost(last):  # then it is known anyway that something is missing
                return base, base
            whole = {base, 0} if self._own else {base}  # what is late at the beginning of a log of ours may have come
            if (too_many := reconciler.too_many(min(whole))) > 0:
                return min(whole) - too_many, min(whole)
            return next(((missing, missing) for missing in whole if reconciler.says(missing, self._clock_now)), None)

        try:
            missing, base = wait_until(look, what="log and counters to agree", timeout_s=patience_s)
        except TimedOut:
            base, self._base = self._base_now(), None
            least = reconciler.least_missing(self._clock_now) - base
            most = reconciler.most_missing(self._clock_now) - base
            if least > 0:
                why = f"the log holds {least} fewer events than the server has counted: it is not whole"
                return Agreed(last, unsound=(why,))
            return Agreed(last, unclear=f"up to {most} events that the server has counted may be missing in the log")
        doubts = self._lost(last)
        if missing != base:
            self._base = None
            why = f"the log holds {base - missing} more events than the server has counted: something adds to it"
            return Agreed(last, (why,), doubts)
        self._base = None if doubts else missing  # what was lost has no line
        return Agreed(last, (), doubts)

    def _base_now(self) -> int:
        """What was missing before the first batch, as far as is known by now: lines may have come late."""
        assert self._base is not None
        if self._own and self._base == 0:
            return 0
        kept = self._log.reconciler.kept
        return min((reading.missing(self._clock_now)[1] for reading in kept), default=self._base)

    def _lost(self, scrape: Scrape | None) -> tuple[str, ...]:
        """Doubts out of the counters: events that the server wrote off, or another process that answers now."""
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
    ) -> tuple[dict[str, str], str]:
        """What the counters say of the policy's decisions.

        A doubt, by Audit-ID, about each action without an event that the server may never have seen; and why the levels
        in the log cannot be the server's own, mostly an empty text.
        """
        recorded = self._log.events.keys()
        if agreed.after is None:
            return {}, ""
        assert self._before is not None
        before, after, shown = self._before, agreed.after, {}
        if self._counts:
            clock = self._clock_now
            shown = self._log.reconciler.requests(before.finished + clock.most, after.started + clock.least)
        others = [level for name, level in shown.items() if name not in self.asked.ids]
        counted = Counted(before.counters, after.counters, self.asked.beside, others)
        return uncounted(sent, recorded, counted, decide), "" if agreed.doubts else miscounted(shown, counted)
