"""How fast events arrive, and how long requests take meanwhile. Pure."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditproof.client.exchange import Exchange


@dataclass(frozen=True, slots=True)
class Load:
    """Measured rates per second, and latencies in milliseconds as the client saw them."""

    events_per_second: float
    requests_per_second: float
    median_ms: float
    p99_ms: float

    def record(self, backend: str, mode: str, events: int, lost: int) -> dict[str, Any]:
        """A row of the table in results.json."""
        return {
            "backend": backend,
            "mode": mode,
            "eventsPerSecond": round(self.events_per_second, 1),
            "requestsPerSecond": round(self.requests_per_second, 1),
            "medianMilliseconds": round(self.median_ms, 2),
            "p99Milliseconds": round(self.p99_ms, 2),
            "events": events,
            "lost": lost,
        }


def load_of(exchanges: Sequence[Exchange], events_each: int, served_s: float, arrived_s: float) -> Load:
    """The rates of a load: ``served_s`` is the time until all responses, ``arrived_s`` the time until all events."""
    latencies = [(one.finished - one.started).total_seconds() * 1000 for one in exchanges]
    return Load(
        events_per_second=len(exchanges) * events_each / arrived_s,
        requests_per_second=len(exchanges) / served_s,
        median_ms=statistics.median(latencies),
        p99_ms=statistics.quantiles(latencies, n=100)[98],
    )
