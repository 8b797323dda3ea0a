"""Which home a run's kind cluster has, and what is done to use a cluster again that an earlier run has left."""

from __future__ import annotations

import hashlib
import shlex
import shutil
from typing import TYPE_CHECKING

from auditproof.clusters.kind.home import ClusterFolder
from auditproof.clusters.kind.leftovers import remove_leftovers
from auditproof.clusters.kind.node_cluster import FIRST_SERVER, engine_settings
from auditproof.clusters.kind.swap_policy import swap_policy
from auditproof.clusters.pki.static_tokens import FILE as STATIC_TOKENS
from auditproof.clusters.run.readiness import ask
from auditproof.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from auditproof.clusters.cluster import Cluster
    from auditproof.clusters.kind.node_cluster import KindCluster
    from auditproof.clusters.run.run_directory import RunDirectory

_CHOSEN = "kind-home"
# Of every other API server nothing may be left, and what was made is on its way out when the next run begins.
_AT_END = """[ "$(cat {owner} 2>/dev/null)" = {run} ] || exit 0
{stop} >/dev/null 2>&1 || :
{delete} >/dev/null 2>&1 || :
"""


def digest_of(*parts: str) -> str:
    """A short digest of everything that makes two reusable clusters different."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def choose_home(run: RunDirectory, digest: str, report: Callable[[str], None]) -> ClusterFolder:
    """The home of this run's cluster, the same in all its processes; the first one that asks locks it.

    It is that with ``digest`` where no other run uses it, else one that ends with the run.
    """
    chosen = run.path / _CHOSEN
    with run.lock(_CHOSEN):
        if chosen.exists():
            return ClusterFolder.in_cache(digest) if chosen.read_text() == digest else ClusterFolder.of_run(run)
        home = ClusterFolder.in_cache(digest)
        lock = home.lock()
        # Every process of the run follows the first one's choice, which alone tries to take the lock.
        chosen.write_text(digest if lock else "")
        if lock is None:
            report(f"auditproof: another run uses the kind cluster {home.name}: this one makes a cluster of its own")
            return ClusterFolder.of_run(run)
        # The script at the end of a run does nothing once another run has taken the cluster (_AT_END).
        home.owner.write_text(str(run.path))
        run.hold(lock)
        return home


def use_again(kind: KindCluster, home: ClusterFolder, cluster: Cluster, before: Sequence[str], policy: bytes) -> int:
    """Make of a cluster that an earlier run has left one as if it were new, with ``policy``.

    Returns how many objects were left in it. Raises ServerDied where the policy is refused, ClusterError, TimedOut or
    WireError where the cluster cannot be used again.
    """
    if ask(cluster, "/readyz") is None:
        raise ClusterError("its API server does not answer")
    kind.stop_others()
    for folder in home.servers.iterdir():
        if folder.name not in (FIRST_SERVER, STATIC_TOKENS):
            shutil.rmtree(folder, ignore_errors=True)
    left = remove_leftovers(cluster, before)
    swap_policy(kind, cluster, policy)  # also where it is the same one: log and counters begin again
    return left


def leave_at_end(run: RunDirectory, kind: KindCluster, home: ClusterFolder, before: Sequence[str]) -> None:
    """Let the end of the run leave the cluster to the next one, instead of removing it."""
    inside = "/api/v1/namespaces/"
    kept = [path.removeprefix(inside) for path in before if path.startswith(inside) and path.count("/") == 4]
    script = _AT_END.format(
        owner=shlex.quote(str(home.owner)),
        run=shlex.quote(str(run.path)),
        stop=shlex.join(kind.stop_others_command()),
        delete=shlex.join(kind.delete_namespaces_command(kept)),
    )
    run.at_end(home.name, "\n".join([*engine_settings(), script]))
