"""The embedded cluster: real, alone on loopback, honest about failures, and gone afterwards, whatever happens."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from auditproof.audit.server_flags import DEFAULT_FLAGS
from auditproof.clusters.embedded import EmbeddedProvider
from auditproof.clusters.profile import load_profile
from auditproof.clusters.run.run_directory import RunDirectory
from auditproof.errors import ClusterError
from auditproof.wait import wait_until
from tests.support.descriptors import descriptors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from auditproof.clusters.cluster import Cluster

CONTROLLER = """
import signal, sys, threading
for name in ("SIGINT", "SIGHUP"):  # ignored in what a shell starts in the background
    signal.signal(signal.Signals[name], signal.SIG_DFL)
from pathlib import Path
from auditproof.clusters.embedded import EmbeddedProvider
from auditproof.clusters.profile import load_profile
from auditproof.clusters.run.run_directory import RunDirectory
directory = RunDirectory.create(keep="keep" in sys.argv)
embedded = EmbeddedProvider(load_profile("embedded"), directory, kubernetes="1.37", assets=None, report=lambda _: None)
cluster = embedded.cluster(Path(sys.argv[1]))
print(directory.path, cluster.name, flush=True)
if "keep" in sys.argv:
    print(directory.close())
else:
    threading.Event().wait()
"""


def pids(directory: Path) -> list[int]:
    return [int(entry.read_text().split()[0]) for entry in (directory / "ledger").iterdir()]


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(directory: Path, processes: list[int]) -> bool | None:
    return True if not directory.exists() and not any(map(running, processes)) else None


@pytest.fixture
def controller(everything: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Another process that has started a cluster and waits, and its run directory."""
    process = subprocess.Popen(
        [sys.executable, "-c", CONTROLLER, str(everything)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    with process:
        yield process, Path(process.stdout.readline().split()[0])
        process.kill()


@pytest.fixture(scope="module")
def cluster(embedded: EmbeddedProvider, everything: Path) -> Cluster:
    return embedded.cluster(everything)


def get(cluster: Cluster, path: str) -> bytes:
    context = ssl.create_default_context(cafile=str(cluster.ca))
    context.load_cert_chain(cluster.admin.cert, cluster.admin.key)
    with urllib.request.urlopen(cluster.url + path, context=context, timeout=10) as answer:
        return bytes(answer.read())


def test_the_server_is_the_version_that_it_was_asked_to_be(cluster: Cluster) -> None:
    version = json.loads(get(cluster, "/version"))

    assert version["gitVersion"] == cluster.kubernetes
    assert (version["major"], version["minor"]) == ("1", "37")


def test_the_server_runs_the_policy_byte_for_byte(cluster: Cluster, everything: Path) -> None:
    assert cluster.policy.read_bytes() == everything.read_bytes()


def test_an_answered_request_is_in_the_log(cluster: Cluster) -> None:
    get(cluster, "/version?test=an-answered-request")

    assert b"an-answered-request" in cluster.log.read_bytes()


def test_nothing_listens_beyond_loopback(cluster: Cluster, run_directory: RunDirectory) -> None:
    inodes = {target for pid in pids(run_directory.path) for target in descriptors(pid).values()}
    listening = [
        line.split()[1]
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        if line.split()[3] == "0A" and f"socket:[{line.split()[9]}]" in inodes
    ]

    assert listening
    assert all(address.startswith("0100007F:") for address in listening), listening


def test_the_same_policy_is_started_once(
    embedded: EmbeddedProvider, cluster: Cluster, write_policy: Callable[[str], Path]
) -> None:
    twin = write_policy(cluster.policy.read_text())

    assert embedded.cluster(twin) == cluster


def test_another_process_of_the_run_joins_the_server(
    cluster: Cluster, run_directory: RunDirectory, everything: Path
) -> None:
    joined = RunDirectory.open(str(run_directory.path))
    before = pids(run_directory.path)

    other = EmbeddedProvider(load_profile("embedded"), joined, kubernetes="1.37", assets=None, report=print)

    assert other.cluster(everything) == cluster
    assert pids(run_directory.path) == before


def test_a_refused_policy_is_reported_at_once_in_the_servers_words(
    embedded: EmbeddedProvider, write_policy: Callable[[str], Path]
) -> None:
    refused = write_policy("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: metadata\n  user: [a]\n")
    begun = time.monotonic()

    with pytest.raises(ClusterError) as error:
        embedded.cluster(refused)

    text = str(error.value)
    assert time.monotonic() - begun < 20
    assert f'rules[0].level: Unsupported value: "metadata"' in text  # noqa: F541 - the server's words
    assert str(refused) in text
    assert 'unknown field "rules[0].user"' in text
    assert len(text.splitlines()) < 5


def test_all_processes_see_why_a_server_did_not_start(
    embedded: EmbeddedProvider, run_directory: RunDirectory, write_policy: Callable[[str], Path]
) -> None:
    refused = write_policy("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: []\n")
    joined = RunDirectory.open(str(run_directory.path))
    other = EmbeddedProvider(load_profile("embedded"), joined, kubernetes="1.37", assets=None, report=print)

    for provider in (embedded, other):
        with pytest.raises(ClusterError, match="loaded illegal policy with 0 rules"):
            provider.cluster(refused)


def test_several_servers_start_beside_each_other(
    embedded: EmbeddedProvider, write_policy: Callable[[str], Path]
) -> None:
    policies = [
        write_policy(f"apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: {level}\n")
        for level in ("Request", "RequestResponse")
    ]

    embedded.start_all([(policy, DEFAULT_FLAGS) for policy in policies])
    clusters = [embedded.cluster(policy) for policy in policies]

    assert len({cluster.url for cluster in clusters}) == 2
    assert [embedded.failure(cluster) for cluster in clusters] == [None, None]


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP"])
def test_nothing_is_left_of_a_controller_that_is_killed(
    controller: tuple[subprocess.Popen[str], Path], name: str
) -> None:
    process, directory = controller
    servers = pids(directory)
    assert len(servers) == 4
    assert all(map(running, servers))

    process.send_signal(signal.Signals[name])

    wait_until(lambda: gone(directory, servers), what="the reaper to clean up", timeout_s=15)


def test_a_server_that_is_killed_is_missed(everything: Path) -> None:
    directory = RunDirectory.create()
    try:
        embedded = EmbeddedProvider(load_profile("embedded"), directory, kubernetes="1.37", assets=None, report=print)
        cluster = embedded.cluster(everything)
        pid, _ = directory.entry("etcd")
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)

        assert (embedded.failure(cluster) or "").startswith("etcd exited")
    finally:
        directory.close()


def test_a_kept_cluster_stays_says_how_to_use_it_and_ends_when_told(everything: Path) -> None:
    command = [sys.executable, "-c", CONTROLLER, str(everything), "keep"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    directory = Path(text.split()[0])
    servers = pids(directory)

    assert all(map(running, servers))
    assert f"kubectl --kubeconfig {directory}" in text
    assert str(directory / "stop") in text
    kubeconfig = json.loads(next(directory.glob("servers/*/kubeconfig")).read_text())
    assert kubeconfig["clusters"][0]["cluster"]["server"].startswith("https://127.0.0.1:")

    subprocess.run([directory / "stop"], check=True)

    wait_until(lambda: gone(directory, servers), what="the kept cluster to end", timeout_s=15)


def test_closing_twice_does_no_harm() -> None:
    directory = RunDirectory.create()

    directory.close()
    directory.close()

    assert not directory.path.exists()


def test_a_server_cannot_start_once_its_run_directory_is_closed(tmp_path: Path) -> None:
    directory = RunDirectory.create()
    directory.close()

    pid = directory.start("late", ["/bin/sleep", "60"], tmp_path / "log")

    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) != 0
