"""The SQL for ClickHouse, run by ClickHouse: it decides random and hostile events as ``decide`` and DuckDB do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import clickhouse
from tests.support.warehouse import COLUMNS, batches

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    not clickhouse.IS_THERE and not clickhouse.REQUIRED, reason="ClickHouse is not there: run .ci/clickhouse"
)
TYPES = {"number": "Int32", "text": "String", "truth": "Bool", "texts": "Array(String)"}


def test_clickhouse_decides_as_decide_and_is_as_exact_as_duckdb(tmp_path: Path) -> None:
    """One table per policy; ``exact`` is the same as on DuckDB, so neither of them counts what the other does not."""
    some = batches(tmp_path)
    structure = ", ".join(f"{name} {TYPES[kind]}" for name, kind in COLUMNS.items())
    statements = []
    for batch in some:
        source = f"file('{batch.file}', 'JSONEachRow', '{structure}')"
        statements += [f"CREATE TABLE {batch.table} ENGINE = Memory AS SELECT * FROM {source}"]
        statements += [batch.select("clickhouse"), batch.expression("clickhouse")]

    found = clickhouse.query(tmp_path / "clickhouse", *statements)

    wanted = [batch.by_duckdb() for batch in some]
    assert found[1::3] == wanted
    assert found[2::3] == [batch.decided() for batch in some]
    assert sum(exact for rows in wanted for exact, *_ in rows) > 0.5 * sum(map(len, wanted))
