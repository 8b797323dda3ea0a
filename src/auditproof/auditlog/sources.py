"""Parses the specification of an audit log: a file, the output of a command, or a path of the API server.

::

    PATH                       a file on this machine, with its rotated files next to it
    command:COMMAND            the output of a command: ssh, kubectl exec, docker exec, a cloud CLI
    node:NODE/PATH             a file below /var/log of a node, through the kubelet's log endpoint
    api:PATH                   a path of the API server, e.g. api:/logs/kube-apiserver/audit.log if it serves /logs
    webhook:FOLDER             events that ``auditproof receive FOLDER`` receives from a webhook in batch mode
    webhook-blocking:FOLDER    the same, in mode blocking or blocking-strict: events arrive in order

In a command, ``{offset}`` is the number of bytes already read and ``{start}`` the next byte, counted from 1
(``tail -c +{start} FILE``), so that only new bytes are fetched.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.errors import ClusterError
from auditproof.text.paths import is_file, path_of

if TYPE_CHECKING:
    from pathlib import Path

EVENTS = "events.log"  # in the folder of a webhook receiver
WEBHOOKS = ("webhook", "webhook-blocking")
KINDS = ("file", "command", "node", "api", *WEBHOOKS)


@dataclass(frozen=True, slots=True)
class Source:
    """One log: ``kind`` is one of KINDS, ``place`` the text after it."""

    kind: str
    place: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.place}"


def parse_source(spec: str, folder: Path) -> Source:
    """Parse the specification of a log; file paths are relative to ``folder``.

    Raises ClusterError if it is invalid: a file that does not exist, an empty or malformed command or path.
    """
    kind, colon, place = spec.partition(":")
    if not colon or kind not in KINDS:
        kind, place = "file", spec
    place = place.strip()
    if kind == "file":
        path = (folder / path_of(place)).resolve()
        if not is_file(path) and "://" in place:
            raise ClusterError(f"{spec}: only auditproof replay reads URLs; save the log to a file first")
        if not is_file(path):
            raise ClusterError(f"{spec}: no such audit log; expected a file, or {', '.join(KINDS[1:])}: ...")
        return Source(kind, str(path))
    if kind in WEBHOOKS:
        folder = (folder / path_of(place)).resolve()
        if not is_file(folder / EVENTS):
            raise ClusterError(f"{spec}: no events have been received there; start auditproof receive {place} first")
        return Source(kind, str(folder))
    if kind == "command" and not words_of(place):
        raise ClusterError(f"{spec}: expected a command after command:, as a shell quotes its words")
    if kind == "node" and not all(place.partition("/")):
        raise ClusterError(f"{spec}: expected node:NODE/PATH, the path of a file below /var/log of that node")
    if kind == "api" and not place.startswith("/"):
        raise ClusterError(f"{spec}: expected a path of the API server after api:, beginning with /")
    return Source(kind, place)


def words_of(command: str) -> list[str]:
    """Split a command into words as a shell does; empty if a quote is not closed."""
    try:
        return shlex.split(command)
    except ValueError:
        return []
