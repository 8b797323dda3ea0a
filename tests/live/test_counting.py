"""The counters of a real API server held against its log, and what they must notice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

import pytest

from auditproof import content
from auditproof.client.connection import Connection
from auditproof.clusters.embedded import EmbeddedProvider
from auditproof.clusters.profile import load_profile
from auditproof.clusters.run.run_directory import RunDirectory
from auditproof.kube.action import path_request
from auditproof.proof import run_counters as counting
from auditproof.proof.run_counters import count
from auditproof.wait import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from auditproof.clusters.cluster import Cluster

ROOT = content.root()
SUITE = "suites/matching/paths.audit.yaml"


@pytest.fixture
def own(everything: Path) -> Iterator[tuple[Cluster, RunDirectory]]:
    """A cluster that a test may break, whose API server has recorded all that it asks of itself when it starts."""
    directory = RunDirectory.create()
    try:
        embedded = EmbeddedProvider(load_profile("embedded"), directory, kubernetes="1.37", assets=None, report=print)
        cluster = embedded.cluster(everything)
        wait_until(lambda: count(cluster).holds or None, what="the API server to be quiet", timeout_s=60)
        yield cluster, directory
    finally:
        directory.close()


def drop_a_line(cluster: Cluster, directory: RunDirectory) -> None:
    """Rewrite the log without a line. The server, which appends, does not notice; it is stopped lest more be lost."""
    pid, _ = directory.entry(cluster.name)
    os.kill(pid, signal.SIGSTOP)
    lines = cluster.log.read_bytes().splitlines(keepends=True)
    cluster.log.write_bytes(b"".join(lines[:5] + lines[6:]))
    os.kill(pid, signal.SIGCONT)


def test_every_event_that_was_counted_is_in_the_log(embedded: EmbeddedProvider, everything: Path) -> None:
    account = count(embedded.cluster(everything))

    assert account.holds, account.reason
    assert account.lines == account.events > 100, "the server's own requests are recorded, too"
    assert account.levels["Metadata"] > 50


def test_a_line_that_was_taken_out_of_the_log_is_noticed(
    own: tuple[Cluster, RunDirectory], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster, directory = own
    monkeypatch.setattr(counting, "QUIET_TIMEOUT_S", 1.0)
    drop_a_line(cluster, directory)

    account = count(cluster)

    assert account.holds is False
    assert account.reason == "the log holds 1 fewer events than the server counted: it is not the whole log"


@pytest.mark.covers("T33")
def test_counters_that_are_not_this_logs_are_noticed(
    own: tuple[Cluster, RunDirectory], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster, _ = own
    monkeypatch.setattr(counting, "QUIET_TIMEOUT_S", 1.0)
    wire = Connection(cluster.url, cluster.ca, cluster.admin)
    assert wire.send(path_request("DELETE", "/metrics"), audit_id="reset", user_agent="test").status == 200
    wire.close()

    account = count(cluster)

    assert account.holds is False
    assert account.reason.endswith("more events than the server counted: something else writes to it")


QUIET = """\
apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- level: Metadata  # the server's own requests leave nothing, and are not counted as excluded
  users: ["system:apiserver"]
  omitStages: [RequestReceived, ResponseStarted, ResponseComplete, Panic]
- level: None
  resources: [{group: "", resources: [configmaps]}]
- level: Metadata
"""


def test_every_excluded_request_is_counted_as_one(
    embedded: EmbeddedProvider, write_policy: Callable[[str], Path]
) -> None:
    """Exact where nothing else is excluded: as many requests come to level None as were sent, and no more."""
    cluster = embedded.cluster(write_policy(QUIET))
    wire = Connection(cluster.url, cluster.ca, cluster.admin)
    before = count(cluster)
    for number in range(5):
        answer = wire.send(path_request("GET", "/api/v1/configmaps"), audit_id=f"none-{number}", user_agent="test")
        assert answer.status == 200
    wire.close()
    after = count(cluster)

    assert before.holds and after.holds, (before.reason, after.reason)
    assert after.levels["None"] - before.levels.get("None", 0) == 5
    assert b"none-" not in cluster.log.read_bytes()


CONFTEST = """
import pytest
from auditproof.plugin.session import SESSIONS

def pytest_configure(config):
    config.pluginmanager.register(Thief(config))

class Thief:
    def __init__(self, config):
        self.config = config

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session):
        result = yield
        (log,) = self.config.stash[SESSIONS].first.run_directory.path.glob("servers/*/audit/audit.log")
        lines = log.read_bytes().splitlines(keepends=True)
        log.write_bytes(b"".join(lines[:5] + lines[6:]))
        return result
"""


def test_no_run_passes_whose_log_is_not_what_was_counted(tmp_path: Path) -> None:
    (tmp_path / "thief.py").write_text(CONFTEST)
    options = ["-p", "thief", "-k", "paths.audit.yaml and not standard", "--audit-report", str(tmp_path / "out")]
    with tempfile.TemporaryDirectory(prefix="ap-") as folder:
        environment = {**os.environ, "TMPDIR": folder, "PYTHONPATH": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-m", "pytest", SUITE, "--audit-policy", "fixtures/policies/baseline.yaml", *options],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    assert done.returncode == 1, done.stdout + done.stderr
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["summary"]["proven"] == results["summary"]["planned"] > 10
    (entry,) = results["counting"]
    assert (entry["holds"], entry["events"] - entry["lines"]) == (False, 1)
    assert "places.yaml: the log holds 1 fewer events than the server counted" in done.stdout
    page = (tmp_path / "out" / "report.html").read_text()
    assert ">UNPROVEN</span> inconclusive: the log holds 1 fewer events" in page
