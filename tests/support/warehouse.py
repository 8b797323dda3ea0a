"""Random and hostile events for the SQL of a warehouse, and what ``decide`` and DuckDB say about them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from auditproof.proof.offline import asked_by
from auditproof.replay import warehouse
from auditproof.replay.bodies import line_of
from tests.support.random_events import events
from tests.support.random_policies import policies, read
from tests.support.replayed import expected, line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from auditproof.audit.policy.load import Policy

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
    "\\${env:HOME}",
    "--",
    "a' OR 1=1",
    "?",
    "\x7f",
    "\\u0041",
]
# What ends a line for some regular expressions, and so is not seen by their $.
ENDS = ["", "\n", "\r\n", "\r", "\x85", "\u2028", "\u2029", "\nx", " "]
_TEXTS = ("username", "verb", "namespace", "api_group", "resource", "subresource")
_TEXTS += ("full_resource", "request_name", "path", "stage")
# The columns of a table of events, for ``select``, and those that ``expression`` reads, by the kind of type.
COLUMNS = {"n": "number", "event": "text", "authenticated": "truth", "has_reference": "truth", "user_groups": "texts"}
COLUMNS |= dict.fromkeys(_TEXTS, "text")


@dataclass(frozen=True)
class Batch:
    """Events for one policy. ``file`` has one JSON object for each, with the columns of COLUMNS."""

    policy: Policy
    events: list[dict[str, Any]]
    table: str
    file: Path

    def select(self, dialect: str) -> str:
        """Rows of exact, rule, level and omitted, in the order of the events, by the SELECT that is printed."""
        text = warehouse.select(self.policy, dialect, self.table).rstrip(";\n")
        inner = text.replace("SELECT\n    event", "SELECT\n    n, event")
        return f"SELECT exact, rule, policy_level, omitted FROM ({inner}) AS t ORDER BY n"

    def expression(self, dialect: str) -> str:
        """Rows of rule, level and omitted, by the expressions that are printed without a table."""
        rule, level, omitted = warehouse.expression(self.policy, dialect).split("\n\n")[2:]
        ruled = f"SELECT *,\n{rule}\nAS rule FROM {self.table}"
        return f"SELECT rule,\n{level}\nAS level,\n{omitted}\nAS omits FROM ({ruled}) AS t ORDER BY n"

    def decided(self) -> list[list[Any]]:
        """What ``expression`` must give."""
        return [list(expected(event, self.policy)) for event in self.events]

    def by_duckdb(self) -> list[list[Any]]:
        """What ``select`` gives on DuckDB: the same as ``decide``, if it is exact."""
        types = {"number": "INTEGER", "text": "VARCHAR", "truth": "BOOLEAN", "texts": "VARCHAR[]"}
        columns = ", ".join(f"{name}: '{types[kind]}'" for name, kind in COLUMNS.items())
        source = f"read_json('{self.file}', format='newline_delimited', columns={{{columns}}})"
        with duckdb.connect() as connection:
            connection.execute(f"CREATE TABLE {self.table} AS SELECT * FROM {source}")
            rows = [list(row) for row in connection.execute(self.select("duckdb")).fetchall()]
            assert list(map(list, connection.execute(self.expression("duckdb")).fetchall())) == self.decided()
        for event, (exact, *found), decided in zip(self.events, rows, self.decided(), strict=True):
            assert not exact or found == decided, event
        return rows


def batches(folder: Path, number: int = 8) -> list[Batch]:
    """A hostile batch and ``number`` random ones, the same in every run."""
    random = _drawn(st.tuples(policies, st.lists(events(), min_size=60, max_size=60)), number)
    found = []
    for place, (policy, some) in enumerate([_hostile(), *random]):
        batch = Batch(policy, some, f"log{place}", folder / f"log{place}.json")
        rows = (json.dumps({"n": n, **_columns(event)}) + "\n" for n, event in enumerate(some))
        batch.file.write_text("".join(rows))
        found.append(batch)
    return found


def _columns(event: dict[str, Any]) -> dict[str, Any]:
    seen, user = asked_by(event), event["user"]
    values = (user.get("username", ""), seen.verb, seen.namespace, seen.api_group, seen.resource, seen.subresource)
    full = f"{seen.resource}/{seen.subresource}" if seen.subresource else seen.resource
    texts = dict(zip(_TEXTS, (*values, full, seen.name, seen.path, event["stage"]), strict=True))
    return {
        "event": line_of(line(event)).decode(),
        "authenticated": seen.user is not None,
        "has_reference": seen.resource_request,
        "user_groups": user.get("groups", []),
        **texts,
    }


def _drawn(strategy: st.SearchStrategy[Any], number: int) -> list[Any]:
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


def _hostile() -> tuple[Policy, list[dict[str, Any]]]:
    """A policy whose values need quoting in SQL, and events with these values in every place."""
    rules = [{"level": "Request", "users": [odd]} for odd in ODD[:4]]
    rules += [{"level": "Metadata", "userGroups": [odd], "omitStages": ["ResponseComplete"]} for odd in ODD]
    rules += [{"level": "Request", "nonResourceURLs": [f"/{odd}", f"/a/{odd}*"]} for odd in ODD]
    names = [{"group": "", "resources": ["pods"], "resourceNames": ODD}]
    rules += [{"level": "RequestResponse", "namespaces": ODD[4:], "resources": names}]
    rules += [{"level": "Request", "users": ["operator"]}]  # not of a request that is refused before authentication
    return read({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": rules}), list(_hostile_events())


def _hostile_events() -> Iterator[dict[str, Any]]:
    base = {"verb": "get", "stage": "ResponseComplete"}
    for odd in ODD:
        reference = {"resource": "pods", "apiVersion": "v1", "namespace": odd, "name": odd}
        uri = f"/api/v1/namespaces/{odd}/pods/{odd}"
        for user in ({"username": odd}, {"username": "x", "groups": ["a", odd]}, {"groups": [f'{odd}","it\'s']}, {}):
            yield {**base, "requestURI": uri, "objectRef": reference, "user": user}
            for path in (f"/{odd}", f"/a/{odd}b"):
                yield {**base, "requestURI": path, "user": user}
    for end in ENDS:
        user = {"username": "operator"}
        for query in ("timeout=5s", "a=%41", "%74imeout=5s"):
            yield {**base, "requestURI": f"/version?{query}{end}", "user": user}
        reference = {"resource": "pods", "apiVersion": "v1", "namespace": "null", "name": "null"}
        for query in ("fieldSelector=metadata.name%3Dnull&watch=1", "watch=1&fieldSelector=metadata.name%3Dnull"):
            uri = f"/api/v1/namespaces/null/pods?{query}{end}"
            yield {**base, "verb": "watch", "requestURI": uri, "objectRef": reference, "user": user}
