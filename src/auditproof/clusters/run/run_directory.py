"""The run directory: everything that a run makes, and the ledger of everything that it starts.

The controller makes it, workers open it, and only the controller ends it; the reaper does where the controller cannot.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import secrets
import shlex
import stat
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import IO, TYPE_CHECKING

from filelock import FileLock

from auditproof.clusters.kubeconfig_file import write_kubeconfig
from auditproof.clusters.machine import cannot
from auditproof.clusters.pki.x509 import write_private, write_whole
from auditproof.clusters.run import reaper
from auditproof.clusters.server_record import started_servers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from filelock import BaseFileLock

# A server writes its own entry into the ledger and only then becomes the server: what runs is in the ledger.
_ENTER_LEDGER = '{ cat "/proc/$$/stat" 2>/dev/null || echo "$$"; } >"$0" && exec "$@"'
SOCKET_PATH_LIMIT = 100  # a unix socket's path may have 107 bytes (Linux) or 103 (macOS)


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """A private folder (0700) with a ledger of processes; ``_reaper`` is set in the controller only."""

    path: Path
    _reaper: subprocess.Popen[bytes] | None = None
    keep: bool = False
    _held: list[BaseFileLock] = field(default_factory=list)

    @staticmethod
    def create(*, keep: bool = False) -> RunDirectory:
        """Make a new run directory and its reaper; ``keep`` leaves everything running at the end.

        Raises ClusterError where that cannot be done.
        """
        try:
            path = Path(tempfile.mkdtemp(prefix="auditproof-"))
            # A long TMPDIR leaves no room for the path of etcd's socket.
            if len(str(path)) > SOCKET_PATH_LIMIT - len("/etcd/client.sock"):
                path.rmdir()
                path = Path(tempfile.mkdtemp(prefix="auditproof-", dir="/tmp"))
            for name in (reaper.LEDGER, reaper.NEEDS, reaper.UNDO, "locks", "servers", "credentials", "read"):
                (path / name).mkdir(mode=0o700)
            if sys.platform == "linux":
                ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
            command = [sys.executable, "-I", "-S", reaper.__file__, str(path)]
            # A session of its own: Ctrl-C in the terminal ends the run, and must not end its reaper.
            process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
            return RunDirectory(path, process, keep)
        except OSError as error:
            raise cannot("no run directory can be made", error, Path(tempfile.gettempdir())) from None

    @staticmethod
    def open(path: str) -> RunDirectory:
        """Join a run directory that another process owns."""
        return RunDirectory(Path(path))

    def lock(self, name: str) -> FileLock:
        """A lock that all processes of the run share."""
        return FileLock(self.path / "locks" / name)

    def hold(self, lock: BaseFileLock) -> None:
        """Keep a lock until the run ends; it is released where the process ends before."""
        self._held.append(lock)

    def read_once(self, path: Path, read: Callable[[], bytes] | None = None) -> bytes:
        """The bytes of a file of the user's as the run read it first: the same in all processes, whatever it holds now.

        ``read`` gives them if no process has read them before; without it the file is read. Raises OSError.
        """
        kept = self.path / "read" / hashlib.sha256(os.fsencode(path.absolute())).hexdigest()
        with self.lock("read"):
            if not kept.exists():
                write_whole(kept, path.read_bytes() if read is None else read())
            return kept.read_bytes()

    def private_folder(self) -> Path:
        """A new folder for one process's credentials."""
        return Path(tempfile.mkdtemp(dir=self.path / "credentials"))

    def start(
        self,
        label: str,
        command: Sequence[str],
        log: Path,
        *,
        needs: str = "",
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> int:
        """Start a server in a session of its own, entered into the ledger under ``label`` before it runs.

        ``environment`` are variables that it gets unless this process has them.
        It is killed when the server called ``needs`` ends. Returns its process id. It has no Popen, because it may
        outlive the worker that started it. Each attempt has an entry of its own, so that none is ever forgotten.
        """
        if needs:
            (self.path / reaper.NEEDS / needs).mkdir(exist_ok=True)
            (self.path / reaper.NEEDS / needs / label).touch()
        entry = self.path / reaper.LEDGER / f"{label}{reaper.AT}{secrets.token_hex(4)}"
        script = ["/bin/sh", "-c", _ENTER_LEDGER, str(entry), *command]
        output = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), output, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ]
        variables = {**environment, **os.environ, reaper.MARK: str(entry)}
        return os.posix_spawn(script[0], script, variables, file_actions=actions, setsid=True)

    def once(self, label: str, done: Path, make: Callable[[], None]) -> None:
        """Let one process of the run do what ends with the file ``done``, and the others wait for it.

        What a process that was killed in the middle of it has left is ended first: everything that was started under a
        label that begins with ``label``.
        """
        with self.lock(label):
            if not done.exists():
                self.end(label)
                make()

    def end(self, label: str) -> None:
        """Kill everything that was started under a label that begins so, by whichever process of the run.

        Where an attempt has no entry yet, its mark identifies it; it has one once the lock of its starter is free.
        """
        reaper.kill_marked(str(self.path / reaper.LEDGER / label))
        for entry in (self.path / reaper.LEDGER).glob(f"{label}*"):
            reaper.kill(entry)

    def at_end(self, label: str, script: str) -> None:
        """Register a clean-up script for the end of the run; call it before creating what it removes.

        It is run once or more at the end, whatever became of the run: what is gone already must do it no harm.
        """
        made = self.path / f"{label}.new"
        write_private(made, script.encode())
        made.rename(self.path / reaper.UNDO / label)

    def entry(self, label: str) -> tuple[int, str]:
        """Process id and start time of a server, of the last attempt to start it; 0 where there was none."""
        try:
            return reaper.parse_stat(reaper.attempts(self.path, label)[-1].read_text())
        except (OSError, IndexError):
            return 0, ""

    def runs(self, label: str) -> bool:
        """Whether the server with this label runs."""
        pid, start = self.entry(label)
        return pid > 0 and reaper.is_alive(pid, start)

    def close(self) -> str:
        """End every server and remove the directory; with ``keep`` leave both.

        Returns what the user should know: how to use what is kept, or what could not be removed.
        """
        try:
            if self._reaper is None:  # another process owns the run
                return ""
            if self.keep and any((self.path / reaper.LEDGER).iterdir()):
                self._tell_reaper(reaper.KEEP)
                stop = self.path / "stop"
                command = [sys.executable, "-I", "-S", reaper.__file__, str(self.path)]
                write_private(stop, f"#!/bin/sh\nexec {shlex.join(command)} </dev/null\n".encode())
                stop.chmod(stat.S_IRWXU)
                lines = [f"the cluster is kept in {self.path}"]
                for server in started_servers(self.path):
                    cluster = server.cluster
                    file = write_kubeconfig(
                        cluster.policy.parent / "kubeconfig", cluster.url, cluster.ca, cluster.admin
                    )
                    lines.append(f"  policy {server.source}: kubectl --kubeconfig {shlex.quote(str(file))} get ns")
                    lines.append(f"    audit log: {cluster.log}")
                return "\n".join([*lines, f"end it with: {shlex.quote(str(stop))}"])
            # Here rather than by the reaper, so that the user learns what could not be removed.
            problems = reaper.sweep(self.path)
            self._tell_reaper(b"")
            return "\n".join(problems)
        finally:
            for lock in self._held:
                lock.release()

    def _tell_reaper(self, word: bytes) -> None:
        assert self._reaper is not None
        stdin: IO[bytes] | None = self._reaper.stdin
        if stdin is not None and not stdin.closed:
            try:
                stdin.write(word)
                stdin.close()
            except BrokenPipeError:
                sys.stderr.write(f"auditproof: the reaper of {self.path} had ended before its run\n")
        self._reaper.wait()


def cpu_count() -> int:
    """How many servers may start in parallel."""
    return max(2, os.cpu_count() or 2)
