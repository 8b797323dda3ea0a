"""The judged lines of a log in DuckDB, put together to requests: what is counted, and what is left to Python."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from auditproof.audit.event_form import decode
from auditproof.replay.duckdb_engine import MEMORY, PIPES, settings
from auditproof.replay.inputs.feed import fed
from auditproof.replay.inputs.lines import LONGEST_LINE
from auditproof.replay.recorded.events import judged_lines, requirement_column
from auditproof.replay.recorded.feed import MOST_IDS, PlacedLines
from auditproof.replay.recorded.lines import NotCounted
from auditproof.replay.running import run_beside

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from auditproof.analysis.requirements import Requirement
    from auditproof.audit.policy.load import Policy
    from auditproof.proof.offline import Kind
    from auditproof.replay.recorded.feed import Run

_AT_ONCE = 10_000


# A request is counted if every line of it is plain, each of another stage, and all stages are there that are due.
_COUNTED = (
    "bool_and(plain) AND min(rule) = max(rule) AND min(what) = max(what) AND min(due) = max(due) "
    "AND bit_count(bit_or(stage_bit)) = count(*) AND bit_or(stage_bit) & min(due) = min(due) "
    "AND min(id) NOT IN (SELECT id FROM python_ids)"
)


class Requests:
    """The requests of a log. ``passed`` are the lines of each file that were given to SQL."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, requirements: int, passed: dict[int, list[Run]]) -> None:
        self._connection, self._requirements, self.passed = connection, requirements, passed

    def build(self, ids: set[str]) -> None:
        """Put the lines together; ``ids`` are the Audit-IDs of events that Python has read."""
        ids = ids | set(self._unread_ids())
        self._connection.execute(
            "CREATE TABLE python_ids AS SELECT hash(unnest(CAST(? AS VARCHAR[]))) AS id", [sorted(ids)]
        )
        self._connection.execute(
            f"CREATE TABLE requests AS SELECT request, min(n) AS first, {_COUNTED} AS counted "
            "FROM events GROUP BY request"
        )

    def _unread_ids(self) -> Iterator[str]:
        """The Audit-IDs of lines that DuckDB cannot read, and Python perhaps can."""
        found = self._connection.execute("SELECT unread_line FROM events WHERE unread_line <> ''")
        for (line,) in iter(found.fetchone, None):
            try:
                value = decode(line.encode())
            except ValueError:
                continue
            if isinstance(value, dict):
                yield str(value.get("auditID")).encode("utf-8", "replace").decode()

    def kinds(self) -> dict[Kind, tuple[set[str], int]]:
        """The users and the number of the counted requests of each kind."""
        found: dict[Kind, tuple[set[str], int]] = defaultdict(lambda: (set(), 0))
        rows = self._connection.execute(
            "SELECT rule, verb, what, username, count(*) FROM events JOIN requests ON n = first "
            "WHERE counted GROUP BY ALL"
        )
        for rule, verb, what, user, count in iter(rows.fetchone, None):
            kind = (None if rule < 0 else rule, verb, what)
            users, before = found[kind]
            users.add(user)
            found[kind] = (users, before + count)
        return dict(found)

    def span(self) -> tuple[str, str]:
        """The first and the last time of a plain line; empty without any."""
        [found] = self._connection.execute(
            "SELECT coalesce(min(stage_time), ''), coalesce(max(stage_time), '') FROM events WHERE plain"
        ).fetchall()
        first, last = found
        return str(first), str(last)

    def places(self) -> Iterator[tuple[int, bool]]:
        """The places that Python looks at, in their order: of lines that it judges (True), and of examples."""
        selected = [requirement_column(number) for number in range(self._requirements)]
        firsts = ["SELECT min(n) AS n FROM events WHERE plain GROUP BY rule, verb, what"]
        firsts += [f"SELECT min(n) FROM events WHERE plain AND {name}" for name in selected]
        judged = "SELECT n, true AS judged FROM events JOIN requests USING (request) WHERE NOT counted"
        query = (
            f"SELECT n, bool_or(judged) FROM ({judged} UNION ALL SELECT n, false FROM ({' UNION ALL '.join(firsts)})) "
            "WHERE n IS NOT NULL GROUP BY n ORDER BY n"
        )
        rows = self._connection.execute(query)
        while some := rows.fetchmany(_AT_ONCE):
            yield from some


@contextmanager
def read_requests(paths: Sequence[Path], policy: Policy, requirements: Sequence[Requirement]) -> Iterator[Requests]:
    """Read the plain lines of files and judge them; files are numbered in their order.

    Raises NotCounted where DuckDB cannot do that, and OSError where a file cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="auditproof-log-") as name, duckdb.connect() as connection:
        settings(connection, Path(name), MEMORY, PIPES)
        numbered = list(enumerate(paths))
        feeds = [PlacedLines(numbered[n::PIPES]) for n in range(PIPES) if numbered[n::PIPES]]
        found = Requests(connection, len(requirements), {})
        try:
            with fed(feeds, Path(name)) as pipes:
                query = f"CREATE TABLE events AS {judged_lines(_lines(pipes), policy, requirements)}"
                run_beside(connection, lambda: connection.execute(query), lambda: None)
            _check(connection, feeds, found)
            ids = {one for feed in feeds for one in feed.ids}
            run_beside(connection, lambda: found.build(ids), lambda: None)
            yield found
        except duckdb.Error as error:
            raise NotCounted(str(error).splitlines()[0]) from None


def _lines(pipes: Sequence[Path]) -> str:
    listed = ", ".join(f"'{pipe}'" for pipe in pipes)
    return (
        f"read_csv([{listed}], columns={{'n': 'BIGINT', 'line': 'VARCHAR'}}, delim=chr(31), nullstr=chr(30), quote='', "
        "escape='', comment='', header=false, auto_detect=false, strict_mode=false, "
        f"max_line_size={LONGEST_LINE}, buffer_size={2 * LONGEST_LINE})"
    )


def _check(connection: duckdb.DuckDBPyConnection, feeds: Sequence[PlacedLines], found: Requests) -> None:
    """Whether every line came through."""
    for feed in feeds:
        if feed.failed:
            raise feed.failed
        found.passed |= feed.passed
        if len(feed.ids) >= MOST_IDS:
            raise NotCounted("too many events in other forms")
    [(count,)] = connection.execute("SELECT count(*) FROM events").fetchall()
    if count != sum(last - first + 1 for runs in found.passed.values() for first, last in runs):
        raise NotCounted("DuckDB has left out lines")
