"""The Docker daemon dies in the middle of a run: nothing is proven by that, and what is left can be removed.

The daemon is one of the test's own, beside the machine's, with the node image out of that one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from auditproof.audit.policy.load import load_policy
from auditproof.cases.case import Case
from auditproof.cases.expectation import Expectation
from auditproof.clusters.kind.engine import Engine, run
from auditproof.clusters.kind.provider import KindProvider
from auditproof.clusters.profile import load_profile
from auditproof.clusters.run.run_directory import RunDirectory
from auditproof.kube.action import act, to_request
from auditproof.kube.identity import Identity
from auditproof.proof.prover import Prover
from auditproof.proof.server_view import ServerView
from auditproof.proof.verdict import Outcome
from auditproof.wait import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGE = os.environ.get("AUDITPROOF_IMAGE", "")
ALICE = Identity.x509("alice")


class Daemon:
    """A Docker daemon with everything of its own; it touches no rule of the machine's firewall."""

    def __init__(self, folder: Path, runtimes: list[str]) -> None:
        self.host = f"unix://{folder}/docker.sock"
        self._log = folder / "dockerd.log"
        # A containerd of its own, because a daemon gives the one that it starts itself only seconds to be there.
        self._containerd_socket = folder / "containerd.sock"
        self._containerd_command = ["containerd", "--address", f"{self._containerd_socket}"]
        self._containerd_command += ["--root", f"{folder}/containerd/root", "--state", f"{folder}/containerd/state"]
        self._command = ["dockerd", "--host", self.host, "--bridge=none", "--iptables=false", "--ip6tables=false"]
        self._command += ["--containerd", f"{self._containerd_socket}"]
        self._command += ["--default-address-pool=base=10.213.0.0/16,size=24"]  # the other daemon knows nothing of it
        self._command += ["--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec"]
        self._command += ["--pidfile", f"{folder}/pid", *runtimes]
        self._processes: list[subprocess.Popen[bytes]] = []  # containerd first

    def start(self) -> None:
        self._run(self._containerd_command, ["ctr", "--address", f"{self._containerd_socket}", "version"])
        self._run(self._command, ["docker", "--host", self.host, "ps"])

    def _run(self, command: list[str], ask: list[str]) -> None:
        """Start a program, and wait until it answers what ``ask`` asks of it."""
        with self._log.open("ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        self._processes.append(process)

        def answers() -> bool | None:
            assert process.poll() is None, self._log.read_text()[-2000:]
            return True if run(ask).returncode == 0 else None

        wait_until(answers, what=f"{command[0]} to answer", timeout_s=120, pause_s=0.2)

    def kill(self) -> None:
        """Kill it with its containerd, as when a machine runs out of memory."""
        while self._processes:
            process = self._processes.pop()
            process.kill()
            process.wait()

    def end(self) -> None:
        if self._log.exists() and not self._processes:
            self.start()  # it was killed, and only a daemon ends its containers
        if len(self._processes) == 2:
            self._remove_containers()
        while self._processes:
            process = self._processes.pop()
            process.terminate()
            process.wait(60)
        for mount in self._mounts():  # the daemon that was killed could not do so
            subprocess.run(["umount", "--lazy", mount], check=True)

    def _remove_containers(self) -> None:
        # A bridge of a network that stays has the addresses that the next daemon would take.
        left = run(["docker", "--host", self.host, "ps", "--all", "--quiet"]).stdout.split()
        run(["docker", "--host", self.host, "rm", "--force", "--volumes", *left])
        run(["docker", "--host", self.host, "network", "prune", "--force"])

    def _mounts(self) -> list[str]:
        places = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
        return sorted((place for place in places if place.startswith(f"{self._log.parent}/")), reverse=True)


def load_image(daemon: Daemon) -> None:
    """Hand the node image from the machine's daemon to this one."""
    with subprocess.Popen(["docker", "save", IMAGE], stdout=subprocess.PIPE) as saving:
        subprocess.run(
            ["docker", "--host", daemon.host, "load", "--quiet"], stdin=saving.stdout, check=True, capture_output=True
        )


@pytest.fixture
def daemon(container_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    if container_engine.name != "docker" or os.geteuid() != 0 or shutil.which("dockerd") is None:
        pytest.skip("a Docker daemon of the test's own needs root and dockerd")
    runtimes = json.loads(container_engine.ask("info", "--format", "{{json .Runtimes}}"))
    own = [f"--add-runtime={name}={kind['path']}" for name, kind in runtimes.items() if "/" in kind.get("path", "")]
    default = container_engine.ask("info", "--format", "{{.DefaultRuntime}}").strip()
    daemon = Daemon(tmp_path, [*own, f"--default-runtime={default}"])
    try:
        daemon.start()
        load_image(daemon)
        monkeypatch.setenv("DOCKER_HOST", daemon.host)
        yield daemon
    finally:
        daemon.end()


def test_a_killed_daemon_leaves_cases_unproven_and_a_way_to_remove_what_is_left(
    daemon: Daemon, everything: Path, tmp_path: Path
) -> None:
    directory = RunDirectory.create()
    kind = KindProvider(
        load_profile("kind"), directory, kubernetes="1.37", image=IMAGE, policy=everything, report=print
    )
    cluster, policy = kind.cluster(everything), load_policy(everything)
    prover = Prover(ServerView(cluster, kind), policy, running=policy, folder=directory.private_folder())
    (before,) = prover.prove([Case("before", ALICE, to_request(act("get", "namespaces/default")), Expectation())])
    timer = threading.Timer(0.4, daemon.kill)
    timer.start()
    (proof,) = prover.prove([Case("watch", ALICE, to_request(act("watch", "namespaces")), Expectation())])
    timer.join()
    prover.close()
    said = directory.close()

    assert before.verdict.outcome is Outcome.PROVEN, before.verdict.reasons
    assert proof.verdict.outcome is Outcome.UNPROVEN
    assert f"{kind.node.name} is gone" in " ".join(proof.verdict.reasons)
    assert not directory.path.exists()
    assert "is left behind" in said

    daemon.start()
    remedy = tmp_path / "remedy"
    remedy.write_text(said.partition("remove it by\n")[2])
    subprocess.run(["sh", "-e", str(remedy)], check=True, capture_output=True)
    engine = Engine("docker")
    assert engine.ask("ps", "--all", "--quiet") == ""
    assert kind.node.name.removesuffix("-control-plane") not in engine.ask("network", "ls", "--format", "{{.Name}}")
