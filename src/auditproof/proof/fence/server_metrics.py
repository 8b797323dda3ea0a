"""The current audit counters of the API servers behind an address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.auditlog.metrics import AuditMetrics, Scrape, parse_metrics, together
from auditproof.errors import AuditproofError

if TYPE_CHECKING:
    from auditproof.client.connection import Response
    from auditproof.setup.admin import AdminClient

METRICS = "/metrics"


class Metrics:
    """Reads the counters of ``servers`` API servers; ``blind`` is why they cannot be read, if ``first`` failed."""

    def __init__(self, admin: AdminClient, servers: int) -> None:
        self._admin = admin
        self._servers = servers
        self.blind: str | None = None

    def first(self) -> Scrape | None:
        """The counters at the start of a run; None if the admin may not read them, for the whole run."""
        response = self._admin.send("GET", METRICS)
        if response.status != 403:
            return self.read()
        self.blind = "the server's audit counters cannot be read (403): lost events would go unnoticed"
        return None

    def read(self) -> Scrape:
        """The counters of all servers together. Raises AuditproofError if a server does not return them."""
        found = self._by_process()
        if len(found) < self._servers:  # a connection was lost and now leads to another server
            self._admin.reach_again()
            found = self._by_process()
        answers = [answer for answer, _ in found.values()]
        return Scrape(
            together([counters for _, counters in found.values()]),
            tuple(answer.audit_id for answer in answers),
            min(answer.started for answer in answers),
            max(answer.finished for answer in answers),
        )

    def _by_process(self) -> dict[float, tuple[Response, AuditMetrics]]:
        found: dict[float, tuple[Response, AuditMetrics]] = {}
        for answer in self._admin.everywhere("GET", METRICS):
            if answer.status != 200:
                raise AuditproofError(f"GET {METRICS} got HTTP {answer.status}: the audit counters cannot be read")
            # Behind one address, only the start time of a process distinguishes the servers.
            counters = parse_metrics(answer.body)
            found[counters.process_start] = answer, counters
        return found
