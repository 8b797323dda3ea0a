"""The fence around a batch of actions, at work on a real server and its log.

``open`` notes where the log ends and what the server's counters say. ``close`` sends the follow-up requests and the
sentinel (see ``fence``), reads the log up to the sentinel's event, and answers with everything found and every doubt.

A log that is in no order (a webhook in batch mode) is complete only when it holds as many events as the server has
counted since it started, and none was written off: the sentinel's event alone would show nothing about earlier ones.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from auditproof.action import Request
from auditproof.errors import AuditproofError, LogUnreadable
from auditproof.fenced import Fence, Sent
from auditproof.metrics import Metrics
from auditproof.settling import end_shows, is_over
from auditproof.uncounted import uncounted
from auditproof.verdict import NOT_STORED
from auditproof.wait import TimedOut, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from auditproof.admin import Admin
    from auditproof.attributes import Attributes
    from auditproof.audit import AuditEvent
    from auditproof.auditlog import AuditLog, Mark
    from auditproof.counters import Counters
    from auditproof.decide import Decision
    from auditproof.fence import Sentinel
    from auditproof.identity import Identity
    from auditproof.wire import Wire

DEATH_TIMEOUT_S = 1.0
FENCE_TIMEOUT_S = 10.0  # how long the sentinel's event may take into the log; in blocking mode it is there at once
REACH = 16  # sentinels that are tried for each log, until each has seen one
# The policy is evaluated for every request, the very first ones of /readyz too, unless the filter is not installed.
AUDIT_OFF = (
    "audit is off: this API server has no policy (--audit-policy-file) or no backend "
    "(--audit-log-path, --audit-webhook-config-file), so it records nothing at all"
)
FOLLOW_UP = Request("GET", "/version")
USER_AGENT = "auditproof/fence"


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
        self._before: Counters | None = None
        self._unread = ""  # why what is not in the log may be in another one
        self._mark: Mark | None = None
        self._lines = 0
        self._wires: dict[int, Wire] = {}  # of the sentinel, to the server of each log

    def open(self) -> None:
        """Note the end of the log and the counters.

        Raises AuditproofError where either cannot be read: then nothing should be performed.
        """
        if self._before is None and not self._metrics.blind:
            self._before = self._metrics.first()
            self._unread = self._admin.unread() if self._before and self._log.in_order else ""
        if self._before is not None and not sum(self._before.levels.values()):
            raise AuditproofError(AUDIT_OFF)
        if self._log.in_order:
            self._mark = self._log.mark()
        elif self._mark is None:
            self._mark = self._log.beginning()

    def close(self, sent: Sequence[Sent], patience_s: float = FENCE_TIMEOUT_S) -> Fence:
        """Fence everything in ``sent``; never raises: what goes wrong is a doubt.

        ``patience_s`` is how long the fence may take into the log.
        """
        self._patience_s = patience_s
        assert self._mark is not None, "close() without open()"
        seen = _Seen(self._mark)
        wanted = {item.exchange.audit_id for item in sent}
        doubts: list[str] = []
        closed: frozenset[tuple[Wire, int]] = frozenset()
        over: frozenset[str] = frozenset()
        text, missed = "", dict[str, str]()
        before = self._before
        try:
            closed = self._follow_up(sent)
            over = self._settle(sent, closed, seen, wanted)
            text = self._read_to_sentinel(seen, wanted) if self._sentinel else self._read_to_end(seen, wanted)
            text += self._wait_for_all(seen, wanted)
            doubts += self._lost()
            missed = self._uncounted(sent, before, seen)
        except AuditproofError as error:
            doubts.append(f"the fence was not seen: {error}")
            doubts += self._death()
            self._read_what_is_there(seen, wanted)
        doubts += seen.problems
        self._mark = seen.mark
        events = {audit_id: tuple(found) for audit_id, found in seen.events.items()}
        return Fence(text, tuple(doubts), closed, events, over, missed)

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
        answers = ((wire, wire.send(FOLLOW_UP, audit_id=self._next_id(), user_agent=USER_AGENT)) for wire in wires)
        return frozenset((wire, answer.connection) for wire, answer in answers if not answer.error)

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
            audit_id = self._send_sentinel(wire)
            what = f"the event of the sentinel {audit_id} in the audit log"
            wait_until(lambda name=audit_id: self._look_for(name, seen, wanted), what=what, timeout_s=self._patience_s)  # type: ignore[misc]
            if self._wires.setdefault(seen.places[audit_id], wire) is not wire:
                wire.close()
            missing.discard(seen.places[audit_id])
            if not missing:
                return self._fence_text(audit_id)
        raise AuditproofError(f"{len(missing)} of {self._servers} logs are of no API server behind this address")

    def _send_sentinel(self, wire: Wire) -> str:
        assert self._sentinel is not None
        audit_id = self._next_id()
        response = wire.send(self._sentinel.request, audit_id=audit_id, user_agent=USER_AGENT)
        if response.error:
            raise AuditproofError(f"the sentinel got no answer: {response.error}")
        if response.status == 500 and NOT_STORED in response.body:
            raise AuditproofError("the server refuses requests that it cannot record, the sentinel, too")
        return audit_id

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
            before = self._metrics.read()
            self._read(seen, wanted)
            after = self._metrics.read()
            return after.events if before.events == after.events == self._lines and not after.lost else None

        try:
            count = wait_until(look, what="all events to come", timeout_s=self._patience_s)
        except TimedOut:
            raise AuditproofError(
                f"this log is in no order, and holds {self._lines} of the {self._metrics.read().events} events "
                "that the server counts: the others may still come"
            ) from None
        return f"; all {count} events that the server counts are there"

    def _look_for(self, audit_id: str, seen: _Seen, wanted: set[str]) -> bool | None:
        self._read(seen, wanted | {audit_id})
        return True if audit_id in seen.events else None

    def _read(self, seen: _Seen, wanted: set[str]) -> None:
        part = self._log.read(seen.mark, wanted.__contains__)
        seen.mark = part.end
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
        before, after = self._before, self._metrics.read()
        self._read(seen, wanted)
        assert before is not None
        if after.events != before.events:
            raise AuditproofError(
                "auditproof found no request that this policy records, yet the server counted "
                f"{after.events - before.events} audit events"
            )
        return f"this policy records nothing: apiserver_audit_event_total stayed {after.events}"

    def _lost(self) -> list[str]:
        """Doubts out of the counters: events that the server wrote off, or another process that answers now."""
        if self._metrics.blind:
            return []
        before, after = self._before, self._metrics.read()
        self._before = after
        assert before is not None
        if after.process_start != before.process_start:
            return ["the API server was restarted in between"]
        lost, rejected = after.lost - before.lost, after.rejected - before.rejected
        return (
            [f"the server counts {lost} lost audit events and {rejected} rejected requests"] if lost or rejected else []
        )

    def _uncounted(self, sent: Sequence[Sent], before: Counters | None, seen: _Seen) -> dict[str, str]:
        """A doubt for each action without an event that was not counted, or may be recorded where nobody looks."""
        exchanges = [item.exchange for item in sent]
        if why := self._metrics.blind or self._unread:
            return {each.audit_id: why for each in exchanges if each.audit_id not in seen.events}
        assert before is not None and self._before is not None
        return uncounted(exchanges, before, self._before, self._decide)
