"""Parses the API server's audit counters from the text of /metrics: evidence in addition to the log. Pure.

Source: staging/src/k8s.io/apiserver/pkg/audit/metrics.go. Counters are per process, so two readings are comparable only
if ``process_start`` is the same. By hand: a few series are found in megabytes of text without parsing the rest.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from auditproof.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from datetime import datetime


WEBHOOK = "webhook"  # the plugin whose losses do not affect the log file
_LABEL = re.compile(rb'="([^"]*)"')


@dataclass(frozen=True, slots=True)
class AuditMetrics:
    """One reading: events emitted, events lost, requests rejected, and when the process started (s).

    ``lost_by`` has the lost events by plugin (log, buffered, truncate, webhook), ``levels`` the policy evaluations by
    resulting level, None included.
    """

    events: int
    rejected: int
    process_start: float
    lost_by: Mapping[str, int] = field(default_factory=dict)
    levels: Mapping[str, int] = field(default_factory=dict)

    @property
    def lost(self) -> int:
        """The number of events lost by all plugins."""
        return sum(self.lost_by.values())

    @property
    def lines(self) -> int:
        """The number of lines in a log that nothing else writes to: events emitted and not lost.

        An event counts as emitted before it is passed to the log, so a lost event is in both counters
        (audit/context.go).
        """
        return self.events - self.lost + self.lost_by.get(WEBHOOK, 0)


@dataclass(frozen=True, slots=True)
class Scrape:
    """One reading of the counters, with its start, its end, and the Audit-IDs of its own requests."""

    counters: AuditMetrics
    audit_ids: tuple[str, ...]
    started: datetime
    finished: datetime


def parse_metrics(metrics: bytes) -> AuditMetrics:
    """Read the audit counters out of a Prometheus text exposition; a series that is absent counts as 0.

    Raises WireError if even ``process_start_time_seconds`` is missing: then this is not /metrics of an API server.
    """
    start = sum(value for _, value in _values(metrics, b"process_start_time_seconds"))
    if not start:
        raise WireError("/metrics of the API server has no process_start_time_seconds: its counters cannot be read")
    return AuditMetrics(
        sum(_by_label(metrics, b"apiserver_audit_event_total").values()),
        sum(_by_label(metrics, b"apiserver_audit_requests_rejected_total").values()),
        start,
        _by_label(metrics, b"apiserver_audit_error_total"),
        _by_label(metrics, b"apiserver_audit_level_total"),
    )


def together(counters: Collection[AuditMetrics]) -> AuditMetrics:
    """Sum the counters of several processes; the sum of their start times reveals that one was replaced."""
    lost_by, levels = Counter[str](), Counter[str]()
    for each in counters:
        lost_by.update(each.lost_by)
        levels.update(each.levels)
    return AuditMetrics(
        sum(each.events for each in counters),
        sum(each.rejected for each in counters),
        # Sorted, because a sum of floats depends on their order.
        sum(sorted(each.process_start for each in counters)),
        lost_by,
        levels,
    )


def _by_label(metrics: bytes, name: bytes) -> dict[str, int]:
    """The series called ``name``, by the value of their only label (empty if they have none)."""
    found: Counter[str] = Counter()
    for labels, value in _values(metrics, name):
        label = _LABEL.search(labels)
        found[label.group(1).decode(errors="replace") if label else ""] += int(value)
    return dict(found)


def _values(metrics: bytes, name: bytes) -> Iterator[tuple[bytes, float]]:
    """Labels and values of all series called ``name``; the megabytes of others are skipped without splitting."""
    start = 0 if metrics.startswith(name) else _next_line(metrics, name, 0)
    while start >= 0:
        end = metrics.find(b"\n", start)
        series, _, value = metrics[start : end if end >= 0 else len(metrics)].rpartition(b" ")
        found, _, labels = series.partition(b"{")
        # A longer name may begin with this one.
        if found == name:
            try:
                number = float(value)
            except ValueError:
                number = math.nan
            if not math.isfinite(number):
                raise WireError(f"/metrics of the API server: {name.decode()} is {value[:40]!r}, not a number")
            yield labels, number
        start = _next_line(metrics, name, start)


def _next_line(metrics: bytes, name: bytes, start: int) -> int:
    found = metrics.find(b"\n" + name, start)
    return found + 1 if found >= 0 else -1
