"""What was sent within a fence, and what the fence around it shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from auditproof.proof.clock import SAME, Clock
from auditproof.proof.completion import ended_by_server, runs_on, why_open

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditproof.audit.event import AuditEvent
    from auditproof.client.connection import Connection
    from auditproof.client.exchange import Exchange


@dataclass(frozen=True, slots=True)
class Sent:
    """An exchange with the wire that carried it, and the number of its connection on that wire."""

    exchange: Exchange
    wire: Connection
    connection: int


@dataclass(frozen=True, slots=True)
class Fence:
    """What closed a batch: the events by audit ID, what was done in words, and why absence would prove nothing.

    ``over`` are the Audit-IDs of requests whose end showed elsewhere than on their connection (see ``settling``).
    ``uncounted`` has a doubt for each Audit-ID whose request leaves no event, where the server has not counted as many
    such requests as were sent. ``unsound`` say why not even what the log holds can be relied on; ``clock`` is how far
    the server's is ahead of ours. ``strangers`` has an Audit-ID that is not the action's, by the action's User-Agent.
    ``unclear`` is why nobody can say whether the log is whole.
    """

    text: str
    doubts: tuple[str, ...]
    closed: frozenset[tuple[Connection, int]]
    events: Mapping[str, tuple[AuditEvent, ...]]
    over: frozenset[str] = frozenset()
    uncounted: Mapping[str, str] = field(default_factory=dict)
    unsound: tuple[str, ...] = ()
    clock: Clock = SAME
    strangers: Mapping[str, str] = field(default_factory=dict)
    unclear: str = ""

    def doubts_about(self, sent: Sent) -> tuple[str, ...]:
        """Why the absence of an event of this exchange would prove nothing; empty where nothing does."""
        uncounted = self.uncounted.get(sent.exchange.audit_id)
        doubts = (*self.doubts, *([uncounted] if uncounted else []))
        if sent.exchange.audit_id in self.over or self.settles(sent):
            return doubts
        return (*doubts, why_open(sent.exchange))

    def faults_of(self, exchange: Exchange) -> tuple[str, ...]:
        """Why not even what the log holds of this exchange can be relied on."""
        stranger = self.strangers.get(exchange.user_agent or "")
        if stranger is None:
            return self.unsound
        why = f"an event of this action's User-Agent has the Audit-ID {stranger}, sent was {exchange.audit_id}"
        return (*self.unsound, f"{why}: something has sent it again, or changed its Audit-ID")

    def settles(self, sent: Sent) -> bool:
        """Whether the connection of an exchange shows that the server was done with it."""
        followed = (sent.wire, sent.connection) in self.closed and not runs_on(sent.exchange)
        return followed or ended_by_server(sent.exchange)
