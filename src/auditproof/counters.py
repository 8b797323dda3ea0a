"""The API server's own audit counters, as a second witness beside the log. Pure: the text of /metrics goes in.

Source: staging/src/k8s.io/apiserver/pkg/audit/metrics.go. They are counted per process, so two readings are only
comparable where ``process_start`` is the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Counters:
    """One reading: events emitted, events lost (all plugins), requests rejected, and when the process started (s)."""

    events: int
    lost: int
    rejected: int
    process_start: float


def parse_counters(metrics: bytes) -> Counters:
    """Read the audit counters out of a Prometheus text exposition; a series that is absent counts as 0.

    Raises WireError where even ``process_start_time_seconds`` is missing: then this is not an API server's /metrics.
    """
    sums = dict.fromkeys(_NAMES, 0.0)
    for name in _NAMES:
        sums[name] = sum(_values(metrics, name.encode()))
    if not sums["process_start_time_seconds"]:
        raise WireError("/metrics of the API server holds no process_start_time_seconds: its counters cannot be read")
    events, lost, rejected, start = (sums[name] for name in _NAMES)
    return Counters(int(events), int(lost), int(rejected), start)


def _values(metrics: bytes, name: bytes) -> Iterator[float]:
    """The values of all series called ``name``; the megabytes of others are passed over without splitting them."""
    start = 0 if metrics.startswith(name) else _next_line(metrics, name, 0)
    while start >= 0:
        end = metrics.find(b"\n", start)
        series, _, value = metrics[start : end if end >= 0 else len(metrics)].rpartition(b" ")
        if series.partition(b"{")[0] == name:
            yield float(value)
        start = _next_line(metrics, name, start)


def _next_line(metrics: bytes, name: bytes, start: int) -> int:
    found = metrics.find(b"\n" + name, start)
    return found + 1 if found >= 0 else -1


_NAMES = (
    "apiserver_audit_event_total",
    "apiserver_audit_error_total",
    "apiserver_audit_requests_rejected_total",
    "process_start_time_seconds",
)
