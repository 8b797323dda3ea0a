"""The SQL for ClickHouse, run by ClickHouse: it decides random and hostile events as ``decide`` and DuckDB do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from auditproof.replay.bodies import line_of
from auditproof.replay.warehouse import select
from tests.replay.test_expression import events
from tests.support import clickhouse
from tests.support.random_policies import policies, read
from tests.support.replayed import expected, line

if TYPE_CHECKING:
    from pathlib import Path

    from auditproof.audit.policy.load import Policy

pytestmark = pytest.mark.skipif(
    not clickhouse.IS_THERE and not clickhouse.REQUIRED, reason="ClickHouse is not there: run .ci/clickhouse"
)
ODD = [
    "it's",
    'a"b',
    "back\\slash",
    "x,y",
    "ü\u2028",
    "{}",
    "a\nb",
    "null",
    "%",
    "${x}",
    "--",
    "a' OR 1=1",
    "?",
    "\x7f",
]


def drawn(strategy: st.SearchStrategy[Any], number: int) -> list[Any]:
    """The same values in every run."""
    found = []

    @settings(
        max_examples=number,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(value: Any) -> None:
        found.append(value)

    collect()
    return found


def hostile() -> tuple[Policy, list[dict[str, Any]]]:
    """A policy whose values need quoting in SQL, and events with these values in every place."""
    rules = [{"level": "Request", "users": [odd]} for odd in ODD[:4]]
    rules += [{"level": "Metadata", "userGroups": [odd], "omitStages": ["ResponseComplete"]} for odd in ODD]
    rules += [{"level": "Request", "nonResourceURLs": [f"/{odd}", f"/a/{odd}*"]} for odd in ODD]
    names = [{"group": "", "resources": ["pods"], "resourceNames": ODD}]
    rules += [{"level": "RequestResponse", "namespaces": ODD[4:], "resources": names}]
    found = []
    for odd in ODD:
        reference = {"resource": "pods", "apiVersion": "v1", "namespace": odd, "name": odd}
        uri = f"/api/v1/namespaces/{odd}/pods/{odd}"
        base = {"verb": "get", "requestURI": uri, "objectRef": reference, "stage": "ResponseComplete"}
        for user in ({"username": odd}, {"username": "x", "groups": ["a", odd]}, {"groups": [f'{odd}","it\'s']}, {}):
            found += [{**base, "user": user}]
            found += [
                {**base, "user": user, "requestURI": path, "objectRef": None} for path in (f"/{odd}", f"/a/{odd}b")
            ]
    for event in found:
        if event["objectRef"] is None:
            del event["objectRef"]
    return read({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": rules}), found


def pairs() -> list[tuple[Policy, list[dict[str, Any]]]]:
    random = drawn(st.tuples(policies, st.lists(events(), min_size=60, max_size=60)), 8)
    return [hostile(), *random]


def test_clickhouse_decides_as_decide_and_is_as_exact_as_duckdb(tmp_path: Path) -> None:
    """One table per policy; ``exact`` is the same as on DuckDB, so neither of them counts what the other does not."""
    statements, wanted = [], []
    with duckdb.connect() as connection:
        for number, (policy, batch) in enumerate(pairs()):
            lines = [line_of(line(event)).decode() for event in batch]
            connection.execute(f"CREATE TABLE log{number} (n INTEGER, event VARCHAR)")
            connection.executemany(f"INSERT INTO log{number} VALUES (?, ?)", [list(row) for row in enumerate(lines)])
            rows = connection.execute(query_of(policy, "duckdb", number)).fetchall()
            wanted.append([list(row) for row in rows])
            for event, (exact, *found) in zip(batch, rows, strict=True):
                assert not exact or tuple(found) == expected(event, policy), event
            file = tmp_path / f"log{number}.json"
            file.write_text("".join(json.dumps([place, text]) + "\n" for place, text in enumerate(lines)))
            source = f"file('{file}', 'JSONCompactEachRow', 'n Int32, event String')"
            statements += [f"CREATE TABLE log{number} ENGINE = Memory AS SELECT * FROM {source}"]
            statements += [query_of(policy, "clickhouse", number)]

    found = clickhouse.query(tmp_path / "clickhouse", *statements)[1::2]

    assert [[[bool(a), b, c, bool(d)] for a, b, c, d in rows] for rows in found] == wanted
    assert sum(exact for rows in wanted for exact, *_ in rows) > 0.5 * sum(map(len, wanted))


def query_of(policy: Policy, dialect: str, number: int) -> str:
    text = select(policy, dialect, f"log{number}").rstrip(";\n")
    inner = text.replace("SELECT\n    event", "SELECT\n    n, event")
    return f"SELECT exact, rule, policy_level, omitted FROM ({inner}) AS t ORDER BY n"
