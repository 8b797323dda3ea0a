"""What it costs to replay a log, compared with programs that only read the same file."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from auditproof import content
from auditproof.audit.policy.load import load_policy
from auditproof.cli.main import main
from tools.bench.measure import cpu_of, smallest
from tools.bench.parts import Ratio

if TYPE_CHECKING:
    from auditproof.audit.policy.load import Policy

POLICY = content.root() / "fixtures" / "policies" / "baseline.yaml"
EVENTS = 20_000
UNIT = "json.loads of every line"
_COLUMNS = "{verb: 'VARCHAR', level: 'VARCHAR', requestURI: 'VARCHAR', user: 'STRUCT(username VARCHAR)'}"


def measure() -> dict[str, Ratio]:
    """Ratios to ``json.loads`` of every line of a generated week; imports are not counted."""
    policy = load_policy(POLICY)
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "week.log"
        main(["generate-log", "--events", str(EVENTS), "--days", "7", "--policy", str(POLICY), "--output", str(log)])
        works = {
            UNIT: lambda: cpu_of(lambda: _load(log)),
            "auditproof replay": lambda: cpu_of(lambda: _replay(log, policy)),
            "DuckDB, four columns of the same file": lambda: cpu_of(lambda: _read_columns(log)),
        }
        for work in works.values():
            work()  # imports
        least = smallest(works)
    return {name: Ratio(spent / least[UNIT], UNIT) for name, spent in least.items() if name != UNIT}


def _load(log: Path) -> None:
    with log.open("rb") as lines:
        for line in lines:
            json.loads(line)


def _replay(log: Path, policy: Policy) -> None:
    from auditproof.replay.duckdb_engine import read_log
    from auditproof.replay.inputs.found import find_logs
    from auditproof.replay.query import PolicyColumns
    from auditproof.replay.summary import summarize

    columns = PolicyColumns(policy)
    with read_log(find_logs([str(log)]).files, [columns]) as read:
        found = summarize(read.sums, columns, None)
    if found.recorded.events != EVENTS:
        raise SystemExit(f"{found.recorded.events} of {EVENTS} events were counted")


def _read_columns(log: Path) -> None:
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        read = f"read_json('{log}', format = 'newline_delimited', columns = {_COLUMNS})"
        columns = 'max(verb), max(level), max(requestURI), max("user")'
        connection.execute(f"SELECT {columns} FROM {read}").fetchall()  # noqa: S608 - a file of this process
