"""Reads a log for a batch of actions: their events, invalid lines, and events that fit no request of the batch."""

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
    """All requests of auditproof in a batch: their Audit-IDs, and (``extra``) the requests that are not actions.

    ``answered`` are the Audit-IDs of the fence's own requests that were answered.
    """

    ids: set[str] = field(default_factory=set)
    answered: set[str] = field(default_factory=set)
    extra: list[Attributes] = field(default_factory=list)


class BatchLog:
    """Reads a log continuously and keeps the events of the present batch.

    ``lines`` counts all lines since reading began; ``reconciler`` takes each of them.
    """

    def __init__(self, log: AuditLog) -> None:
        self._log = log
        self.in_order = log.in_order
        self.reconciler = Reconciler()
        self.lines = 0
        self._mark: Mark | None = None
        self.forget()

    def forget(self) -> None:
        """Begin another batch at the end of the last one."""
        self.events: dict[str, list[AuditEvent]] = defaultdict(list)
        self.problems: list[str] = []
        self.places: dict[str, int] = {}  # index of the log in which an event of a request was read last
        self.strangers: dict[str, str] = {}  # a wrong Audit-ID, by the action's User-Agent
        self._wanted: set[str] = set()
        self._agents: Mapping[str, str] = {}
        self.reconciler.forget()

    def want(self, audit_ids: Iterable[str], agents: Mapping[str, str] | None = None) -> None:
        """Also keep the events of these Audit-IDs; ``agents`` maps each action's User-Agent to its Audit-ID."""
        self._wanted.update(audit_ids)
        self._agents = agents or self._agents

    def catch_up(self, *, restart: bool, whole: bool) -> bool:
        """Read to the present end; returns whether no line was lost on the way.

        ``restart``: start over, at the beginning of the log for a ``whole`` one, otherwise at its end. An unordered log
        is always kept from its beginning, and read when a batch ends.
        """
        if self._mark is None or (restart and self.in_order):
            self.reconciler, self.lines = Reconciler(), 0
            self._mark = self._log.beginning() if whole or not self.in_order else self._log.mark()
        if not self.in_order:
            return True
        try:
            self.read()
        except LogUnreadable:
            # Lines from before this batch may be lost, for example by a truncation: begin again at the present end.
            self.reconciler, self._mark = Reconciler(), self._log.mark()
            return False
        finally:
            self.problems = []  # from before this batch
        return True

    def read(self) -> None:
        """Read the new lines. Raises LogUnreadable."""
        assert self._mark is not None, "nothing was caught up with"
        events = 0
        differing: list[str] = []

        def look(event: AuditEvent) -> bool:
            nonlocal events
            events += 1
            if not self.reconciler.take(event):
                differing.append(f"the log has two different lines for {event.stage} of request {event.audit_id}")
            agent = event.raw.get("userAgent", "")
            if agent.startswith(AGENT) and self._agents.get(agent, event.audit_id) != event.audit_id:
                self.strangers[agent] = event.audit_id
            return event.audit_id in self._wanted

        part = self._log.read(self._mark, look)
        # ``look`` is called for events only; the other lines are not events.
        self.reconciler.take_others(part.lines - events)
        self._mark = part.end
        self.lines += part.lines
        self.problems += [*part.problems, *differing]
        for place, one in enumerate(part.parts or (part,)):
            for event in one.events:
                self.events[event.audit_id].append(event)
                self.places[event.audit_id] = place

    def read_what_is_there(self) -> None:
        """Read as far as possible: recorded events are evidence even without a fence; only absence needs one."""
        with suppress(LogUnreadable):
            self.read()

    def found(self) -> dict[str, tuple[AuditEvent, ...]]:
        """The events by Audit-ID, in the order of the log, or of their stages if the log is unordered."""
        if self.in_order:
            return {audit_id: tuple(events) for audit_id, events in self.events.items()}
        order = list(Stage)
        return {
            audit_id: tuple(sorted(events, key=lambda event: order.index(event.stage)))
            for audit_id, events in self.events.items()
        }
