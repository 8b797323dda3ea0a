"""Where an audit log is read: a file, the output of a command, or a path of the API server.

::

    PATH                       a file on this machine, with its rotated files beside it
    command:COMMAND            what a command prints: ssh, kubectl exec, docker exec, a cloud's own
    node:NODE/PATH             a file below /var/log of a node, by the kubelet's log endpoint
    api:PATH                   a path of the API server, e.g. api:/logs/kube-apiserver/audit.log where it serves /logs
    webhook:FOLDER             what ``auditproof receive FOLDER`` receives from a webhook in batch mode
    webhook-blocking:FOLDER    the same, in mode blocking or blocking-strict: then it comes in order

In a command, ``{offset}`` stands for how many bytes are known already and ``{start}`` for the one after them
(``tail -c +{start} FILE``): then only what is new is fetched.
"""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from auditproof.auditlog import AuditLog, FileLog
from auditproof.clusters.connection import connection_to
from auditproof.clusters.receiving import EVENTS
from auditproof.errors import ClusterError, LogUnreadable
from auditproof.paths import is_file, path_of
from auditproof.streamlog import StreamLog

if TYPE_CHECKING:
    from auditproof.clusters.base import Cluster
    from auditproof.clusters.connection import Connection

COMMAND_TIMEOUT_S = 60.0
FETCH_TIMEOUT_S = 60.0
WEBHOOKS = ("webhook", "webhook-blocking")
KINDS = ("file", "command", "node", "api", *WEBHOOKS)


@dataclass(frozen=True, slots=True)
class Source:
    """One log: ``kind`` is one of KINDS, ``place`` what stands after it."""

    kind: str
    place: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.place}"


def parse_source(spec: str, folder: Path) -> Source:
    """A source out of its text; the path of a file is relative to ``folder``.

    Raises ClusterError where it cannot be one: an unknown kind, a file that does not exist, a command that is none.
    """
    kind, colon, place = spec.partition(":")
    if not colon or kind not in KINDS:
        kind, place = "file", spec
    place = place.strip()
    if kind == "file":
        path = (folder / path_of(place)).resolve()
        if not is_file(path):
            raise ClusterError(f"{spec}: there is no such audit log; a log is a file, or {', '.join(KINDS[1:])}: ...")
        return Source(kind, str(path))
    if kind in WEBHOOKS:
        folder = (folder / path_of(place)).resolve()
        if not is_file(folder / EVENTS):
            raise ClusterError(f"{spec}: nothing is received there; start auditproof receive {place} first")
        return Source(kind, str(folder))
    if kind == "command" and not _words(place):
        raise ClusterError(f"{spec}: expected a command after command:, as a shell quotes its words")
    if kind == "node" and not all(place.partition("/")):
        raise ClusterError(f"{spec}: expected node:NODE/PATH, the path of a file below /var/log of that node")
    if kind == "api" and not place.startswith("/"):
        raise ClusterError(f"{spec}: expected a path of the API server after api:, beginning with /")
    return Source(kind, place)


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return []


def open_logs(cluster: Cluster) -> tuple[AuditLog, ...]:
    """The logs of a cluster, one for each API server."""
    return tuple(_open(spec, cluster) for spec in cluster.sources) or (FileLog(cluster.log),)


def _open(spec: str, cluster: Cluster) -> AuditLog:
    source = parse_source(spec, Path("/"))
    if source.kind == "file":
        return FileLog(Path(source.place))
    if source.kind in WEBHOOKS:
        return FileLog(Path(source.place) / EVENTS, in_order=source.kind == "webhook-blocking")
    if source.kind == "command":
        return StreamLog(f"the output of {source.place}", partial(_run, source.place))
    path = source.place
    if source.kind == "node":
        node, _, file = path.partition("/")
        path = f"/api/v1/nodes/{node}/proxy/logs/{file}"
    return StreamLog(f"{cluster.url}{path}", partial(_get, connection_to(cluster), path))


def _run(command: str, offset: int) -> tuple[int, bytes]:
    incremental = "{offset}" in command or "{start}" in command
    words = _words(command.replace("{offset}", str(offset)).replace("{start}", str(offset + 1)))
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


def _get(connection: Connection, path: str, offset: int) -> tuple[int, bytes]:
    try:
        answer = connection.request("GET", path, timeout_s=FETCH_TIMEOUT_S, begin=offset)
    except ClusterError as error:
        raise LogUnreadable(str(error)) from None
    if answer.status == 416:  # there is nothing from there on
        return offset, b""
    if answer.status not in (200, 206):
        raise LogUnreadable(f"GET {connection.url}{path} was answered {answer.status}: {answer.message}")
    return (offset if answer.status == 206 else 0), answer.body
