"""Runs a policy over a log with DuckDB, on this machine: one pass, in bounded memory.

Plain files are read by DuckDB with several threads. Everything else (compressed, in an envelope, in a store) comes
through two named pipes, each written by a thread.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
from sqlglot import exp

from auditproof.errors import AuditproofError
from auditproof.replay.aggregate import aggregated
from auditproof.replay.duckdb_events import events_of, in_group, read_lines
from auditproof.replay.inputs.feed import Feed, Troubles, fed, sort_out
from auditproof.replay.inputs.lines import line_numbers
from auditproof.replay.query import judged
from auditproof.replay.running import run_beside
from auditproof.replay.sums import Sums
from auditproof.text.sizes import readable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from auditproof.replay.inputs.found import LogFile
    from auditproof.replay.query import PolicyColumns

MEMORY = "128MB"  # of DuckDB's own; the process takes about 150 MB more
PIPES = 2
_SILENT = 2.0  # seconds before the first line of progress
_NAMED = 100_000  # wrong lines whose place is looked for


@dataclass(slots=True)
class LogRead:
    """What was read: the sums, what is no event, and how many events came in which form or belong to another log."""

    sums: Sums
    troubles: Troubles
    files: int
    forms: Counter[str] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)


@contextmanager
def read_log(
    files: Sequence[LogFile],
    policies: Sequence[PolicyColumns],
    progress: Callable[[str], None] = lambda _: None,
    *,
    memory: str = MEMORY,
    threads: int = 0,
) -> Iterator[LogRead]:
    """Read a log and judge it by policies; the sums can be queried until the block ends.

    ``threads`` 0 means as many as the machine has cores. Raises AuditproofError if the machine lacks memory or disk.
    """
    with tempfile.TemporaryDirectory(prefix="auditproof-replay-") as name:
        folder = Path(name)
        with duckdb.connect() as connection:
            settings(connection, folder, memory, threads or os.cpu_count() or 2)
            run = _Run(connection, folder, files, policies, progress)
            try:
                yield run.read()
            except duckdb.Error as error:
                raise AuditproofError(f"DuckDB cannot go on: {str(error).splitlines()[0]}") from None


@contextmanager
def sums_in(folder: Path, policies: Sequence[PolicyColumns]) -> Iterator[Sums]:
    """An empty table of sums for the rows of another engine; DuckDB's files are in ``folder``."""
    with duckdb.connect() as connection:
        settings(connection, folder, MEMORY, os.cpu_count() or 2)
        yield Sums(connection, policies)


def settings(connection: duckdb.DuckDBPyConnection, folder: Path, memory: str, threads: int) -> None:
    """All of DuckDB's files are in the folder of this run; nothing is loaded from elsewhere."""
    connection.execute(f"SET memory_limit = '{memory}'")
    connection.execute(f"SET threads = {threads}")
    connection.execute(f"SET temp_directory = '{folder}'")
    connection.execute("SET preserve_insertion_order = false")
    connection.execute("SET autoinstall_known_extensions = false")
    connection.execute("SET enable_progress_bar = false")


class _Run:
    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        folder: Path,
        files: Sequence[LogFile],
        policies: Sequence[PolicyColumns],
        progress: Callable[[str], None],
    ) -> None:
        self._connection, self._folder, self._progress = connection, folder, progress
        self._files, self._policies = files, policies
        self._troubles = Troubles()
        self._own, others = sort_out(files, self._troubles)
        self._native = [*self._own, *(file for file, native in others if native)]
        self._feeds = [Feed(others[n::PIPES], self._troubles) for n in range(PIPES) if others[n::PIPES]]
        self._size = sum(file.size for file in files)

    def read(self) -> LogRead:
        sums = Sums(self._connection, self._policies)
        with fed(self._feeds, self._folder) as pipes:
            paths = [*(file.path for file in self._own if file.path), *pipes]
            if paths:
                self._in_thread(lambda: sums.add_from(self._query(paths)))
        found = LogRead(sums, self._troubles, len(self._files))
        for feed in self._feeds:
            found.forms += feed.forms
            found.others += feed.others
        if paths:
            # DuckDB leaves out lines that are too long, or not UTF-8, without a word about the former.
            size = sum(file.size for file in self._own) + sum(feed.written for feed in self._feeds)
            told(found, self._native, incomplete=found.sums.bytes_read() < size)
        return found

    def _query(self, paths: Sequence[Path]) -> str:
        self._connection.execute(f"CREATE VIEW events AS {events_of(read_lines(paths))}")
        query = judged(exp.select("*").from_("events"), self._policies, in_group)
        return aggregated(query, self._policies).sql("duckdb")

    def _in_thread(self, work: Callable[[], object]) -> None:
        begun = time.monotonic()

        def tick() -> None:
            if time.monotonic() - begun > _SILENT:
                self._progress(self._how_far())

        try:
            run_beside(self._connection, work, tick)
        finally:
            self._progress("")

    def _how_far(self) -> str:
        done = max(self._connection.query_progress(), 0.0) / 100 if self._own else 0.0
        plain = sum(file.size for file in self._own)
        read = done * plain + sum(feed.read for feed in self._feeds)
        return f"{readable(read)} of {readable(self._size)} read"


def told(found: LogRead, native: Sequence[LogFile], *, incomplete: bool) -> None:
    """Decide what SQL could not, and name the lines of ``native`` files that are no events.

    ``incomplete``: the engine has left out lines that are too long, or not UTF-8.
    """
    wrong: dict[bytes, str] = {}
    total: Counter[str] = Counter()
    for line, times, reason, others in found.sums.decide_the_rest():
        found.others.update(others)
        if reason:
            if len(wrong) < _NAMED:
                wrong[line] = reason
            total[reason] += times
    for reason, count in line_numbers(native, wrong, found.troubles, incomplete=incomplete):
        total[reason] -= count
    for reason, count in total.items():
        if count > 0:
            found.troubles.add("(the log)", None, reason, count)
