"""The fence around a batch of actions on a real server and its log.

``open`` notes the end of the log and the server's counters. ``close`` sends the follow-up requests and the sentinel
(see ``sentinel``), reads the log up to the sentinel's event, and returns all events and every doubt.

The log alone proves nothing: it must hold exactly as many events as the server has counted (see ``reconcile``), and the
policy must have been evaluated for as many requests as were sent (see ``uncounted``).

An unordered log (a webhook in batch mode) is complete only if it holds as many events as the server has counted since
it started, and none was lost: the sentinel's event alone would show nothing about earlier ones.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from auditproof.audit.decide import decide
from auditproof.errors import AuditproofError
from auditproof.kube.action import Request
from auditproof.kube.attributes import attributes_of
from auditproof.kube.capability import Capability
from auditproof.proof.completion import end_shows, is_over
from auditproof.proof.fence.agreement import Agreement
from auditproof.proof.fence.batch_log import Asked, BatchLog
from auditproof.proof.fence.reconcile import AGENT
from auditproof.proof.fence.result import Fence, Sent
from auditproof.proof.verdict import NOT_STORED
from auditproof.wait import TimedOut, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from auditproof.audit.policy.load import Policy
    from auditproof.client.connection import Connection, Response
    from auditproof.proof.connections import Connections
    from auditproof.proof.fence.sentinel import Sentinel
    from auditproof.proof.server_view import ServerView
    from auditproof.setup.admin import AdminClient

DEATH_TIMEOUT_S = 1.0
FENCE_TIMEOUT_S = 10.0  # how long the sentinel's event may take to reach the log; in blocking mode it is there at once
REACH = 16  # attempts per log: behind a balancer each sentinel reaches a server at random
FOLLOW_UP = Request("GET", "/version")
USER_AGENT = f"{AGENT}fence"


class ServerFence:
    """Opens and closes fences on one server; the end of a fence is the beginning of the next one.

    ``running`` is the policy of the server, ``sentinel`` a request that it records, None if it records nothing.
    """

    def __init__(
        self, view: ServerView, admin: AdminClient, running: Policy, sentinel: Sentinel | None, connections: Connections
    ) -> None:
        self._view = view
        self._log = BatchLog(view.log)
        self._servers = view.cluster.servers
        self._decide = partial(decide, running)
        self._sentinel = sentinel
        self._connections = connections
        self._patience_s = FENCE_TIMEOUT_S
        own = not view.cluster.is_shared
        idle = own and Capability.CONTROLLERS not in view.cluster.capabilities
        self._agreement = Agreement(self._log, admin, self._servers, own=own, idle=idle)
        self._asked = Asked()
        self._wires: dict[int, Connection] = {}  # the sentinel's connection to the server of each log

    def open(self) -> None:
        """Note the end of the log and the counters.

        Raises AuditproofError if either cannot be read: then nothing should be performed.
        """
        self._log.forget()
        self._asked = Asked()
        self._agreement.open(self._asked, lambda: self._sentinel and self._read_to_sentinel())

    def close(self, sent: Sequence[Sent], patience_s: float = FENCE_TIMEOUT_S, followed: Iterable[str] = ()) -> Fence:
        """Fence all exchanges in ``sent``; never raises: every error becomes a doubt.

        ``patience_s`` is how long the sentinel's event may take to reach the log, in seconds. ``followed`` are the
        Audit-IDs of other clients' requests whose events are to be kept.
        """
        self._patience_s = patience_s
        exchanges = [item.exchange for item in sent]
        agents = {each.user_agent: each.audit_id for each in exchanges if each.user_agent}
        self._log.want((*(each.audit_id for each in exchanges), *followed), agents)
        self._asked.ids.update(each.audit_id for each in exchanges)
        doubts: list[str] = []
        unsound: list[str] = []
        closed: frozenset[tuple[Connection, int]] = frozenset()
        over: frozenset[str] = frozenset()
        missed: dict[str, str] = {}
        text, unclear = "", None
        try:
            # In this order: a request that is not over when the sentinel is sent may be recorded after it.
            closed = self._follow_up(sent)
            over = self._settle(sent, closed)
            text = self._read_to_sentinel() if self._sentinel else self._read_to_end()
            text += self._wait_for_all()
            for each in exchanges:
                self._agreement.note_clock(self._log.events.get(each.audit_id, ()), each.started, each.finished)
            # The sentinel shows that everything written before it was read; the counters show what was never written.
            agreed = self._agreement.close(patience_s)
            doubts += agreed.doubts
            unclear = agreed.unclear
            missed, changed = self._agreement.decisions(exchanges, agreed, self._decide)
            unsound += [*agreed.unsound, *([changed] if changed else [])]
        except AuditproofError as error:
            doubts.append(f"the fence was not seen: {error}")
            # A server that has exited explains the error, whatever its text is.
            doubts += self._death()
            self._log.read_what_is_there()
        doubts += self._log.problems
        clock = self._agreement.clock
        text += f"; {clock.text()}" if clock.text() else ""
        found, strangers = self._log.found(), self._log.strangers
        self._log.forget()  # the last batch of a server would keep all its events until the run ends
        return Fence(text, tuple(doubts), closed, found, over, missed, tuple(unsound), clock, strangers, unclear)

    def _death(self) -> list[str]:
        """Which server exited, if one did: a killed process closes its connections a moment before it is gone."""
        try:
            what = "the end of a server that does not answer"
            return [wait_until(lambda: self._view.failure(), what=what, timeout_s=DEATH_TIMEOUT_S)]
        except TimedOut:
            return []

    def end(self) -> None:
        """Close the sentinel's connections."""
        for wire in self._wires.values():
            wire.close()

    def _follow_up(self, sent: Sequence[Sent]) -> frozenset[tuple[Connection, int]]:
        """Send one more request on every connection; returns those on which it was answered.

        An HTTP/1.1 server starts on it only after it has finished the earlier requests of the connection.
        """
        closed = set()
        for wire, identity in {item.wire: item.exchange.identity for item in sent}.items():
            audit_id = self._connections.next_id()
            self._asked.ids.add(audit_id)
            answer = wire.send(FOLLOW_UP, audit_id=audit_id, user_agent=USER_AGENT)
            if not answer.error and answer.header("Audit-Id") == audit_id:
                closed.add((wire, answer.connection))
                self._asked.answered.add(audit_id)
                self._asked.extra.append(attributes_of(FOLLOW_UP.method, FOLLOW_UP.uri, identity.user_info()))
        return frozenset(closed)

    def _settle(self, sent: Sequence[Sent], closed: frozenset[tuple[Connection, int]]) -> frozenset[str]:
        """The Audit-IDs of requests that are seen to be over although their connection does not show it.

        Waits only for those whose end can be seen at all; a request whose end is not seen is a doubt, not an error.
        """
        fence = Fence("", (), closed, {})  # only for its rule which exchanges a closed connection settles
        still_open = {item.exchange.audit_id: item for item in sent if not fence.settles(item)}
        over: set[str] = set()

        def look() -> bool | None:
            self._log.read()
            log = self._view.request_log() if still_open else ""
            over.update(
                name for name, item in still_open.items() if is_over(item.exchange, self._log.events.get(name, ()), log)
            )
            return True if over >= {name for name in still_open if shows(name, bool(log))} else None

        def shows(name: str, logs: bool) -> bool:
            exchange = still_open[name].exchange
            return end_shows(exchange, self._decide(exchange.attributes), logs=logs)

        if still_open:
            with suppress(TimedOut):
                wait_until(look, what="requests to end", timeout_s=self._patience_s)
        return frozenset(over)

    def _read_to_sentinel(self) -> str:
        """Send sentinels until one has been read back from each log; usually there is one log."""
        assert self._sentinel is not None
        missing, known, audit_id = set(range(self._servers)), dict(self._wires), ""
        for _ in range(self._servers * (REACH if self._servers > 1 else 1)):
            # First over the connections to servers whose log is missing; a new connection reaches any server.
            place = next((n for n in sorted(missing) if n in known), None)
            wire = self._connections.new(self._sentinel.identity) if place is None else known.pop(place)
            answer = self._send_sentinel(wire)
            audit_id = answer.audit_id
            what = f"the event of the sentinel {audit_id} in the audit log"
            wait_until(partial(self._look_for, audit_id), what=what, timeout_s=self._patience_s)
            self._agreement.note_clock(self._log.events[audit_id], answer.started, answer.finished)
            place = self._log.places[audit_id]
            # A second connection to the same server is of no use.
            if self._wires.setdefault(place, wire) is not wire:
                wire.close()
            missing.discard(place)
            if not missing:
                assert self._sentinel is not None
                request, who = self._sentinel.request, self._sentinel.identity
                where = "the log" if self._servers == 1 else f"each of {self._servers} logs (the last one)"
                return f"{request.method} {request.uri} by {who}, Audit-ID {audit_id}, read back from {where}"
        raise AuditproofError(
            f"{len(missing)} of {self._servers} logs do not belong to an API server behind this address"
        )

    def _send_sentinel(self, wire: Connection) -> Response:
        assert self._sentinel is not None
        audit_id, request = self._connections.next_id(), self._sentinel.request
        # Noted before it is sent: even without a response its event may be in the log.
        self._asked.ids.add(audit_id)
        response = wire.send(request, audit_id=audit_id, user_agent=USER_AGENT)
        if response.error:
            raise AuditproofError(f"the sentinel got no response: {response.error}")
        if response.status == 500 and NOT_STORED in response.body:
            raise AuditproofError("the server refuses requests that it cannot record, including the sentinel")
        if response.header("Audit-Id") != audit_id:
            raise AuditproofError(
                f"the sentinel got HTTP {response.status} without its Audit-ID: something in between responded"
            )
        self._asked.answered.add(audit_id)
        self._asked.extra.append(attributes_of(request.method, request.uri, self._sentinel.identity.user_info()))
        return response

    def _wait_for_all(self) -> str:
        """Complete the fence of an unordered log: it must hold every event that the server has counted.

        Raises AuditproofError if one is missing: it may still arrive, or the server may have lost it.
        """
        if self._log.in_order:
            return ""
        if self._agreement.blind:
            raise AuditproofError(self._agreement.blind)

        def look() -> int | None:
            # Counted before and after the log is read: the numbers belong together only if both are equal.
            before = self._agreement.ask().counters
            self._log.read()
            after = self._agreement.ask().counters
            return after.events if before.events == after.events == self._log.lines and not after.lost else None

        try:
            count = wait_until(look, what="all events to come", timeout_s=self._patience_s)
        except TimedOut:
            counted = self._agreement.ask().counters.events
            raise AuditproofError(
                f"this log is unordered and holds {self._log.lines} of the {counted} events that the server counts: "
                "the others may still arrive"
            ) from None
        return f"; all {count} events that the server counts are there"

    def _look_for(self, audit_id: str) -> bool | None:
        self._log.want([audit_id])
        self._log.read()
        return True if audit_id in self._log.events else None

    def _read_to_end(self) -> str:
        """Fence a policy that records nothing: the server must not have counted a single event."""
        counted = self._agreement.counted_since()
        self._log.read()
        if counted:
            raise AuditproofError(
                f"auditproof found no request that this policy records, yet the server counted {counted} audit events"
            )
        return "this policy records nothing: apiserver_audit_event_total did not move"
