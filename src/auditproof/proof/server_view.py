"""What a server shows apart from its responses: whether it runs, its own log, its counters and its audit log."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from auditproof.auditlog.merged_log import MergedLog
from auditproof.auditlog.metrics import parse_metrics
from auditproof.clusters.logs import open_logs
from auditproof.errors import AuditproofError

if TYPE_CHECKING:
    from auditproof.auditlog.file_log import AuditLog
    from auditproof.auditlog.metrics import AuditMetrics
    from auditproof.clusters.cluster import Cluster, Provider

METRICS = "/metrics"


@dataclass(frozen=True)
class ServerView:
    """A cluster with the provider that runs it.

    ``other_log`` is where the audit events are read, if that is not the cluster's own audit log.
    """

    cluster: Cluster
    provider: Provider
    other_log: AuditLog | None = None

    @cached_property
    def log(self) -> AuditLog:
        """The audit log to read; the logs of several API servers are read as one."""
        if self.other_log is not None:
            return self.other_log
        logs = open_logs(self.cluster)
        return logs[0] if len(logs) == 1 else MergedLog(logs)

    def failure(self) -> str | None:
        """Which of the cluster's servers has exited, with its last log lines; None while all of them run."""
        return self.provider.failure(self.cluster)

    def request_log(self) -> str:
        """The server's own log, if it has a line for each finished request; otherwise an empty text."""
        return self.provider.request_log(self.cluster)

    def metrics(self) -> AuditMetrics | None:
        """The audit counters now, read over a separate connection; None if the server does not provide them."""
        with suppress(AuditproofError):
            return parse_metrics(self.cluster.probe().request("GET", METRICS).body)
        return None
