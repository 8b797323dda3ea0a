"""The record of a server's start, ``cluster.json`` in its folder, by which one process of a run informs the others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - pydantic needs it at run time

from pydantic import TypeAdapter

from auditproof.audit.server_flags import ServerFlags  # noqa: TC001 - pydantic needs it at run time
from auditproof.clusters.cluster import Cluster  # noqa: TC001 - pydantic needs it at run time
from auditproof.errors import ClusterError

RECORD = "cluster.json"


@dataclass(frozen=True, slots=True)
class StartedServer:
    """A server that runs: ``source`` is the policy file that was asked for, ``settings`` the flags of this server."""

    cluster: Cluster
    source: Path
    settings: ServerFlags


@dataclass(frozen=True, slots=True)
class FailedStart:
    """A server that did not start, with the message that every process of the run reports."""

    error: str


_RECORD: TypeAdapter[StartedServer | FailedStart] = TypeAdapter(StartedServer | FailedStart)


def write_record(folder: Path, record: StartedServer | FailedStart) -> None:
    """Write the record of the server with this folder; a process that finds it finds all of it."""
    made = folder / f"{RECORD}.new"
    made.write_bytes(_RECORD.dump_json(record))
    made.rename(folder / RECORD)


def read_server(folder: Path) -> StartedServer:
    """The record of the server with this folder. Raises ClusterError where it did not start, OSError without record."""
    record = _RECORD.validate_json((folder / RECORD).read_bytes())
    if isinstance(record, FailedStart):
        raise ClusterError(record.error)
    return record


def started_servers(run: Path) -> list[StartedServer]:
    """The servers that any process of the run with this directory has started, in the order of their names."""
    files = sorted((run / "servers").glob(f"*/{RECORD}"))
    records = [_RECORD.validate_json(file.read_bytes()) for file in files]
    return [record for record in records if isinstance(record, StartedServer)]
