"""What the API servers behind an address say of themselves: their audit counters, as they stand now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.counters import Counters, parse_counters, together
from auditproof.errors import AuditproofError

if TYPE_CHECKING:
    from auditproof.admin import Admin

METRICS = "/metrics"


class Metrics:
    """Reads the counters of ``servers`` API servers; ``blind`` says why that cannot be, once ``first`` has tried."""

    def __init__(self, admin: Admin, servers: int) -> None:
        self._admin = admin
        self._servers = servers
        self.blind = ""

    def first(self) -> Counters | None:
        """The counters when a run begins; None where the admin is not allowed to see them, for the whole run."""
        response = self._admin.send("GET", METRICS)
        if response.status != 403:
            return self.read()
        self.blind = "the server's audit counters cannot be read (403): an event that it lost would not be noticed"
        return None

    def read(self) -> Counters:
        """The counters of all servers together. Raises AuditproofError where a server does not tell them."""
        found = self._by_process()
        if len(found) < self._servers:  # a connection was lost, and has come to another server
            self._admin.reach_again()
            found = self._by_process()
        return together(found.values())

    def _by_process(self) -> dict[float, Counters]:
        found: dict[float, Counters] = {}
        for response in self._admin.everywhere("GET", METRICS):
            if response.status != 200:
                raise AuditproofError(
                    f"GET {METRICS} was answered {response.status}: the audit counters cannot be read"
                )
            counters = parse_counters(response.body)
            found[counters.process_start] = counters
        return found
