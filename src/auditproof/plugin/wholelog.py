"""What the whole log of each server comes to when a run ends: its counters, and what is recorded at rest."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from auditproof.audit.server_flags import NO_SETTINGS, Settings
from auditproof.clusters.run.run_directory import cpu_count
from auditproof.clusters.server_registry import started
from auditproof.proof.background import Noise, measure
from auditproof.proof.run_counters import Account, count

if TYPE_CHECKING:
    from pathlib import Path

    from auditproof.clusters.cluster import Cluster
    from auditproof.clusters.run.run_directory import RunDirectory
    from auditproof.plugin.options import Options


def accounts(run: RunDirectory, options: Options) -> list[tuple[Path, Account]]:
    """The counters of every API server of the run held against its log, with the policy that it runs."""
    servers = started(run)
    of_profile = Settings.of(options.profile.audit_log)
    with ThreadPoolExecutor(max_workers=cpu_count()) as pool:
        found = list(pool.map(lambda server: _account(server[0], server[2], of_profile), servers))
    return [(policy, account) for (_, policy, _), account in zip(servers, found, strict=True)]


def _account(cluster: Cluster, settings: Settings, of_profile: Settings) -> Account:
    if cluster.guest:
        return Account(reason="could not be counted: this log is as old as somebody else's API server")
    if cluster.servers > 1:
        return Account(reason="could not be counted: several API servers have a log each")
    if settings.keeps_log and of_profile.keeps_log:
        return count(cluster)
    return Account(reason="could not be counted: this API server removes what it has written")


def noise(run: RunDirectory, options: Options) -> Noise | None:
    """What the server with the given policy recorded beside the run's own requests; None where that is not known.

    A cluster that is somebody else's has a log that is not ours to read as a whole.
    """
    if options.sabotage:
        return None
    given = (
        cluster
        for cluster, policy, settings in started(run)
        if policy == options.policy_file and settings == NO_SETTINGS and not cluster.guest and cluster.log.is_file()
    )
    for cluster in given:
        with cluster.log.open("rb") as lines:
            return measure(lines, options.policy)
    return None
