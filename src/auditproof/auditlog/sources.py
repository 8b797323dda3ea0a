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
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.errors import ClusterError
from auditproof.text.paths import is_file, path_of

if TYPE_CHECKING:
    from pathlib import Path

EVENTS = "events.log"  # in the folder of a webhook's receiver
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
    if kind == "command" and not words_of(place):
        raise ClusterError(f"{spec}: expected a command after command:, as a shell quotes its words")
    if kind == "node" and not all(place.partition("/")):
        raise ClusterError(f"{spec}: expected node:NODE/PATH, the path of a file below /var/log of that node")
    if kind == "api" and not place.startswith("/"):
        raise ClusterError(f"{spec}: expected a path of the API server after api:, beginning with /")
    return Source(kind, place)


def words_of(command: str) -> list[str]:
    """The words of a command as a shell splits them; none where its quotes do not close."""
    try:
        return shlex.split(command)
    except ValueError:
        return []
