"""A server of which nothing is known but its responses and its audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from auditproof.proof.server_view import ServerView

if TYPE_CHECKING:
    from auditproof.auditlog.file_log import AuditLog
    from auditproof.clusters.cluster import Cluster, Provider


class _Silent:
    """A provider that never sees a failure and has no log of requests."""

    def failure(self, _cluster: Cluster) -> str | None:
        return None

    def request_log(self, _cluster: Cluster) -> str:
        return ""


def silent(cluster: Cluster, log: AuditLog | None = None) -> ServerView:
    """The view of ``cluster`` by a provider that says nothing; the events are read from ``log`` where it is given."""
    return ServerView(cluster, cast("Provider", _Silent()), log)
