"""The SQL for warehouses: parsed in every dialect, run on DuckDB, where exact rows are decided as by ``decide``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
import sqlglot

from auditproof.audit.policy.load import load_policy
from auditproof.errors import AuditproofError
from auditproof.replay.bodies import line_of
from auditproof.replay.sql import DIALECTS
from auditproof.replay.warehouse import PARSED, RUN, expression, select
from tests.support.replayed import expected, judge

if TYPE_CHECKING:
    from auditproof.audit.policy.load import Policy


@pytest.fixture(params=sorted(Path("fixtures/policies").glob("*.yaml")), ids=lambda path: path.stem)
def policy(request: pytest.FixtureRequest) -> Policy:
    return load_policy(request.param)


def test_the_text_of_every_dialect_is_parsed_by_that_dialect(policy: Policy) -> None:
    for dialect in DIALECTS:
        [statement] = sqlglot.parse(select(policy, dialect, "audit.events"), dialect=dialect)
        assert statement is not None and statement.find(sqlglot.exp.Case)
        text = expression(policy, dialect)
        assert RUN.get(dialect, PARSED) in text.splitlines()[0]
        for part in text.split("\n\n")[2:]:
            assert sqlglot.parse_one(part, dialect=dialect) is not None


def test_the_select_for_duckdb_decides_as_decide(policy: Policy, events: list[dict[str, Any]]) -> None:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE log (event VARCHAR)")
        connection.executemany("INSERT INTO log VALUES (?)", [[line_of(event).decode()] for event in events])
        text = select(policy, "duckdb", "log").rstrip(";\n")
        rows = connection.execute(f"SELECT exact, rule, policy_level, omitted FROM ({text})").fetchall()

    wanted = [expected(event, policy) for event in events]
    assert sum(exact for exact, *_ in rows) == sum(exact for exact, *_ in judge(events, policy)) > 0
    assert all(not exact or tuple(found) == one for (exact, *found), one in zip(rows, wanted, strict=True))


def test_a_table_that_is_no_name_is_an_error() -> None:
    with pytest.raises(AuditproofError, match="expected the name of a table"):
        select(load_policy("fixtures/policies/baseline.yaml"), "duckdb", "a; DROP TABLE b")
