"""The audit logs of a cluster, opened: files, the output of commands, and paths of its API server."""

from __future__ import annotations

import shlex
import subprocess
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from auditproof.auditlog.file_log import AuditLog, FileLog
from auditproof.auditlog.remote_log import RemoteLog
from auditproof.auditlog.sources import EVENTS, WEBHOOKS, parse_source, words_of
from auditproof.errors import ClusterError, LogUnreadable

if TYPE_CHECKING:
    from auditproof.client.probe import Probe
    from auditproof.clusters.cluster import Cluster

COMMAND_TIMEOUT_S = 60.0
FETCH_TIMEOUT_S = 60.0


def open_logs(cluster: Cluster) -> tuple[AuditLog, ...]:
    """The logs of a cluster, one for each API server."""
    return tuple(_open(spec, cluster) for spec in cluster.log_place.sources) or (FileLog(cluster.log),)


def _open(spec: str, cluster: Cluster) -> AuditLog:
    source = parse_source(spec, Path("/"))
    if source.kind == "file":
        return FileLog(Path(source.place))
    if source.kind in WEBHOOKS:
        return FileLog(Path(source.place) / EVENTS, in_order=source.kind == "webhook-blocking")
    if source.kind == "command":
        return RemoteLog(f"the output of {source.place}", partial(_run, source.place))
    path = source.place
    if source.kind == "node":
        node, _, file = path.partition("/")
        path = f"/api/v1/nodes/{node}/proxy/logs/{file}"
    return RemoteLog(f"{cluster.url}{path}", partial(_get, cluster.probe(), path))


def _run(command: str, offset: int) -> tuple[int, bytes]:
    # A command without a placeholder prints the whole log each time. {start} is for tail -c, which counts from 1.
    incremental = "{offset}" in command or "{start}" in command
    words = words_of(command.replace("{offset}", str(offset)).replace("{start}", str(offset + 1)))
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LogUnreadable(f"the command that prints the audit log cannot be run: {error}") from None
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip() or "(nothing)"
        raise LogUnreadable(
            f"the command that prints the audit log ended with exit code {done.returncode}: {shlex.join(words)}: {said}"
        )
    return (offset if incremental else 0), done.stdout


def _get(probe: Probe, path: str, offset: int) -> tuple[int, bytes]:
    try:
        answer = probe.request("GET", path, timeout_s=FETCH_TIMEOUT_S, begin=offset)
    except ClusterError as error:
        raise LogUnreadable(str(error)) from None
    if answer.status == 416:  # there is nothing from there on
        return offset, b""
    if answer.status not in (200, 206):
        raise LogUnreadable(f"GET {probe.url}{path} was answered {answer.status}: {answer.message}")
    # A server that ignores Range returns the whole log with 200.
    return (offset if answer.status == 206 else 0), answer.body
