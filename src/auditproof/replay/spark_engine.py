"""Runs a policy over a log with Spark, on any cluster: the query of ``query`` and ``aggregate``, in Spark's dialect.

Spark reads files whose lines are those of an API server, plain or gzip, wherever its workers can read them. Files of
any other form are named as not counted: ``duckdb_engine`` reads them. A worker that dies is replaced by Spark, which
does its part of the work again, or the job fails as a whole: there is no result with a part missing.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from auditproof.errors import AuditproofError
from auditproof.replay import sql
from auditproof.replay.aggregate import aggregated
from auditproof.replay.duckdb_engine import LogRead, sums_in, told
from auditproof.replay.inputs.feed import Troubles, sort_out
from auditproof.replay.inputs.packed import GZIP, ZSTD
from auditproof.replay.query import judged
from auditproof.replay.spark_events import NOT_TEXT, events_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pyspark.sql import SparkSession

    from auditproof.replay.inputs.found import LogFile
    from auditproof.replay.query import PolicyColumns

INSTALL = 'pip install "auditproof[replay,spark]"'
_AT_ONCE = 5000  # rows of sums that are taken over together
_HEAD = 4


@contextmanager
def read_log(
    files: Sequence[LogFile],
    policies: Sequence[PolicyColumns],
    progress: Callable[[str], None] = lambda _: None,
    *,
    master: str = "local[*]",
) -> Iterator[LogRead]:
    """Read a log and judge it by policies, as ``duckdb_engine.read_log``; ``master`` is the URL of a Spark cluster.

    Raises AuditproofError if Spark or Java is missing, the cluster cannot be used, or the job fails.
    """
    _require_spark()
    troubles = Troubles()
    chosen = readable(files, troubles)
    with tempfile.TemporaryDirectory(prefix="auditproof-replay-") as name, sums_in(Path(name), policies) as sums:
        found = LogRead(sums, troubles, len(files))
        if chosen:
            progress(f"Spark at {master} reads {len(chosen)} files")
            left_out = False
            with _session(master) as session:
                odd = sums.names.index("odd_line")
                for rows in _rows(session, chosen, policies):
                    texts = [row for row in rows if row[odd] != NOT_TEXT]
                    left_out |= len(texts) < len(rows)
                    sums.add(texts)
            progress("")
            told(found, chosen, incomplete=left_out)
        yield found


def _require_spark() -> None:
    from importlib.util import find_spec

    if find_spec("pyspark") is None:
        raise AuditproofError(f"this needs pyspark, which is not installed; install: {INSTALL}")
    java = os.environ.get("JAVA_HOME")
    if not (java and (Path(java) / "bin" / "java").exists()) and shutil.which("java") is None:
        raise AuditproofError("Spark needs Java 17 or newer: there is no java on PATH, and JAVA_HOME names none")


def readable(files: Sequence[LogFile], troubles: Troubles) -> list[LogFile]:
    """The files that Spark can read; the others are named."""
    own, fed = sort_out(files, troubles)
    for file, native in fed:
        with file.open() as raw:
            head = raw.read(_HEAD)
        # Spark knows gzip by the name of a file alone, and has no zstd of its own.
        is_readable = file.name.endswith(".gz") if head.startswith(GZIP) else not head.startswith(ZSTD)
        if native and is_readable:
            own.append(file)
        else:
            troubles.add(file.name, None, "Spark reads JSON lines, plain or *.gz: --engine duckdb reads this file")
    return own


@contextmanager
def _session(master: str) -> Iterator[SparkSession]:
    """A session of its own, with the driver on loopback unless the cluster is elsewhere. Ends with the block."""
    import pyspark
    from pyspark.sql import SparkSession

    os.environ.setdefault("SPARK_HOME", str(Path(pyspark.__file__).parent))
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.master(master).appName("auditproof replay")
    for key, value in _settings(master).items():
        builder = builder.config(key, value)
    session = None
    try:
        session = builder.getOrCreate()
        session.sparkContext.setLogLevel("OFF")
        yield session
    except Exception as error:  # pyspark and py4j have no exception in common
        if not _is_of_spark(error):
            raise
        raise AuditproofError(f"Spark at {master} cannot do it, so there is no result: {_first_line(error)}") from None
    finally:
        if session is not None:
            session.stop()


def _settings(master: str) -> dict[str, str]:
    settings = {"spark.ui.enabled": "false", "spark.log.level": "ERROR", "spark.sql.session.timeZone": "UTC"}
    if master.startswith("local"):
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        settings |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    return settings


def _is_of_spark(error: Exception) -> bool:
    return type(error).__module__.partition(".")[0] in ("pyspark", "py4j")


def _first_line(error: Exception) -> str:
    java = getattr(error, "java_exception", None)
    text = str(java) if java is not None else str(error)
    return next((line.strip() for line in text.splitlines() if line.strip()), type(error).__name__)


def _rows(
    session: SparkSession, files: Sequence[LogFile], policies: Sequence[PolicyColumns]
) -> Iterator[list[tuple[Any, ...]]]:
    """The rows of sums, some at a time."""
    names = [str(file.path.resolve()) if file.path else file.name.replace("s3://", "s3a://", 1) for file in files]
    # Only a line feed ends a line of the API server's.
    session.read.option("lineSep", "\n").text(names).createOrReplaceTempView("lines")
    session.sql(events_of("lines")).createOrReplaceTempView("events")
    query = sql.written(aggregated(judged(exp.select("*").from_("events"), policies), policies), "spark")
    ready: list[tuple[Any, ...]] = []
    for row in session.sql(query).toLocalIterator():
        ready.append(tuple(row))
        if len(ready) == _AT_ONCE:
            yield ready
            ready = []
    yield ready
