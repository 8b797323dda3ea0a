"""The table of sums of a replay, in DuckDB: rows of any engine, and what had to be decided in Python."""

from __future__ import annotations

import json
from collections import defaultdict
from io import BytesIO
from typing import TYPE_CHECKING, Any

from auditproof.audit.decide import decide
from auditproof.auditlog.file_log import event_of
from auditproof.auditlog.forms import Opening, Passed, UnwrappedEvent
from auditproof.auditlog.forms.fields import what_is_missing
from auditproof.proof.offline import asked_by
from auditproof.replay.aggregate import ASKED, ASKED_BETWEEN, CLASSES, column_names, column_types, key_names
from auditproof.replay.bodies import line_of, sizes_of
from auditproof.replay.inputs.feed import NATIVE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from duckdb import DuckDBPyConnection

    from auditproof.kube.attributes import Attributes
    from auditproof.replay.query import PolicyColumns

_AT_ONCE = 2000
_JOINS: tuple[Callable[[Any], Any], ...] = (sum, sum, sum, sum, max, max, min, max)


class Sums:
    """The table ``sums`` of a connection, with the columns of ``aggregate.column_names``.

    ``in_python`` counts the events whose request had to be parsed in Python.
    """

    def __init__(self, connection: DuckDBPyConnection, policies: Sequence[PolicyColumns]) -> None:
        self.connection = connection
        self.policies = policies
        self.names = column_names(policies)
        self.in_python = 0
        self._types = column_types(policies)
        columns = ", ".join(f"{a} {b}" for a, b in zip(self.names, self._types, strict=True))
        connection.execute(f"CREATE TABLE sums ({columns})")

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        """Add rows of another engine, in the order of ``names``."""
        if rows:
            # A list per column: an INSERT per row would take a millisecond each.
            columns = ", ".join(f"unnest(CAST(? AS {kind}[]))" for kind in self._types)
            self.connection.execute(
                f"INSERT INTO sums SELECT {columns}", [list(one) for one in zip(*rows, strict=True)]
            )

    def add_from(self, query: str) -> None:
        """Add the rows of a query on this connection."""
        self.connection.execute(f"INSERT INTO sums {query}")

    def bytes_read(self) -> int:
        """The bytes of all lines with their line breaks; call it before ``decide_the_rest``."""
        size = "bytes + CASE WHEN odd_line = '' THEN 0 ELSE events * (strlen(odd_line) + 1) END"
        [(total,)] = self.connection.execute(f"SELECT coalesce(sum({size}), 0)::BIGINT FROM sums").fetchall()
        return int(total)

    def decide_the_rest(self) -> Iterator[tuple[bytes, int, str, Mapping[str, int]]]:
        """Decide in Python what SQL could not: requests that were not exact, and odd lines.

        Yields each odd line with how often it occurs, why it is no event (empty if it is one), and how many lines of
        other logs it holds.
        """
        for row in self._taken_out(f"{ASKED} <> ''"):
            self._put(self._decided(row))
        for row in self._taken_out("odd_line <> ''"):
            yield from self._opened(row["odd_line"].encode("utf-8", "surrogatepass"), row["events"])

    def _taken_out(self, condition: str) -> Iterator[dict[str, Any]]:
        """Rows that are deleted from the table, a few at a time: there may be more than memory holds."""
        where = f"FROM sums WHERE {condition}"
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE rest AS SELECT *, row_number() OVER () AS n {where}")
        self.connection.execute(f"DELETE {where}")
        [(count,)] = self.connection.execute("SELECT count(*) FROM rest").fetchall()
        for begin in range(0, count, _AT_ONCE):
            some = f"SELECT * EXCLUDE n FROM rest WHERE n > {begin} AND n <= {begin + _AT_ONCE}"
            self._ready: dict[tuple[Any, ...], list[Any]] = {}
            for row in self.connection.execute(some).fetchall():
                yield dict(zip(self.names, row, strict=True))
            self.add([[*key, *sums] for key, sums in self._ready.items()])
        self.connection.execute("DROP TABLE rest")

    def _put(self, row: dict[str, Any]) -> None:
        """Add a row, summed with others of the same key."""
        keys = key_names(self.policies)
        key = tuple(row[name] for name in keys)
        sums = [row[name] for name in self.names[len(keys) :]]
        known = self._ready.setdefault(key, sums)
        if known is not sums:
            for place, join in enumerate(_JOINS):
                known[place] = join((known[place], sums[place]))

    def _decided(self, row: dict[str, Any]) -> dict[str, Any]:
        user, reference, uri = row[ASKED].split(ASKED_BETWEEN, 2)
        raw: dict[str, Any] = {"verb": row["verb"], "requestURI": uri, "user": json.loads(user)}
        if reference:
            raw["objectRef"] = json.loads(reference)
        self.in_python += row["events"]
        return {**row, ASKED: "", **self._judged(asked_by(_without_nulls(raw)), row["stage"])}

    def _judged(self, attributes: Attributes, stage: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for one in self.policies:
            decision = decide(one.policy, attributes)
            found[one.rule] = decision.rule.index if decision.rule else -1
            found[one.level] = str(decision.level)
            found[one.omitted] = stage in decision.omit_stages
        return found

    def _opened(self, line: bytes, times: int) -> Iterator[tuple[bytes, int, str, Mapping[str, int]]]:
        others: dict[str, int] = defaultdict(int)
        # After a line break: a byte order mark, or what looks like YAML, means something only in a first line.
        for found in Opening(BytesIO(b"\n" + line)).read():
            if isinstance(found, Passed):
                others[found.log] += times
            elif isinstance(found, UnwrappedEvent):
                reason = self._event(found.raw, line, times)
                if reason:
                    yield line, times, reason, {}
            else:
                yield line, times, found.reason, {}
        if others:
            yield line, times, "", others

    def _event(self, raw: dict[str, Any], line: bytes, times: int) -> str:
        """Add an event that SQL could not read; returns why it is none, or nothing."""
        if missing := what_is_missing(raw):
            return f"not judged: {missing}"
        if raw.get("kind") is None:
            raw["kind"] = "Event"
        try:
            event_of(raw, "", 0)
        except ValueError as error:
            return f"not an audit event: {error}"
        if not raw.get("stageTimestamp"):
            return "not judged: it has no stageTimestamp"
        self.in_python += times
        self._put(self._row(raw, line if line.startswith(NATIVE) else line_of(raw), times))
        return ""

    def _row(self, raw: dict[str, Any], line: bytes, times: int) -> dict[str, Any]:
        sizes, attributes, time = sizes_of(line), asked_by(raw), raw["stageTimestamp"]
        user = raw["user"]
        return {
            **self._judged(attributes, raw["stage"]),
            **dict.fromkeys((ASKED, "odd_line"), ""),
            "day": time[:10],
            "username": user.get("username", ""),
            "user_class": next((one for one in CLASSES if one in user.get("groups", ())), ""),
            "verb": raw["verb"],
            "what": _what(raw),
            "recorded_level": raw["level"],
            "stage": raw["stage"],
            "events": times,
            "bytes": sizes.line * times,
            "request_bytes": sizes.request * times,
            "response_bytes": sizes.response * times,
            "largest_request": sizes.request,
            "largest_response": sizes.response,
            "first": time,
            "last": time,
        }


def _what(raw: Mapping[str, Any]) -> str:
    """As ``aggregate.what``, of an event in Python."""
    reference = raw.get("objectRef")
    if reference is None:
        path: str = raw["requestURI"].partition("?")[0]
        slash = path.find("/", 1)
        return path if slash < 0 else path[:slash]
    plural: str = reference.get("resource", "")
    plural += f".{group}" if (group := reference.get("apiGroup")) else ""
    return f"{plural}/{part}" if (part := reference.get("subresource")) else plural


def _without_nulls(raw: dict[str, Any]) -> dict[str, Any]:
    """To Go a null field is absent (see ``event_form``)."""
    return {
        key: _without_nulls(value) if isinstance(value, dict) else value
        for key, value in raw.items()
        if value is not None
    }
