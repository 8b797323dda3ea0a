"""The API server's own audit counters, as a second witness beside the log. Pure: the text of /metrics goes in.

Source: staging/src/k8s.io/apiserver/pkg/audit/metrics.go. They are counted per process, so two readings are only
comparable where ``process_start`` is the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from auditproof.errors import WireError


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
    for name, value in _SERIES.findall(metrics):  # two megabytes of other series are not worth splitting
        sums[name.decode()] += float(value)
    if not sums["process_start_time_seconds"]:
        raise WireError("/metrics of the API server holds no process_start_time_seconds: its counters cannot be read")
    events, lost, rejected, start = (sums[name] for name in _NAMES)
    return Counters(int(events), int(lost), int(rejected), start)


_NAMES = (
    "apiserver_audit_event_total",
    "apiserver_audit_error_total",
    "apiserver_audit_requests_rejected_total",
    "process_start_time_seconds",
)
_SERIES = re.compile(rb"^(%s)(?:\{[^}]*\})? (\S+)$" % "|".join(_NAMES).encode(), re.MULTILINE)
