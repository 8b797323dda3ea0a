"""Evaluates the whole log of each server at the end of a run: its counters, and the background traffic."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from auditproof.audit.server_flags import DEFAULT_FLAGS, ServerFlags
from auditproof.clusters.run.run_directory import cpu_count
from auditproof.clusters.server_record import started_servers
from auditproof.proof.background import Noise, measure
from auditproof.proof.run_counters import Reconciliation, count

if TYPE_CHECKING:
    from pathlib import Path

    from auditproof.clusters.cluster import Cluster
    from auditproof.clusters.run.run_directory import RunDirectory
    from auditproof.proof.run_options import RunOptions


def accounts(run: RunDirectory, options: RunOptions) -> list[tuple[Path, Reconciliation]]:
    """Compare the counters of every API server of the run with its log; each with the policy that the server runs."""
    servers = started_servers(run.path)
    of_profile = ServerFlags.of(options.profile.audit_log)
    with ThreadPoolExecutor(max_workers=cpu_count()) as pool:
        found = list(pool.map(lambda server: _account(server.cluster, server.settings, of_profile), servers))
    return [(server.source, account) for server, account in zip(servers, found, strict=True)]


def _account(cluster: Cluster, settings: ServerFlags, of_profile: ServerFlags) -> Reconciliation:
    if cluster.is_shared:
        return Reconciliation(reason="could not be counted: this log began before the run")
    if cluster.servers > 1:
        return Reconciliation(reason="could not be counted: several API servers have a log each")
    if settings.keeps_log and of_profile.keeps_log:
        return count(cluster)
    return Reconciliation(reason="could not be counted: this API server removes what it has written")


def noise(run: RunDirectory, options: RunOptions) -> Noise | None:
    """The background traffic that the server with the given policy recorded; None if it is unknown.

    It is not measured on an existing cluster, whose log belongs to another team and is not read as a whole.
    """
    if options.sabotage:
        return None
    given = (
        server.cluster
        for server in started_servers(run.path)
        if server.source == options.policy_file and server.settings == DEFAULT_FLAGS
    )
    for cluster in given:
        if cluster.is_shared or not cluster.log.is_file():
            continue
        with cluster.log.open("rb") as lines:
            return measure(lines, options.policy)
    return None
