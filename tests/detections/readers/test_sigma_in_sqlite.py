"""Sigma rules evaluated by a second engine: pySigma's own backend for SQLite, on the same events."""

from __future__ import annotations

import json
import re
import sqlite3
from typing import TYPE_CHECKING, Any

import hypothesis
import yaml
from hypothesis import strategies as st
from sigma.backends.sqlite import sqliteBackend
from sigma.collection import SigmaCollection

from auditproof.detections import load_rules, matches

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = ("verb", "user.username", "objectRef.resource", "objectRef.subresource", "userAgent")
CODE = "responseStatus.code"
_VALUES = st.sampled_from(
    ["get", "GET", "pods", "exec", "system:node:a", "system:*", "p?ds", "*", r"a\*b", "a*b", "_", "%", "x"]
)
_CODES = st.sampled_from([200, 401, 403])
_MODIFIERS = st.sampled_from(
    ["", "|contains", "|startswith", "|endswith", "|cased", "|contains|cased", "|contains|all"]
)


@st.composite
def _items(draw: st.DrawFn) -> tuple[str, Any]:
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return CODE + draw(st.sampled_from(["", "|gt", "|gte", "|lt", "|lte"])), draw(_CODES)
    field = draw(st.sampled_from(TEXTS))
    if kind == 1:
        return f"{field}|re", draw(st.sampled_from(["^get$", "o", "^system:(node|x):", "[ps]$"]))
    if kind == 2:
        return f"{field}|exists", draw(st.booleans())
    if kind == 3:
        return field, None
    return field + draw(_MODIFIERS), draw(_VALUES | st.lists(_VALUES, min_size=1, max_size=3))


_SELECTIONS = st.dictionaries(
    st.sampled_from(["selection_a", "selection_b", "filter"]),
    st.lists(_items(), min_size=1, max_size=3).map(dict),
    min_size=3,
)
_CONDITIONS = st.sampled_from(
    ["selection_a", "1 of selection_*", "all of them", "selection_a and not filter", "not (selection_a or selection_b)",
     "1 of selection_* and not filter", "not 1 of them", "filter or selection_a and selection_b"]
)  # fmt: skip
_PRESENT = st.sampled_from(["get", "Get", "pods", "exec", "system:node:a", "a*b", "axb", "p_ds", "x%"])
_EVENTS = st.fixed_dictionaries({}, optional={**dict.fromkeys(TEXTS, _PRESENT), CODE: _CODES})


def _nested(flat: dict[str, Any]) -> dict[str, Any]:
    event: dict[str, Any] = {}
    for path, value in flat.items():
        *above, key = path.split(".")
        node = event
        for step in above:
            node = node.setdefault(step, {})
        node[key] = value
    return event


@hypothesis.given(_SELECTIONS, _CONDITIONS, st.lists(_EVENTS, min_size=1, max_size=8))
@hypothesis.settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(hypothesis.HealthCheck)
)
def test_a_rule_matches_what_its_query_in_sqlite_finds(
    tmp_path: Path, selections: dict[str, Any], condition: str, events: list[dict[str, Any]]
) -> None:
    """Both engines are given the same rule and the same events, and find the same ones."""
    rule = {
        "title": "A rule",
        "logsource": {"product": "kubernetes", "service": "audit"},
        "detection": {**selections, "condition": condition},
    }
    text = yaml.safe_dump(rule)
    path = tmp_path / "rule.yml"
    path.write_text(text)
    read = load_rules([path])
    assert not read.not_read, read.not_read
    found = [number for number, event in enumerate(events) if matches(read.detections[0].steps[0], _nested(event))]
    assert found == _found_by_sqlite(text, events), json.dumps([rule, events])


def _found_by_sqlite(text: str, events: list[dict[str, Any]]) -> list[int]:
    (query,) = sqliteBackend(collate_nocase=True, table="events").convert(SigmaCollection.from_yaml(text))
    database = sqlite3.connect(":memory:")
    database.create_function("REGEXP", 2, lambda pattern, value: value is not None and bool(re.search(pattern, value)))
    columns = (*TEXTS, CODE)
    named = ", ".join(map('"{}"'.format, columns))
    database.execute(f"CREATE TABLE events (number, {named})")
    for number, event in enumerate(events):
        row = (number, *(event.get(name) for name in columns))
        database.execute(f"INSERT INTO events VALUES ({', '.join('?' * len(row))})", row)
    return sorted(row[0] for row in database.execute(query))
