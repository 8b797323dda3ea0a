"""The container engine that kind uses (docker, nerdctl or podman), and a node as a container of it."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass

from auditproof.errors import ClusterError

# The order in which kind looks for them (DetectNodeProvider in pkg/cluster/provider.go), and the variable by which it
# is given one (pkg/internal/runtime/runtime.go).
ENGINES = ("docker", "nerdctl", "podman")
CHOICE = "KIND_EXPERIMENTAL_PROVIDER"
COMMAND_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Engine:
    """A container engine by the name of its program."""

    name: str

    def ask(self, *arguments: str) -> str:
        """What ``<engine> <arguments>`` prints.

        Raises ClusterError with its own words where it fails.
        """
        done = run([self.name, *arguments])
        if done.returncode:
            raise ClusterError(f"{self.name} {' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def image_id(self, image: str) -> str | None:
        """Return the digest of the image that has this name now; None if there is none (yet)."""
        done = run([self.name, "image", "inspect", "--format", "{{.Id}}", image])
        return done.stdout.strip() if done.returncode == 0 else None


@dataclass(frozen=True, slots=True)
class NodeContainer:
    """A running node of a kind cluster."""

    engine: Engine
    name: str

    def ask(self, *command: str) -> str:
        """What a command prints that is run in the node.

        Raises ClusterError where it fails, or where there is no such node.
        """
        return self.engine.ask("exec", self.name, *command)

    def ended(self) -> str | None:
        """Return None while the node runs, otherwise why it is not known to run."""
        done = run([self.engine.name, "inspect", "--format", "{{.State.Status}}", self.name])
        if done.returncode:
            return f"the node {self.name} is gone: {done.stderr.strip()}"
        status = done.stdout.strip()
        return None if status == "running" else f"the node {self.name} has ended: its container is {status}"

    def gateway(self) -> str:
        """The address of this machine in the node's network: published ports are reached from there.

        Raises ClusterError where the node has none, because it does not run.
        """
        form = "{{range .NetworkSettings.Networks}}{{.Gateway}} {{end}}"
        found = self.engine.ask("inspect", "--format", form, self.name).split()
        if not found:
            raise ClusterError(self.ended() or f"the node {self.name} is in no network")
        return found[0]

    def port(self, inner: int) -> int:
        """The port of this machine that leads to a published one of the node.

        Raises ClusterError where there is none, because the node does not run.
        """
        for line in self.engine.ask("port", self.name).splitlines():
            before, arrow, after = line.partition(" -> ")
            if arrow and before == f"{inner}/tcp":
                return int(after.rpartition(":")[2])
        raise ClusterError(self.ended() or f"the node {self.name} publishes no port {inner}")


def find_engine(wanted: str) -> Engine:
    """The engine ``wanted``, else the one that KIND_EXPERIMENTAL_PROVIDER names, else the first that kind would take.

    Raises ClusterError where there is none, or where it does not answer.
    """
    chosen = wanted or os.environ.get(CHOICE, "")
    name = chosen or next((name for name in ENGINES if shutil.which(name)), "")
    if name not in ENGINES:
        known = ", ".join(ENGINES)
        raise ClusterError(
            f"{CHOICE} is {name!r}: expected {known}" if name else f"kind needs one of {known}: none is on the PATH"
        )
    if shutil.which(name) is None:
        raise ClusterError(f"{name} is not on the PATH: install it, or choose another engine for kind with {CHOICE}")
    done = run([name, "ps", "--quiet"])
    if done.returncode:
        raise ClusterError(f"{name} does not answer: {done.stderr.strip()}: start it, or choose another with {CHOICE}")
    return Engine(name)


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a short command to its end; one that cannot be run, or does not end, is as one that failed."""
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        # As a shell does with a command that it cannot run.
        return subprocess.CompletedProcess(command, 127, "", str(error))
