"""What feeds the readers of the room ``replay``: logs that SQL reads, counters, prices, and policies as SQL."""

from __future__ import annotations

import json
import warnings
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import sqlglot

from auditproof.audit.policy.load import parse_policy
from auditproof.errors import AuditproofError
from auditproof.plugin.offline import OfflineRun
from auditproof.replay.duckdb_engine import read_log
from auditproof.replay.forecast.counters import read_counters
from auditproof.replay.inputs.found import find_logs
from auditproof.replay.price import parse_price
from auditproof.replay.query import PolicyColumns
from auditproof.replay.recorded.lines import NotCounted
from auditproof.replay.sql import DIALECTS
from auditproof.replay.summary import summarize
from auditproof.replay.warehouse import select

if TYPE_CHECKING:
    from pathlib import Path

    from auditproof.audit.policy.load import Policy

# Short, because DuckDB compiles it for every input.
POLICY = parse_policy(
    b'{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Metadata", "verbs": ["get"]}, '
    b'{"level": "Request"}]}',
    "policy.yaml",
)


def replayed(_data: bytes, path: Path) -> None:
    """A log by the engine: every event is counted, or named as not counted."""
    columns = PolicyColumns(POLICY)
    with read_log(find_logs([str(path)]).files, [columns]) as read:
        found = summarize(read.sums, columns, None, read.troubles.all(), files=read.files)
    assert found.recorded.events >= 0 <= found.recorded.bytes


def recorded(_data: bytes, path: Path) -> None:
    """A log of ``run --no-actions``: with SQL it is judged as without."""
    in_python = OfflineRun(_options(POLICY, path))
    in_python.read(lambda one: one.name)
    with_sql = OfflineRun(_options(POLICY, path))
    try:
        with_sql.read_with_sql(lambda one: one.name)
    except NotCounted:
        return
    assert _records(with_sql) == _records(in_python)


def _options(policy: Policy, path: Path) -> Any:
    return SimpleNamespace(policy=policy, recorded=(path,), requirements=())


def _records(run: OfflineRun) -> list[str]:
    return [json.dumps(one.model_dump(), default=str) for one in run.records("suite")]


def counters(data: bytes, path: Path) -> None:
    """A dump of an API server's metrics."""
    read_counters(data.decode("utf-8", "replace"), path.name)


def price(data: bytes, path: Path) -> None:
    """A price on the command line."""
    try:
        parse_price(data.decode("utf-8", "replace"))
    except ValueError as error:
        raise AuditproofError(f"{path.name}: {error}") from None


def as_sql(data: bytes, path: Path) -> None:
    """A policy as SQL: whatever its patterns and names hold, each dialect reads one statement, and no more."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        policy = parse_policy(data, path.name)
    for dialect in DIALECTS:
        assert len(sqlglot.parse(select(policy, dialect, "audit.events"), dialect=dialect)) == 1
