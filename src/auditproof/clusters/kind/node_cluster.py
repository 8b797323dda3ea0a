"""A kind cluster of one node: created by kind as a child process, deleted with everything that came with it."""

from __future__ import annotations

import os
import shlex
import signal
from functools import partial
from typing import TYPE_CHECKING

from auditproof.clusters.kind.config import FIRST_PORT
from auditproof.clusters.kind.engine import CHOICE, Engine, NodeContainer
from auditproof.clusters.pki.x509 import write_private
from auditproof.clusters.run import reaper
from auditproof.clusters.run.readiness import last_words, why_it_ended
from auditproof.errors import ClusterError, ServerDied
from auditproof.wait import TimedOut, wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from auditproof.clusters.kind.home import ClusterFolder
    from auditproof.clusters.run.run_directory import RunDirectory

CREATE_TIMEOUT_S = 900.0  # kind gives up by itself much earlier, but it may have to pull the node image first
LOOK_S = 0.5
_KIND = "kind"  # in the ledger
FIRST_SERVER = "kube-apiserver"  # the name of kubeadm's static pod
MANIFESTS = "/etc/kubernetes/manifests"
# A network of the cluster's own, so that it can be removed with it (docker and podman, pkg/cluster/internal/providers).
_NETWORK = {"docker": "KIND_EXPERIMENTAL_DOCKER_NETWORK", "podman": "KIND_EXPERIMENTAL_PODMAN_NETWORK"}
_ENGINE_SETTINGS = ("CONTAINERD_", "CONTAINER_", "DOCKER_", "NERDCTL_", "XDG_RUNTIME_DIR")
# kind.sigs.k8s.io/docs/user/known-issues: pod errors due to "too many open files".
_NOT_BOOTED = (
    "the node did not boot: with other nodes on this machine, fs.inotify.max_user_instances (sysctl) may be too low: "
    "512 is enough for several"
)
# The kubelet reads no file whose name begins with a dot; so it sees only what is complete.
_PLACE = 'cp "$0" "$1/.$2.new" && mv "$1/.$2.new" "$1/$2.json"'
_SERVER_LOGS = 'ls /var/log/pods/kube-system_"$0"_*/kube-apiserver/*.log 2>/dev/null || :'
_CAT = 'cat "$@" 2>/dev/null || :'
# By its port, because every API server of the node is a process of this name.
_KILL = """for pid in $(pidof kube-apiserver); do
  if tr "\\0" "\\n" </proc/$pid/cmdline 2>/dev/null | grep -qx -e "--secure-port=$0"; then kill -9 $pid; fi
done
: >"$1"
"""
_STOP_OTHERS = (
    "sh",
    "-c",
    f"""rm -f {MANIFESTS}/*.json
for pid in $(pidof kube-apiserver); do
  if ! tr "\\0" "\\n" </proc/$pid/cmdline 2>/dev/null | grep -qx -e "--secure-port={FIRST_PORT}"; then kill -9 $pid; fi
done""",
)
# The namespace controller takes its time: what is deleted now is gone when the cluster is used again.
_DELETE_NAMESPACES = """kubectl --kubeconfig /etc/kubernetes/admin.conf get namespaces -o name |
grep -vxF "$0" | xargs -r kubectl --kubeconfig /etc/kubernetes/admin.conf delete --wait=false >/dev/null"""


class KindCluster:
    """The one kind cluster of a run, its files in ``home``; any process of the run can make this object of it."""

    def __init__(self, run: RunDirectory, home: ClusterFolder, engine: Engine, program: Path) -> None:
        self.name = home.name
        self.node = NodeContainer(engine, f"{self.name}-control-plane")
        self._run = run
        self._home = home
        self._engine = engine
        self._program = program
        self._kubeconfig = home.path / "kind" / "kubeconfig"

    def create(self, config: str) -> None:
        """Create it, and look at its API server meanwhile: kind itself waits a minute for one that has given up.

        Raises ServerDied with the server's own words where it refuses its audit flags, ClusterError with kind's
        where it cannot be created; then nothing of it is left.
        """
        folder = self._home.path / "kind"
        folder.mkdir(mode=0o700, exist_ok=True)
        write_private(folder / "cluster.json", config.encode())
        script, earlier = self._undo_script(), self._home.undo.exists()
        write_private(self._home.undo, script.encode())
        self._run.at_end(self.name, script)
        if self._home.reusable or earlier:
            # A cluster of this name may be there whose files were removed, or whose creator was killed.
            self._run.end(_KIND)
            reaper.run_script(self._home.undo)
        # Without the mark of the run: podman's monitors of containers inherit it, and a cluster may outlive its run.
        command = ["/usr/bin/env", "-u", reaper.MARK, *self._environment()]
        command += [str(self._program), "create", "cluster", "--name", self.name]
        command += ["--config", str(folder / "cluster.json"), "--kubeconfig", str(self._kubeconfig)]
        pid = self._run.start(_KIND, command, folder / "create.log")
        try:
            wait_until(
                partial(self._created, pid), what="kind create cluster", timeout_s=CREATE_TIMEOUT_S, pause_s=LOOK_S
            )
        except (ClusterError, TimedOut):
            try:
                # The whole group, because kind starts the programs of the engine.
                os.killpg(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            except (ProcessLookupError, ChildProcessError):
                pass  # it has ended by itself
            # What cannot be removed now is tried again, and reported, at the end of the run.
            reaper.undo(self._run.path)
            raise

    def _created(self, pid: int) -> bool | None:
        log = self._home.path / "kind" / "create.log"
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended and os.waitstatus_to_exitcode(status) == 0:
            return True
        if ended:
            # A trace of kubeadm's own calls comes last and is of no help.
            lines = log.read_text(errors="replace").splitlines()
            found = dict.fromkeys(line.strip() for line in lines if line.lower().startswith("error"))
            hint = _NOT_BOOTED if any("could not find a log line" in line for line in found) else ""
            why = "\n".join([*list(found)[:5], hint]).strip() or last_words(log)
            raise ClusterError(f"kind create cluster failed: {why}")
        try:
            words = why_it_ended(self.server_log(FIRST_SERVER))
        except ClusterError:
            return None  # there is no node yet, or no more
        # Anything else, such as a slow etcd, may be over when the kubelet starts the server again.
        if words and "audit" in words:
            raise ServerDied(words)
        return None

    def server_logs(self, static_pod: str) -> frozenset[str]:
        """The files in the node that an API server has logged to: one for each of its processes, as far as kept.

        Raises ClusterError where the node does not answer.
        """
        return frozenset(self.node.ask("sh", "-c", _SERVER_LOGS, f"{static_pod}-{self.node.name}").split())

    def server_log(self, static_pod: str, *, besides: frozenset[str] = frozenset()) -> str:
        """What an API server has said so far, but for the files ``besides``; nothing where it has not started yet.

        Raises ClusterError where the node does not answer.
        """
        files = sorted(self.server_logs(static_pod) - besides)
        return self.node.ask("sh", "-c", _CAT, "cat", *files) if files else ""

    def kill_server(self, port: int, log: str) -> None:
        """Kill the process of the API server on ``port`` and empty its ``log``; the kubelet starts another one."""
        self.node.ask("sh", "-c", _KILL, str(port), log)

    def stop_others(self) -> None:
        """End every API server but the first, and let none be started again."""
        self.node.ask(*_STOP_OTHERS)

    def stop_others_command(self) -> list[str]:
        """The same, as a command of this machine."""
        return [self._engine.name, "exec", self.node.name, *_STOP_OTHERS]

    def delete_namespaces_command(self, kept: Sequence[str]) -> list[str]:
        """A command of this machine that deletes all namespaces but the ``kept`` ones, without waiting for it."""
        names = "\n".join(f"namespace/{name}" for name in kept)
        return [self._engine.name, "exec", self.node.name, "sh", "-c", _DELETE_NAMESPACES, names]

    def start_pod(self, name: str, manifest: str) -> None:
        """Let the kubelet start a static pod; ``manifest`` is the path of its manifest in the node."""
        self.node.ask("sh", "-c", _PLACE, manifest, MANIFESTS, name)

    def stop_pod(self, name: str) -> None:
        """Let the kubelet stop a static pod."""
        self.node.ask("rm", "-f", f"{MANIFESTS}/{name}.json")

    def _environment(self) -> list[str]:
        network = _NETWORK.get(self._engine.name)
        return ["/usr/bin/env", f"{CHOICE}={self._engine.name}", *([f"{network}={self.name}"] if network else [])]

    def _undo_script(self) -> str:
        """Shell commands that remove the cluster, wherever and whenever they are run."""
        delete = [*self._environment(), str(self._program), "delete", "cluster", "--name", self.name]
        lines = [*engine_settings(), shlex.join([*delete, "--kubeconfig", str(self._kubeconfig)])]
        if self._engine.name in _NETWORK:
            network = f"{self._engine.name} network"
            lines.append(f"if {network} inspect {self.name} >/dev/null 2>&1; then {network} rm {self.name}; fi")
        return "\n".join([*lines, ""])


def engine_settings() -> list[str]:
    """Shell commands that let an engine be what it is here, wherever and whenever they are run."""
    return [
        f"export {key}={shlex.quote(value)}"
        for key, value in os.environ.items()
        if key == "PATH" or key.startswith(_ENGINE_SETTINGS)
    ]
