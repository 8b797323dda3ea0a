"""Spark: its engine on real worker processes, also if one is killed, and the SQL that is printed for it."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from auditproof.audit.policy.load import parse_policy
from auditproof.cli.main import main
from auditproof.errors import AuditproofError
from auditproof.replay import duckdb_engine, spark_engine
from auditproof.replay.generator import Generator, LogSettings
from auditproof.replay.inputs.found import find_logs
from auditproof.replay.query import PolicyColumns
from auditproof.replay.summary import summarize
from auditproof.wait import wait_until
from tests.support.warehouse import COLUMNS, batches

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import SparkSession

MISSING = [name for name, there in (("pyspark", find_spec("pyspark")), ("java", shutil.which("java"))) if not there]
REQUIRED = os.environ.get("AUDITPROOF_SPARK") == "required"
pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(bool(MISSING) and not REQUIRED, reason=f"not installed: {' and '.join(MISSING)}"),
]
HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n"
# Spark compiles a long policy for most of the time: each kind of condition is here once.
NEW = f"""{HEAD}\
- {{level: None, users: ["system:kube-scheduler"], verbs: [get, list, watch]}}
- {{level: None, userGroups: ["system:authenticated"], nonResourceURLs: ["/healthz*", "/version"]}}
- {{level: Metadata, resources: [{{resources: [secrets, "pods/*"]}}, {{group: apps, resources: ["*/status"]}}]}}
- {{level: Request, omitStages: [RequestReceived], namespaces: [kube-system, ""], resources: [{{group: "*"}}]}}
- {{level: RequestResponse, resources: [{{resources: [configmaps], resourceNames: [settings]}}, {{group: batch}}]}}
- {{level: Metadata, omitStages: [ResponseStarted]}}
"""
OLD = (
    f'{HEAD}- {{level: Request, verbs: [create, update, patch]}}\n- {{level: Metadata, userGroups: ["system:nodes"]}}\n'
)
SHORT = f"{HEAD}- {{level: None, verbs: [get]}}\n"

ON_ONE = ("--engine", "spark", "--master", "local[1]")


@pytest.fixture(scope="module", autouse=True)
def short_jobs() -> Iterator[None]:
    """Java optimizes nothing for later, in every process of Spark: it takes more time than it saves here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
        yield


@pytest.fixture
def spark() -> Iterator[SparkSession]:
    """Spark as a user of the printed SQL has it, except for its address; only the first session starts Java."""
    from pyspark.sql import SparkSession

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        own = {"spark.ui.enabled": "false", "spark.driver.host": "127.0.0.1", "spark.log.level": "OFF"}
        session = SparkSession.builder.master("local[1]").config(map=own).getOrCreate()
        yield session
        session.stop()


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log in five parts with every body, and one with what is no event."""
    folder = tmp_path_factory.mktemp("logs")
    everything = f"{HEAD}- level: RequestResponse\n"
    settings = LogSettings(parse_policy(everything.encode(), "p"), datetime(2026, 1, 5, 9, tzinfo=UTC), 3, 10_000)
    lines = list(Generator(settings).lines())
    for part in range(5):
        (folder / f"audit-{part}.log").write_text("".join(lines[part * 2000 : part * 2000 + 2000]))
    odd = '{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"a"}\nno event\n'
    encoded = lines[0].replace("/api", "/%61pi").encode()
    (folder / "odd.log").write_bytes(lines[0].encode() + odd.encode() + b"\xff\xfe\n" + encoded)
    return folder


def numbers(engine: Any, folder: Path, **settings: Any) -> dict[str, Any]:
    """The result of a replay with a base; where a line is known only to be in a file, the number counts."""
    new, old = PolicyColumns(parse_policy(NEW.encode(), "new")), PolicyColumns(parse_policy(OLD.encode(), "old"), "_b")
    with engine.read_log(find_logs([str(folder)]).files, [new, old], **settings) as read:
        return asdict(summarize(read.sums, new, old, read.troubles.all(), files=read.files, others=dict(read.others)))


def test_the_printed_sql_decides_as_decide_and_is_as_exact_as_on_duckdb(spark: SparkSession, tmp_path: Path) -> None:
    """On a table of events, and on a table of columns; the expressions are compiled, as they are by default."""
    types = {"number": "INT", "text": "STRING", "truth": "BOOLEAN", "texts": "ARRAY<STRING>"}
    schema = ", ".join(f"{name} {types[kind]}" for name, kind in COLUMNS.items())
    judged = exact = 0
    for batch in batches(tmp_path, 4):
        # Spark takes 16 s of CPU time to compile the 50 rules of the hostile policy.
        spark.conf.set("spark.sql.codegen.wholeStage", "false" if len(batch.policy.rules) > 10 else "true")
        spark.read.schema(schema).json(str(batch.file)).createOrReplaceTempView(batch.table)

        found = list(map(list, spark.sql(batch.select("spark")).collect()))

        assert found == batch.by_duckdb()
        assert list(map(list, spark.sql(batch.expression("spark")).collect())) == batch.decided()
        judged += len(found)
        exact += sum(row[0] for row in found)
    assert exact > 0.5 * judged


def test_worker_processes_compute_what_duckdb_computes_also_if_one_is_killed(logs: Path) -> None:
    killed: list[int] = []
    ended = threading.Event()

    def kill_one() -> None:
        found = wait_until(
            lambda: [] if ended.is_set() else two_executors(), what="two worker processes", timeout_s=240
        )
        assert found, "the job has ended before"
        os.kill(found[0], signal.SIGKILL)
        killed.append(found[0])

    killer = threading.Thread(target=kill_one)
    killer.start()
    try:
        found = numbers(spark_engine, logs, master="local-cluster[2,1,1024]")
    finally:
        ended.set()
        killer.join()

    by_duckdb = numbers(duckdb_engine, logs)
    assert by_duckdb["recorded"]["events"] == 10_002
    assert len(by_duckdb["not_counted"]) == 3
    assert len(killed) == 1
    # DuckDB's reader leaves more lines to Python, to be sure that they are strict JSON: they come to the same numbers.
    assert 0 < found.pop("in_python") <= by_duckdb.pop("in_python")
    assert found == by_duckdb


def two_executors() -> list[int] | None:
    """The executors of this process's own Spark, once both are there."""
    found = list(executors())
    return found if len(found) == 2 else None


def executors() -> Iterator[int]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if b"CoarseGrainedExecutorBackend" in command and os.getpid() in ancestors(int(folder.name)):
            yield int(folder.name)


def ancestors(process: int) -> Iterator[int]:
    while process > 1:
        try:
            text = (Path("/proc") / str(process) / "stat").read_text()
        except OSError:
            return
        process = int(text.rpartition(")")[2].split()[1])
        yield process


def test_a_cluster_that_is_not_there_is_said_so(logs: Path) -> None:
    with pytest.raises(AuditproofError, match="there is no result"):
        numbers(spark_engine, logs, master="no-such-cluster")


def test_a_file_that_spark_cannot_read_is_named(logs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(logs / "audit-0.log", tmp_path / "a.log")
    (tmp_path / "list.json").write_text('{"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": []}')
    policy = tmp_path / "policy.yaml"
    policy.write_text(SHORT)
    assert main(["replay", str(policy), str(tmp_path / "*.log"), str(tmp_path / "list.json"), *ON_ONE]) == 1
    assert "--engine duckdb reads this file" in capsys.readouterr().out
