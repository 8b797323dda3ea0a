"""Which files of a log Spark can read; needs no Spark."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import fsspec
import zstandard

from auditproof.replay import spark_engine
from auditproof.replay.inputs.feed import Troubles
from auditproof.replay.inputs.found import find_logs

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_of_a_form_that_spark_does_not_read_is_named_and_no_other(tmp_path: Path, log: bytes) -> None:
    """Only JSON lines as an API server writes them, plain or gzip with the name of one; here and in a store."""
    store = fsspec.filesystem("memory")
    forms = {
        "plain.log": log,
        "gzip.log.gz": gzip.compress(log),
        "other.log": gzip.compress(log),
        "zstd.log.zst": zstandard.compress(log),
        "events.json": b'{"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": []}',
        "cri.log": b"".join(b"2026-11-02T10:00:00Z stdout F " + line for line in log.splitlines(keepends=True)),
    }
    for name, data in forms.items():
        (tmp_path / name).write_bytes(data)
        store.pipe_file(f"/spark-input/{name}", data)
    troubles = Troubles()

    found = spark_engine.readable(find_logs([str(tmp_path), "memory://spark-input"]).files, troubles)

    assert sorted(file.name.rpartition("/")[2] for file in found) == 2 * ["gzip.log.gz"] + 2 * ["plain.log"]
    assert {trouble.reason for trouble in troubles.all()} == {
        "Spark reads JSON lines, plain or *.gz: --engine duckdb reads this file"
    }
    assert len(troubles.all()) == 2 * 4
