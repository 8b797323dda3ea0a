"""The log as a batch of actions reads it: their events, what is no event, and what fits nothing that was sent."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from auditproof.audit.event import Stage
from auditproof.errors import LogUnreadable
from auditproof.proof.fence.reconcile import AGENT, Reconciler

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from auditproof.audit.event import AuditEvent
    from auditproof.auditlog.file_log import AuditLog, Mark
    from auditproof.kube.attributes import Attributes


@dataclass(slots=True)
class Asked:
    """All that we have asked the server in a batch: the Audit-IDs, and what was asked beside the actions."""

    ids: set[str] = field(default_factory=set)
    beside: list[Attributes] = field(default_factory=list)


class BatchLog:
    """Reads a log on and on; what is kept of it is a batch's.

    ``lines`` counts all lines since the first place; ``reconciler`` takes each of them.
    """

    def __init__(self, log: AuditLog) -> None:
        self._log = log
        self.in_order = log.in_order
        self.reconciler = Reconciler()
        self.lines = 0
        self._mark: Mark | None = None
        self.forget()

    def forget(self) -> None:
        """Begin another batch where the last one has ended."""
        self.events: dict[str, list[AuditEvent]] = defaultdict(list)
        self.problems: list[str] = []
        self.places: dict[str, int] = {}  # of several logs, the one in which an event of a request was read last
        self.strangers: dict[str, str] = {}  # an Audit-ID that is not the action's, by the action's User-Agent
        self._wanted: set[str] = set()
        self._agents: Mapping[str, str] = {}
        self.reconciler.forget()

    def want(self, audit_ids: Iterable[str], agents: Mapping[str, str] | None = None) -> None:
        """Keep the events of these Audit-IDs, too; ``agents`` has that of each action by its User-Agent."""
        self._wanted.update(audit_ids)
        self._agents = agents or self._agents

    def catch_up(self, *, anew: bool, whole: bool) -> bool:
        """Read to the present end; answers whether nothing was lost on the way.

        ``anew``: from another place than before, the beginning of the log where it is to be read as a ``whole``, else
        its end. A log in no order is always kept from its beginning, and read when a batch ends.
        """
        if self._mark is None or (anew and self.in_order):
            self.reconciler, self.lines = Reconciler(), 0
            self._mark = self._log.beginning() if whole or not self.in_order else self._log.mark()
        if not self.in_order:
            return True
        try:
            self.read()
        except LogUnreadable:
            self.reconciler, self._mark = Reconciler(), self._log.mark()
            return False
        finally:
            self.problems = []  # of before this batch
        return True

    def read(self) -> None:
        """Read what is new. Raises LogUnreadable."""
        assert self._mark is not None, "nothing was caught up with"
        events = 0

        def look(event: AuditEvent) -> bool:
            nonlocal events
            events += 1
            self.reconciler.take(event)
            agent = event.raw.get("userAgent", "")
            if agent.startswith(AGENT) and self._agents.get(agent, event.audit_id) != event.audit_id:
                self.strangers[agent] = event.audit_id
            return event.audit_id in self._wanted

        part = self._log.read(self._mark, look)
        self.reconciler.take_others(part.lines - events)
        self._mark = part.end
        self.lines += part.lines
        self.problems += part.problems
        for place, one in enumerate(part.parts or (part,)):
            for event in one.events:
                self.events[event.audit_id].append(event)
                self.places[event.audit_id] = place

    def read_what_is_there(self) -> None:
        """What was recorded is evidence without a fence, too: only absence needs one."""
        with suppress(LogUnreadable):
            self.read()

    def found(self) -> dict[str, tuple[AuditEvent, ...]]:
        """The events by Audit-ID, as the log has them; as they happened, where it keeps no order."""
        if self.in_order:
            return {audit_id: tuple(events) for audit_id, events in self.events.items()}
        order = list(Stage)
        return {
            audit_id: tuple(sorted(events, key=lambda event: order.index(event.stage)))
            for audit_id, events in self.events.items()
        }
