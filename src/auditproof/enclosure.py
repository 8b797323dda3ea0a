"""The fence around a batch of actions, at work on a real server and its log.

``open`` notes where the log ends and what the server's counters say. ``close`` sends the follow-up requests and the
sentinel (see ``fence``), reads the log up to the sentinel's event, and answers with everything found and every doubt.

Nothing rests on the log alone: it must hold exactly as many events as the server has counted (see ``reconcile``), and
the policy must have been asked about as many requests as were sent (see ``uncounted``).

A log that is in no order (a webhook in batch mode) is complete only when it holds as many events as the server has
counted since it started, and none was written off: the sentinel's event alone would show nothing about earlier ones.
"""

from __future__ import annotations

import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from auditproof.action import Request
from auditproof.attributes import attributes_of
from auditproof.audit import Stage
from auditproof.clock import PRECISION, SAME, measured
from auditproof.errors import AuditproofError, LogUnreadable
from auditproof.event_match import offset_of
from auditproof.fenced import Fence, Sent
from auditproof.metrics import METRICS, Metrics
from auditproof.reconcile import Reconciler
from auditproof.settling import end_shows, is_over
from auditproof.uncounted import Counted, miscounted, uncounted
from auditproof.verdict import NOT_STORED
from auditproof.wait import TimedOut, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import timedelta

    from auditproof.admin import Admin
    from auditproof.attributes import Attributes, UserInfo
    from auditproof.audit import AuditEvent, Level
    from auditproof.auditlog import AuditLog, Mark
    from auditproof.clock import Clock
    from auditproof.counters import Scrape
    from auditproof.decide import Decision
    from auditproof.fence import Sentinel
    from auditproof.identity import Identity
    from auditproof.wire import Response, Wire

DEATH_TIMEOUT_S = 1.0
FENCE_TIMEOUT_S = 10.0  # how long the sentinel's event may take into the log; in blocking mode it is there at once
BASE_TIMEOUT_S = 10.0  # how long a log may take to agree with the counters before anything is performed
MOST_OFFSETS, FEW_OFFSETS = 512, 8
REACH = 16  # sentinels that are tried for each log, until each has seen one
# The policy is evaluated for every request, the very first ones of /readyz too, unless the filter is not installed.
AUDIT_OFF = (
    "audit is off: this API server has no policy (--audit-policy-file) or no backend "
    "(--audit-log-path, --audit-webhook-config-file), so it records nothing at all"
)
FOLLOW_UP = Request("GET", "/version")
AGENT = "auditproof/"
USER_AGENT = f"{AGENT}fence"


@dataclass(slots=True)
class _Seen:
    """What has been read of the log so far."""

    mark: Mark
    events: dict[str, list[AuditEvent]] = field(default_factory=lambda: defaultdict(list))
    problems: list[str] = field(default_factory=list)
    places: dict[str, int] = field(default_factory=dict)  # the log in which an event was read last


class Enclosure:
    """Opens and closes fences on one server; a fence's end is the next one's beginning."""

    def __init__(
        self,
        log: AuditLog,
        admin: Admin,
        sentinel: Sentinel | None,
        new_wire: Callable[[Identity], Wire],
        next_id: Callable[[], str],
        died: Callable[[], str],
        decide: Callable[[Attributes], Decision],
        request_log: Callable[[], str],
        servers: int = 1,
        *,
        own: bool = True,
    ) -> None:
        self._log = log
        self._servers = servers
        self._request_log = request_log
        self._sentinel = sentinel
        self._new_wire = new_wire
        self._next_id = next_id
        self._died = died
        self._patience_s = FENCE_TIMEOUT_S
        self._decide = decide
        self._metrics = Metrics(admin, servers)
        self._admin = admin
        self._before: Scrape | None = None
        self._unread = ""  # why what is not in the log may be in another one
        self._busy = ""  # why nobody can say whether the log is whole
        self._mark: Mark | None = None
        self._lines = 0
        self._wires: dict[int, Wire] = {}  # of the sentinel, to the server of each log
        self._own = own
        self._reconciler = Reconciler()
        self._base: int | None = None  # how many counted events no line is known of, from before the first batch
        self._offsets: list[tuple[timedelta, timedelta]] = []
        self._beside: list[Attributes] = []  # what was asked in this batch beside its actions
        self._ours: set[str] = set()  # the Audit-IDs of all that was asked in this batch
        self._agents: dict[str, str] = {}  # the Audit-ID of each action, by its User-Agent
        self._strangers: dict[str, str] = {}  # another Audit-ID, by the User-Agent of an action
        self._asker: UserInfo | None = None

    @property
    def _counts(self) -> bool:
        """Whether the log can be reconciled with the counters."""
        return self._log.in_order and not self._metrics.blind and not self._unread

    @property
    def _clock(self) -> Clock:
        return SAME if self._own else measured(self._offsets)

    @property
    def _clock_now(self) -> Clock:
        """As exact as it is known at the moment."""
        return SAME if self._own else measured(self._offsets[-FEW_OFFSETS:], PRECISION)

    def open(self) -> None:
        """Note the end of the log and the counters.

        Raises AuditproofError where either cannot be read: then nothing should be performed.
        """
        if self._before is None and not self._metrics.blind and self._metrics.first() is not None:
            self._unread = self._admin.unread() if self._log.in_order else ""
            self._asker = self._admin.user()
        self._reconciler.forget()
        self._catch_up()
        if not self._metrics.blind:
            self._before = self._metrics.read()
            if not sum(self._before.counters.levels.values()):
                raise AuditproofError(AUDIT_OFF)
            if self._counts and self._base is None:
                self._find_base()
        self._beside, self._ours = [], set()

    def _catch_up(self) -> None:
        """Read on to the present end of the log; where it begins anew, so does what is counted of it."""
        if self._mark is None or (self._log.in_order and self._base is None):
            whole = not self._log.in_order or (self._own and self._counts)
            self._mark = self._log.beginning() if whole else self._log.mark()
        if not self._log.in_order:
            return
        try:
            self._read(_Seen(self._mark), set())
        except LogUnreadable:
            self._mark, self._base = self._log.mark(), None

    def _find_base(self) -> None:
        """Find how many events were counted of which no line is known, before anything is performed.

        That is none where the log began with the server, and was not rotated away; else all that stood before the
        place where we began to read.
        """
        assert self._mark is not None
        seen = _Seen(self._mark)

        def look() -> int | None:
            self._before = self._scrape(seen, set())
            if self._own and self._reconciler.most_missing(SAME) == 0:
                return 0
            exact = self._reconciler.missing(self._clock_now)
            return None if self._own and time.monotonic() < patient else exact

        patient = time.monotonic() + BASE_TIMEOUT_S / 2
        self._busy = ""
        try:
            if not self._own and self._sentinel is not None:
                self._read_to_sentinel(seen, set())  # what comes late has come by then
            self._base = wait_until(look, what="a quiet moment of the API server", timeout_s=BASE_TIMEOUT_S)
        except TimedOut:
            self._busy = (
                "the API server records so much beside this run that its counters and its log were never seen to "
                "agree: nobody can say whether the log is whole"
            )
        self._mark = seen.mark

    def _ask(self) -> Scrape:
        """Read the counters, which is a request like any other."""
        scrape = self._metrics.read()
        self._ours.update(scrape.audit_ids)
        if self._asker is not None:
            self._beside += [attributes_of("GET", METRICS, self._asker)] * len(scrape.audit_ids)
        return scrape

    def _scrape(self, seen: _Seen, wanted: set[str]) -> Scrape:
        """Read the log to its end, the counters, and the log again."""
        self._read(seen, wanted)
        scrape = self._ask()
        self._reconciler.scraped(scrape)
        self._read(seen, wanted)
        return scrape

    def close(self, sent: Sequence[Sent], patience_s: float = FENCE_TIMEOUT_S) -> Fence:
        """Fence everything in ``sent``; never raises: what goes wrong is a doubt.

        ``patience_s`` is how long the fence may take into the log.
        """
        self._patience_s = patience_s
        assert self._mark is not None, "close() without open()"
        seen = _Seen(self._mark)
        wanted = {item.exchange.audit_id for item in sent}
        self._ours |= wanted
        self._agents = {item.exchange.user_agent or "": item.exchange.audit_id for item in sent}
        self._strangers = {}
        doubts: list[str] = []
        unsound: list[str] = []
        closed: frozenset[tuple[Wire, int]] = frozenset()
        over: frozenset[str] = frozenset()
        text, missed = "", dict[str, str]()
        try:
            closed = self._follow_up(sent)
            over = self._settle(sent, closed, seen, wanted)
            text = self._read_to_sentinel(seen, wanted) if self._sentinel else self._read_to_end(seen, wanted)
            text += self._wait_for_all(seen, wanted)
            self._note_clock(sent, seen)
            after, unsound, unclear = self._reconcile(seen, wanted)
            doubts += self._lost(after)
            counted, shown = self._counted(after)
            unsound += [why] if not doubts and counted and (why := miscounted(shown, counted)) else []
            missed = self._uncounted(sent, counted, seen, unclear)
        except AuditproofError as error:
            doubts.append(f"the fence was not seen: {error}")
            doubts += self._death()
            self._read_what_is_there(seen, wanted)
        doubts += seen.problems
        self._mark = seen.mark
        clock = self._clock
        text += f"; {clock.text()}" if clock.text() else ""
        events = {audit_id: self._in_order(found) for audit_id, found in seen.events.items()}
        return Fence(text, tuple(doubts), closed, events, over, missed, tuple(unsound), clock, self._strangers)

    def _in_order(self, events: list[AuditEvent]) -> tuple[AuditEvent, ...]:
        """The events of a request as they happened, where the log keeps no order."""
        places = list(Stage)
        return tuple(events if self._log.in_order else sorted(events, key=lambda event: places.index(event.stage)))

    def _note_clock(self, sent: Sequence[Sent], seen: _Seen) -> None:
        """Note what each exchange says of the server's clock, where it is not ours."""
        if self._own:
            return
        for item in sent:
            for event in seen.events.get(item.exchange.audit_id, ())[:1]:
                offset = offset_of(event, item.exchange.started, item.exchange.finished)
                self._offsets += [offset] if offset else []
        del self._offsets[:-MOST_OFFSETS]

    def _base_now(self) -> int:
        """What was missing before the first batch, as far as is known by now: lines may have come late."""
        assert self._base is not None
        if self._own and self._base == 0:
            return 0
        return min((reading.missing(self._clock_now)[1] for reading in self._reconciler.kept), default=self._base)

    def _reconcile(self, seen: _Seen, wanted: set[str]) -> tuple[Scrape | None, list[str], str]:
        """The counters after everything; why the log is not sound; and why nobody can say whether it is whole."""
        if self._metrics.blind:
            return None, [], ""
        if not self._counts or self._base is None:
            return self._ask(), [], self._busy
        last: Scrape | None = self._before
        self._reconciler.keep()

        def look() -> tuple[int, int] | None:
            """What is missing now, and what was before; None while the two are not seen to agree."""
            nonlocal last
            last = self._scrape(seen, wanted)
            base, missing = self._base_now(), self._reconciler.most_missing(self._clock_now)
            told = seen.problems or self._lost(last)  # then it is known anyway that something is missing
            return (base, base) if told else (missing, base) if missing <= base else None

        try:
            missing, base = wait_until(look, what="log and counters to agree", timeout_s=self._patience_s)
        except TimedOut:
            base, self._base = self._base_now(), None
            least = self._reconciler.least_missing(self._clock_now) - base
            most = self._reconciler.most_missing(self._clock_now) - base
            if least > 0:
                return last, [f"the log holds {least} fewer events than the server has counted: it is not whole"], ""
            return last, [], f"up to {most} events that the server has counted may be missing in the log"
        self._base = missing if self._base is not None else None
        if missing == base or (self._own and missing == 0):
            return last, [], ""
        self._base = None
        more = base - missing
        return last, [f"the log holds {more} more events than the server has counted: something adds to it"], ""

    def _death(self) -> list[str]:
        """What ended, if anything did: a process that is killed closes its connections a moment before it is gone."""
        try:
            what = "the end of a server that does not answer"
            return [wait_until(lambda: self._died() or None, what=what, timeout_s=DEATH_TIMEOUT_S)]
        except TimedOut:
            return []

    def end(self) -> None:
        """Close the sentinel's connections."""
        for wire in self._wires.values():
            wire.close()

    def _follow_up(self, sent: Sequence[Sent]) -> frozenset[tuple[Wire, int]]:
        """One more request on every wire; where it came over the same connection, what was before it is done."""
        wires = dict.fromkeys(item.wire for item in sent)
        users = {item.wire: item.exchange.identity.user_info() for item in sent}
        closed = set()
        for wire in wires:
            audit_id = self._next_id()
            self._ours.add(audit_id)
            answer = wire.send(FOLLOW_UP, audit_id=audit_id, user_agent=USER_AGENT)
            if not answer.error and answer.header("Audit-Id") == audit_id:
                closed.add((wire, answer.connection))
                self._beside.append(attributes_of(FOLLOW_UP.method, FOLLOW_UP.uri, users[wire]))
        return frozenset(closed)

    def _settle(
        self, sent: Sequence[Sent], closed: frozenset[tuple[Wire, int]], seen: _Seen, wanted: set[str]
    ) -> frozenset[str]:
        """The Audit-IDs of requests that are seen to be over although their connection does not show it.

        It is waited for those whose end can show at all; what does not show is a doubt, not an error.
        """
        fence = Fence("", (), closed, {})
        still_open = {item.exchange.audit_id: item for item in sent if not fence.settles(item)}
        over: set[str] = set()

        def look() -> bool | None:
            self._read(seen, wanted)
            log = self._request_log() if still_open else ""
            over.update(
                name for name, item in still_open.items() if is_over(item.exchange, seen.events.get(name, ()), log)
            )
            return True if over >= {name for name in still_open if shows(name, bool(log))} else None

        def shows(name: str, logs: bool) -> bool:
            exchange = still_open[name].exchange
            return end_shows(exchange, self._decide(exchange.attributes), logs=logs)

        if still_open:
            with suppress(TimedOut):
                wait_until(look, what="requests to end", timeout_s=self._patience_s)
        return frozenset(over)

    def _read_to_sentinel(self, seen: _Seen, wanted: set[str]) -> str:
        """Send sentinels until one has been read back from each log; mostly there is one log."""
        assert self._sentinel is not None
        missing, known, audit_id = set(range(self._servers)), dict(self._wires), ""
        for _ in range(self._servers * (REACH if self._servers > 1 else 1)):
            place = next((n for n in sorted(missing) if n in known), None)
            wire = self._new_wire(self._sentinel.identity) if place is None else known.pop(place)
            answer = self._send_sentinel(wire)
            audit_id = answer.audit_id
            what = f"the event of the sentinel {audit_id} in the audit log"
            wait_until(lambda name=audit_id: self._look_for(name, seen, wanted), what=what, timeout_s=self._patience_s)  # type: ignore[misc]
            offset = offset_of(seen.events[audit_id][0], answer.started, answer.finished)
            self._offsets += [offset] if offset and not self._own else []
            if self._wires.setdefault(seen.places[audit_id], wire) is not wire:
                wire.close()
            missing.discard(seen.places[audit_id])
            if not missing:
                return self._fence_text(audit_id)
        raise AuditproofError(f"{len(missing)} of {self._servers} logs are of no API server behind this address")

    def _send_sentinel(self, wire: Wire) -> Response:
        assert self._sentinel is not None
        audit_id, request = self._next_id(), self._sentinel.request
        self._ours.add(audit_id)
        response = wire.send(request, audit_id=audit_id, user_agent=USER_AGENT)
        if response.error:
            raise AuditproofError(f"the sentinel got no answer: {response.error}")
        if response.status == 500 and NOT_STORED in response.body:
            raise AuditproofError("the server refuses requests that it cannot record, the sentinel, too")
        if response.header("Audit-Id") != audit_id:
            raise AuditproofError(f"the sentinel was answered {response.status} without its Audit-ID, by somebody else")
        self._beside.append(attributes_of(request.method, request.uri, self._sentinel.identity.user_info()))
        return response

    def _fence_text(self, audit_id: str) -> str:
        assert self._sentinel is not None
        request, who = self._sentinel.request, self._sentinel.identity
        where = "the log" if self._servers == 1 else f"each of {self._servers} logs (the last one)"
        return f"{request.method} {request.uri} by {who}, Audit-ID {audit_id}, read back from {where}"

    def _wait_for_all(self, seen: _Seen, wanted: set[str]) -> str:
        """The rest of the fence of a log in no order: every event that the server has counted must be there.

        Raises AuditproofError where one is missing, which may still come, or may be one that the server wrote off.
        """
        if self._log.in_order:
            return ""
        if self._metrics.blind:
            raise AuditproofError(self._metrics.blind)

        def look() -> int | None:
            before = self._ask().counters
            self._read(seen, wanted)
            after = self._ask().counters
            return after.events if before.events == after.events == self._lines and not after.lost else None

        try:
            count = wait_until(look, what="all events to come", timeout_s=self._patience_s)
        except TimedOut:
            counted = self._ask().counters.events
            raise AuditproofError(
                f"this log is in no order, and holds {self._lines} of the {counted} events that the server counts: "
                "the others may still come"
            ) from None
        return f"; all {count} events that the server counts are there"

    def _look_for(self, audit_id: str, seen: _Seen, wanted: set[str]) -> bool | None:
        self._read(seen, wanted | {audit_id})
        return True if audit_id in seen.events else None

    def _read(self, seen: _Seen, wanted: set[str]) -> None:
        events = 0

        def look(event: AuditEvent) -> bool:
            nonlocal events
            events += 1
            self._reconciler.take(event)
            agent = event.raw.get("userAgent", "")
            if self._agents.get(agent, event.audit_id) != event.audit_id and agent.startswith(AGENT):
                self._strangers[agent] = event.audit_id
            return event.audit_id in wanted

        part = self._log.read(seen.mark, look)
        self._reconciler.take_others(part.lines - events)
        seen.mark = part.end
        self._mark = part.end if self._log.in_order else self._mark
        self._lines += part.lines
        seen.problems += part.problems
        for place, one in enumerate(part.parts or (part,)):
            for event in one.events:
                seen.events[event.audit_id].append(event)
                seen.places[event.audit_id] = place

    def _read_what_is_there(self, seen: _Seen, wanted: set[str]) -> None:
        """What was recorded is evidence without a fence, too: only absence needs one."""
        with suppress(LogUnreadable):
            self._read(seen, wanted)

    def _read_to_end(self, seen: _Seen, wanted: set[str]) -> str:
        """The fence of a policy that records nothing: the server must not have counted a single event."""
        if self._metrics.blind:
            raise AuditproofError(self._metrics.blind)
        assert self._before is not None
        before, after = self._before.counters, self._ask().counters
        self._read(seen, wanted)
        if after.events != before.events:
            raise AuditproofError(
                "auditproof found no request that this policy records, yet the server counted "
                f"{after.events - before.events} audit events"
            )
        return f"this policy records nothing: apiserver_audit_event_total stayed {after.events}"

    def _lost(self, scrape: Scrape | None) -> list[str]:
        """Doubts out of the counters: events that the server wrote off, or another process that answers now."""
        if scrape is None:
            return []
        assert self._before is not None
        before, after = self._before.counters, scrape.counters
        if after.process_start != before.process_start:
            self._base = None
            return ["the API server was restarted in between"]
        lost, rejected = after.lost - before.lost, after.rejected - before.rejected
        if not lost and not rejected:
            return []
        self._base = None  # what was lost has no line
        return [f"the server counts {lost} lost audit events and {rejected} rejected requests"]

    def _counted(self, after: Scrape | None) -> tuple[Counted | None, dict[str, Level]]:
        """What was counted of the policy's decisions since the batch began, and what the log shows of them."""
        if after is None:
            return None, {}
        assert self._before is not None
        if not self._counts:
            return Counted(self._before.counters, after.counters, self._beside), {}
        clock = self._clock_now
        shown = self._reconciler.requests(self._before.finished + clock.most, after.started + clock.least)
        others = [level for name, level in shown.items() if name not in self._ours]
        return Counted(self._before.counters, after.counters, self._beside, others), shown

    def _uncounted(self, sent: Sequence[Sent], counted: Counted | None, seen: _Seen, unclear: str) -> dict[str, str]:
        """A doubt for each action without an event that was not counted, or may be recorded where nobody looks."""
        exchanges = [item.exchange for item in sent]
        if why := self._metrics.blind or self._unread or unclear:
            return {each.audit_id: why for each in exchanges if each.audit_id not in seen.events}
        return uncounted(exchanges, seen.events, counted, self._decide) if counted else {}
