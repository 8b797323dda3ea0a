"""Another policy for the API server of a kind cluster: the file is replaced, the server killed, the kubelet starts it.

A polite stop would take half a minute and more. Killed, the server is back in some six seconds, as long as the kubelet
does not wait longer after every restart (see kind_config). In blocking mode every answered request is in the log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.auditlog.metrics import parse_metrics
from auditproof.clusters.kind.config import FIRST_PORT, IN_NODE
from auditproof.clusters.kind.node_cluster import FIRST_SERVER
from auditproof.clusters.pki import x509 as pki
from auditproof.clusters.run.readiness import START_TIMEOUT_S, ask, why_it_ended
from auditproof.errors import ClusterError, ServerDied, WireError
from auditproof.wait import TimedOut, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from auditproof.clusters.cluster import Cluster
    from auditproof.clusters.kind.node_cluster import KindCluster

LOOK_S = 0.1


def swap_policy(kind: KindCluster, cluster: Cluster, policy: bytes) -> None:
    """Let ``cluster``, the first API server of its node, run ``policy`` in the place of what it runs.

    Returns when another process of the server is ready; the log is that of this process alone. Raises ServerDied with
    the server's own words where it refuses the policy, ClusterError or TimedOut where it does not come back; then the
    former policy is in its place again.
    """
    former = cluster.policy.read_bytes()
    try:
        _restart(kind, cluster, policy)
    except (ClusterError, TimedOut):
        # With a policy that it refuses, the server would never come back for later cases.
        _restart(kind, cluster, former)
        raise


def _restart(kind: KindCluster, cluster: Cluster, policy: bytes) -> None:
    # Before the kill: the words of earlier processes must not be taken for those of the new one.
    before, earlier = _process_start(cluster), kind.server_logs(FIRST_SERVER)
    replace_policy(cluster.policy, policy)
    kind.kill_server(FIRST_PORT, f"{IN_NODE}/{FIRST_SERVER}/audit/audit.log")

    def look() -> bool | None:
        now = _process_start(cluster) if ask(cluster, "/readyz") is not None else 0.0
        # The old process may respond for a moment: only another start time shows the new one.
        if now not in (0.0, before):
            return True
        words = why_it_ended(kind.server_log(FIRST_SERVER, besides=earlier))
        if words:
            raise ServerDied(words)
        return None

    wait_until(look, what="the API server to run another policy", timeout_s=START_TIMEOUT_S, pause_s=LOOK_S)


def replace_policy(file: Path, policy: bytes) -> None:
    """Put ``policy`` in the place of ``file``, whole: a server that starts right now reads the one or the other."""
    pki.write_whole(file, policy)


def _process_start(cluster: Cluster) -> float:
    """When the process that responds was started, in seconds since 1970; 0 where none responds."""
    try:
        return parse_metrics(ask(cluster, "/metrics") or b"").process_start
    except WireError:
        return 0.0
