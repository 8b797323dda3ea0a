"""A receiver of audit events for the API server's webhook backend: real HTTPS, keys of its own, a process of its own.

What it has received is in a file, a line an event, so that it is read as any audit log is.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from auditproof.auditlog.file_log import FileLog
from auditproof.auditlog.sources import EVENTS
from auditproof.client.credential import Credential
from auditproof.clusters.kubeconfig_file import write_kubeconfig
from auditproof.clusters.pki import x509 as pki
from auditproof.clusters.ports import reserve_port
from auditproof.clusters.run.readiness import wait_ready
from auditproof.clusters.stand_ins import event_receiver_process as receiving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from auditproof.clusters.run.run_directory import RunDirectory

START_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a receiver responds: by ``status`` after ``delay`` seconds, or not at all (``hang_up``).

    ``first``: only so many requests are answered so, all later ones by 200; 0 means all.
    """

    status: int = 200
    delay: float = 0.0
    hang_up: bool = False
    first: int = 0


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request that came to a receiver: when (s since the epoch), how long it took, and with how many events.

    ``bytes`` is the size of its body, ``again`` how many of the events had come before, ``status`` what it was
    answered, 0 for not at all.
    """

    time: float
    seconds: float
    events: int
    bytes: int
    again: int
    status: int


class EventReceiver:
    """One receiver in a folder of the run directory; it does not run before ``start``.

    ``kubeconfig`` is what --audit-webhook-config-file takes. The client shows a certificate of the receiver's own
    authority, or ``token`` where one is given. The port stays the same, and reserved, while it is down.
    """

    def __init__(self, run: RunDirectory, name: str, *, token: str = "") -> None:
        self._run = run
        self._name = name
        self._token = token
        self._folder = run.path / "receivers" / name
        self._folder.mkdir(mode=0o700, parents=True)
        self._port = reserve_port()
        self.behave(Behaviour())
        write_keys(self._folder)
        if self._token:
            pki.write_private(self._folder / "token", self._token.encode())
        self.kubeconfig = self.write_kubeconfig(token)
        self.events = self._folder / EVENTS
        self.events.touch(mode=0o600)

    def log(self, *, in_order: bool) -> FileLog:
        """What it has received, as an audit log; ``in_order`` unless the server's webhook is in batch mode."""
        return FileLog(self.events, in_order=in_order)

    def behave(self, behaviour: Behaviour) -> None:
        """Answer in another way from the next request on."""
        pki.write_whole(
            self._folder / "behaviour.json", json.dumps({**asdict(behaviour), "token": self._token}).encode()
        )

    def start(self) -> None:
        """Run, and wait until it listens. Raises ServerDied or ClusterError where it does not."""
        command = [sys.executable, "-I", "-S", receiving.__file__, str(self.events), str(self.port)]
        log = self._folder / "receiver.log"
        pid = self._run.start(self._name, command, log)
        wait_ready(self._listens, pid, log, f"the receiver {self._name}", START_TIMEOUT_S, {})

    def start_again(self) -> None:
        """Run, where it does not."""
        if not self._run.runs(self._name):
            self.start()

    def kill(self) -> None:
        """End it as a crash does: connections break, nothing is answered after that."""
        pid, _ = self._run.entry(self._name)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)

    def close(self) -> None:
        """End it, and give its port up."""
        if self._run.runs(self._name):
            self.kill()
        self._port.close()

    @property
    def port(self) -> int:
        """Its port on loopback."""
        return int(self._port.getsockname()[1])

    def attempts(self) -> Iterator[Attempt]:
        """Every request that has come, in the order in which they were answered."""
        for line in (self._folder / "attempts.log").read_text().splitlines():
            yield Attempt(**json.loads(line))

    def _listens(self) -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
            return client.connect_ex((receiving.ADDRESS, self.port)) == 0

    def write_kubeconfig(self, token: str) -> Path:
        """Write the file that the API server takes: it shows ``token``, or the client certificate without one."""
        folder = self._folder
        credential = Credential(token=token) if token else Credential(folder / "client.crt", folder / "client.key")
        url = f"https://{receiving.ADDRESS}:{self.port}/audit"
        return write_kubeconfig(folder / "kubeconfig", url, folder / "ca.crt", credential)


def write_keys(folder: Path, *addresses: str) -> None:
    """The keys of a receiver: its authority, its own, reached by ``addresses``, too, and those of its client."""
    authority = pki.Authority.create("auditproof-receiver")
    authority.pair().write(folder, "ca")
    authority.server("audit-receiver", *addresses).write(folder, "server")
    authority.client("kube-apiserver").write(folder, "client")
