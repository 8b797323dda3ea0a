"""Runs a query of DuckDB beside the main thread, so that Ctrl-C ends it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from duckdb import DuckDBPyConnection

_TICK = 0.2


def run_beside(connection: DuckDBPyConnection, work: Callable[[], object], tick: Callable[[], object]) -> None:
    """Do ``work``, which runs queries on the connection, and call ``tick`` in the meantime.

    Raises what ``work`` raises. What ``tick`` or a signal raises ends the queries first.
    """
    failed: list[BaseException] = []
    done = threading.Event()  # Thread.join, once interrupted, takes a thread for ended (CPython 3.11)

    def run() -> None:
        try:
            work()
        except BaseException as error:  # raised again in the main thread
            failed.append(error)
        finally:
            done.set()

    threading.Thread(target=run, daemon=True).start()
    try:
        while not done.wait(_TICK):
            tick()
    except BaseException:
        while not done.wait(_TICK / 2):
            connection.interrupt()  # again, because it does nothing before the query has begun
        raise
    if failed:
        raise failed[0]
