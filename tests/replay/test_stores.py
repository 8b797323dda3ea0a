"""Logs in a store, read from real servers on loopback, and what is said if that does not work."""

from __future__ import annotations

import gzip
import json
import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from auditproof.audit.policy.load import parse_policy
from auditproof.cli.exit_codes import ExitCode
from auditproof.cli.main import main
from auditproof.replay.generator import Generator, LogSettings
from tests.support import stores
from tests.support.stores import AZURE, GCS, KEY, S3, SECRET, Store, connection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NEEDS_STORES = pytest.mark.skipif(
    not stores.ARE_THERE and not stores.REQUIRED, reason="no servers of stores are there: run .ci/stores"
)
POLICY = '{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Metadata"}]}'
# One program for all cases of a store, because its library takes seconds of CPU time to load.
PROGRAM = """
import contextlib, io, json, os, sys

os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
import aiohttp
import fsspec
from auditproof.cli.main import main
from auditproof.replay.inputs import found, stores

kind, cases = sys.argv[1], json.loads(sys.argv[2])
if kind == "abfs":
    azurite = fsspec.filesystem(kind)
    for bucket in os.listdir("store"):
        azurite.mkdir(bucket)
    azurite.put("store/logs/", "logs/", recursive=True)
asked, request = [], aiohttp.ClientSession._request
aiohttp.ClientSession._request = lambda *given, **named: asked.append(1) or request(*given, **named)
for pattern in ("a*", "*"):
    fsspec.get_filesystem_class(kind).clear_instance_cache()
    asked.clear()
    print(len(found.find_logs([f"{kind}://logs/day=1/{pattern}"]).files), len(asked))
stores.AZURE_RETRIES = 0
limits = stores.STORE_TIMEOUT, stores.CONTACT_TIMEOUT
for variables, arguments, is_away in cases:
    fsspec.get_filesystem_class(kind).clear_instance_cache()
    stores.STORE_TIMEOUT, stores.CONTACT_TIMEOUT = (1, 2) if is_away else limits
    kept = dict(os.environ)
    os.environ.update({name: value for name, value in variables.items() if value})
    for name in (name for name, value in variables.items() if not value):
        os.environ.pop(name, None)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(["replay", "policy.yaml", *arguments])
    os.environ.clear()
    os.environ.update(kept)
    print(json.dumps([code, out.getvalue(), err.getvalue()]))
"""


class Case(NamedTuple):
    """A replay: variables that differ from those of a reader, the URL, and how the line on stderr ends."""

    variables: dict[str, str]
    url: str
    said: str
    is_away: bool = False


@pytest.fixture
def silent() -> Iterator[str]:
    """An endpoint that takes connections, and never responds."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as one:
        yield f"127.0.0.1:{one.getsockname()[1]}"


class Refusal(BaseHTTPRequestHandler):
    """The response of Google's store to a reader without rights: fake-gcs-server gives everyone everything."""

    def do_GET(self) -> None:
        status, reader = (401, "Anonymous caller") if "/b/logs" in self.path else (403, "reader@example.com")
        said = f"{reader} does not have storage.objects.list access to the Google Cloud Storage bucket."
        body = json.dumps({"error": {"code": status, "message": said, "errors": [{"message": said}]}}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def refusing() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusal) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
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


def cases_of_s3(_refusing: str) -> list[Case]:
    said = "check the credentials (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE)"
    return [
        Case({"AWS_SECRET_ACCESS_KEY": "wrong"}, "s3://logs/", said),
        Case({"AWS_SECRET_ACCESS_KEY": "wrong"}, "s3://logs/day=1/*.log", said),
        Case({"AWS_ACCESS_KEY_ID": "nobody"}, "s3://logs/", said),
        Case({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "s3://logs/", said),
    ]


def cases_of_gcs(refusing: str) -> list[Case]:
    said = "check the credentials (GOOGLE_APPLICATION_CREDENTIALS, or gcloud auth application-default login)"
    endpoint = {"STORAGE_EMULATOR_HOST": f"http://{refusing}"}
    return [
        Case(endpoint, "gs://logs/", said),
        Case(endpoint, "gs://logs/day=1/*.log", said),
        Case(endpoint, "gs://others/day=1", said),
    ]


def cases_of_azure(address: str) -> list[Case]:
    name = "AZURE_STORAGE_CONNECTION_STRING"
    said = f"check the credentials ({name}, or AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY)"
    return [
        Case({name: connection(address, key="d3Jvbmc=")}, "abfs://logs/", said),
        Case({name: connection(address, key="d3Jvbmc=")}, "abfs://logs/day=1/*.log", said),
        Case({name: connection(address, key="no base64")}, "abfs://logs/", said),
        Case(
            {name: connection(address, name="nobody")},
            "abfs://logs/",
            "is there a container logs, and this path in it?",
        ),
        Case({name: "nonsense"}, "abfs://logs/", said),
        Case({name: ""}, "abfs://logs/", said),
        Case({name: "", "AZURE_STORAGE_ACCOUNT_NAME": KEY}, "abfs://logs/", said),
    ]


def common_cases(store: Store, silent: str) -> list[Case]:
    """What is the same for every store, with its own words for a bucket and for the endpoint."""
    bucket = "container" if store is AZURE else "bucket"
    endpoint = {
        "s3": "AWS_ENDPOINT_URL",
        "gs": "STORAGE_EMULATOR_HOST if it is set",
        "abfs": "AZURE_STORAGE_CONNECTION_STRING or AZURE_STORAGE_ACCOUNT_NAME",
    }[store.scheme]
    away = f"check the network and the endpoint ({endpoint})"
    urls = [f"{store.scheme}://{place}" for place in ("logs/", "nothing/day=1", "logs/day=3/a.log", "empty/")]
    closed = store.variables(f"127.0.0.1:{stores.free_port()}")
    return [
        Case({}, urls[1], f"is there a {bucket} nothing, and this path in it?"),
        Case({}, f"{urls[1]}/*.log", "there is no file there; expected audit logs"),
        Case({}, urls[2], f"is there a {bucket} logs, and this path in it?"),
        Case({}, urls[3], "there is no file there; expected audit logs"),
        Case(closed, urls[0], away, is_away=True),
        Case(closed, f"{urls[0]}day=1/*.log", away, is_away=True),
        Case(store.variables(silent), urls[0], away, is_away=True),
    ]


@NEEDS_STORES
@pytest.mark.parametrize("store", [S3, GCS, AZURE], ids=lambda store: store.scheme)
def test_a_log_in_a_store_is_read_and_what_cannot_be_is_said_in_one_line(
    store: Store,
    folder: Path,
    silent: str,
    refusing: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    urls = [f"{store.scheme}://{place}" for place in ("logs/", "logs/day=1/*.log", "logs/day=2/a.log.gz")]

    with stores.serving(store, folder) as address:
        own = {S3: cases_of_s3, GCS: cases_of_gcs, AZURE: cases_of_azure}[store](
            address if store is AZURE else refusing
        )
        cases = [*own, *common_cases(store, silent)]
        found = ran(
            store,
            folder.parent,
            address,
            [({}, [url, "--format", "json"], False) for url in urls]
            + [(case.variables, [case.url], case.is_away) for case in cases],
        )

    monkeypatch.chdir(folder.parent)
    assert main(["replay", "policy.yaml", "store/logs", "--format", "json"]) == found[0][0] == ExitCode.FINE, found[0]
    whole, part, one = (json.loads(out) for _, out, _ in found[: len(urls)])
    assert whole == json.loads(capsys.readouterr().out)
    assert (whole["recorded"]["events"], part["recorded"]["events"], part["files"]) == (300, 200, 2)
    assert (one["recorded"]["events"], one["files"]) == (100, 1)
    for (code, out, err), case in zip(found[len(urls) :], cases, strict=True):
        assert (code, out, err.count("\n")) == (ExitCode.UNUSABLE, "", 1), err
        assert err.startswith(case.url) and err.endswith(f"{case.said}\n"), err
        assert SECRET not in err


def ran(
    store: Store, folder: Path, address: str, cases: list[tuple[dict[str, str], list[str], bool]]
) -> list[tuple[int, str, str]]:
    """Exit code, standard output and errors of each case; a hang, or a word of a library, is a failure.

    So is a request more for a second file that a URL names: the details of all of them are in one list.
    """
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, store.scheme, json.dumps(cases)],
        cwd=folder,
        env=stores.environment(store, address),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")
    one, two, *results = done.stdout.splitlines()
    (one_file, requests), (two_files, no_more) = one.split(), two.split()
    assert (one_file, two_files) == ("1", "2") and requests == no_more != "0"
    return [tuple(json.loads(line)) for line in results]


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
