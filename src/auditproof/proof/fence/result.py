"""The exchanges within a fence, and what the fence shows about them."""

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
    """An exchange with the ``Connection`` that carried it, and the number of its TCP connection then."""

    exchange: Exchange
    wire: Connection
    connection: int


@dataclass(frozen=True, slots=True)
class Fence:
    """A closed fence: a description, the events by Audit-ID, and the reasons why absence would prove nothing.

    ``closed`` are the connections on which a follow-up request was answered. ``over`` are the Audit-IDs of requests
    whose end was seen elsewhere than on their connection (see ``proof.completion``). ``uncounted`` has a doubt by
    Audit-ID for requests without an event, if the server has counted fewer such requests than were sent. ``unsound``
    are reasons why not even the events in the log can be relied on; ``clock`` is the offset of the server's clock.
    ``strangers`` has a wrong Audit-ID by the action's User-Agent. ``unclear`` is why it is unknown whether the log is
    complete.
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
    unclear: str | None = None

    def doubts_about(self, sent: Sent) -> tuple[str, ...]:
        """Why the absence of an event of this exchange would prove nothing; empty without any doubt."""
        uncounted = self.uncounted.get(sent.exchange.audit_id)
        doubts = (*self.doubts, *([uncounted] if uncounted else []))
        if sent.exchange.audit_id in self.over or self.settles(sent):
            return doubts
        return (*doubts, why_open(sent.exchange))

    def faults_of(self, exchange: Exchange) -> tuple[str, ...]:
        """Why not even the events of this exchange in the log can be relied on."""
        stranger = self.strangers.get(exchange.user_agent or "")
        if stranger is None:
            return self.unsound
        why = f"an event with this action's User-Agent has the Audit-ID {stranger}, but {exchange.audit_id} was sent"
        return (*self.unsound, f"{why}: something sent the request again, or changed its Audit-ID")

    def settles(self, sent: Sent) -> bool:
        """Whether the connection of an exchange shows that the server has finished it."""
        followed = (sent.wire, sent.connection) in self.closed and not runs_on(sent.exchange)
        return followed or ended_by_server(sent.exchange)
