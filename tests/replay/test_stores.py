"""Logs in a store, read from a real S3 server on loopback (versitygw), and what is said where that does not work."""

from __future__ import annotations

import gzip
import json
import socket
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from auditproof.audit.policy.load import parse_policy
from auditproof.cli.exit_codes import ExitCode
from auditproof.cli.main import main
from auditproof.replay.generator import Generator, LogSettings
from tests.support import s3

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NEEDS_S3 = pytest.mark.skipif(not s3.IS_THERE and not s3.REQUIRED, reason="no S3 server is there: run .ci/s3")
POLICY = '{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Metadata"}]}'
# One program for all cases, because the library of the store takes seconds of CPU time to load.
PROGRAM = """
import contextlib, io, json, os, sys

import s3fs
from auditproof.cli.main import main
from auditproof.replay.inputs import found

found.STORE_TIMEOUT = 1
for variables, arguments in json.loads(sys.argv[1]):
    s3fs.S3FileSystem.clear_instance_cache()
    kept = dict(os.environ)
    os.environ.update({name: value for name, value in variables.items() if value})
    for name in (name for name, value in variables.items() if not value):
        del os.environ[name]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(["replay", "policy.yaml", *arguments])
    os.environ.clear()
    os.environ.update(kept)
    print(json.dumps([code, out.getvalue(), err.getvalue()]))
"""


@pytest.fixture
def silent() -> Iterator[str]:
    """An endpoint that takes connections, and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as one:
        yield f"http://127.0.0.1:{one.getsockname()[1]}"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A bucket with a log in partitions, plain and compressed, and an empty one."""
    (tmp_path / "policy.yaml").write_text(POLICY)
    lines = list(
        Generator(
            LogSettings(parse_policy(POLICY.encode(), "p"), datetime(2026, 1, 5, 9, tzinfo=UTC), events=300)
        ).lines()
    )
    parts = {"day=1/a.log": lines[:100], "day=1/b.log": lines[100:200], "day=2/a.log.gz": lines[200:]}
    for name, some in parts.items():
        path = tmp_path / "store" / "logs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = "".join(some).encode()
        path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    (tmp_path / "store" / "empty").mkdir()
    return tmp_path / "store"


@NEEDS_S3
def test_a_log_in_a_store_is_read_and_what_cannot_be_is_said_in_one_line(
    store: Path, silent: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    away = f"http://127.0.0.1:{s3.free_port()}"
    credentials = "check the credentials (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE)"
    cases: list[tuple[dict[str, str], list[str], str]] = [
        ({}, ["s3://logs/", "--format", "json"], ""),
        ({}, ["s3://logs/day=1/*.log", "--format", "json"], ""),
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, ["s3://logs/"], credentials),
        ({"AWS_ACCESS_KEY_ID": "nobody"}, ["s3://logs/"], credentials),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, ["s3://logs/"], credentials),
        ({}, ["s3://nothing/day=1"], "is there a bucket nothing, and this path in it?"),
        ({}, ["s3://logs/day=3/a.log"], "is there a bucket logs, and this path in it?"),
        ({}, ["s3://empty/"], "there is no file there; expected audit logs"),
        ({"AWS_ENDPOINT_URL": away}, ["s3://logs/"], "check the network and the endpoint (AWS_ENDPOINT_URL)"),
        ({"AWS_ENDPOINT_URL": silent}, ["s3://logs/"], "check the network and the endpoint (AWS_ENDPOINT_URL)"),
    ]

    with s3.serving(store) as endpoint:
        found = ran(store.parent, endpoint, [(variables, arguments) for variables, arguments, _ in cases])

    whole, part = (json.loads(out) for _, out, _ in found[:2])
    monkeypatch.chdir(store.parent)
    assert main(["replay", "policy.yaml", "store/logs", "--format", "json"]) == found[0][0] == ExitCode.FINE
    assert whole == json.loads(capsys.readouterr().out)
    assert (whole["recorded"]["events"], part["recorded"]["events"], part["files"]) == (300, 200, 2)
    for (code, out, err), (_, arguments, said) in list(zip(found, cases, strict=True))[2:]:
        assert (code, out, err.count("\n")) == (ExitCode.UNUSABLE, "", 1), err
        assert err.startswith(arguments[0]) and err.endswith(f"{said}\n"), err
        assert s3.SECRET not in err


def ran(folder: Path, endpoint: str, cases: list[tuple[dict[str, str], list[str]]]) -> list[tuple[int, str, str]]:
    """Exit code, standard output and errors of each case; a hang is a failure."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(cases)],
        cwd=folder,
        env=s3.environment(endpoint),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(("url", "library"), [("gs://logs/a", "gcsfs"), ("abfs://logs/a", "adlfs")])
def test_the_library_of_a_store_that_is_missing_is_named(
    url: str, library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.yaml").write_text(POLICY)

    assert main(["replay", "policy.yaml", url]) == ExitCode.UNUSABLE
    assert (
        capsys.readouterr().err == f"{url}: install the library for {url.partition(':')[0]}://: pip install {library}\n"
    )
