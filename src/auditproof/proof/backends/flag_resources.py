"""Resources that the flags of a server can name and that must exist before it starts: event receivers, small disks.

A value in the mark ``audit_server`` may contain ``{receiver}`` or ``{receiver:status=503,first=2}``: the kubeconfig of
an event receiver that responds so (``delay``, ``hang_up``, ``first``; ``down``: it does not run; ``token``: it requires
a token; ``wrong``: the kubeconfig has another token). ``{disk:1m}`` is a folder on a separate small file system.
``{unharmed}`` is replaced by nothing, and prevents the test's fault from happening, as a sabotage twin may need.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

from auditproof.audit.server_flags import ServerFlags
from auditproof.clusters.stand_ins.event_receiver import Behaviour, EventReceiver
from auditproof.clusters.stand_ins.small_disk import mount_disk

if TYPE_CHECKING:
    from pathlib import Path

    from auditproof.clusters.run.run_directory import RunDirectory

_PLACE = re.compile(r"\{(receiver|disk|unharmed)(?::([^}]*))?\}")


class FlagResources:
    """The receiver and the disk that the flags of one server name."""

    def __init__(self, run: RunDirectory, name: str) -> None:
        self._run = run
        self._name = name
        self.receiver: EventReceiver | None = None
        self.disk: Path | None = None
        self.harmed = True
        self._behaviour = Behaviour()

    def set(self, settings: ServerFlags) -> ServerFlags:
        """``settings`` with every placeholder replaced; the resources are running when it returns.

        Raises ClusterError if a resource cannot be created on this machine.
        """
        audit_log = {key: self._fill(value) for key, value in settings.audit_log}
        return ServerFlags.of(audit_log, {key: self._fill(value) for key, value in settings.flags})

    def close(self) -> None:
        """Stop the receiver."""
        if self.receiver is not None:
            self.receiver.close()

    def _fill(self, value: str | None) -> str | None:
        return value if value is None else _PLACE.sub(self._thing, value)

    def _thing(self, found: re.Match[str]) -> str:
        what, how = found[1], found[2] or ""
        if what == "unharmed":
            self.harmed = False
            return ""
        if what == "disk":
            self.disk = mount_disk(self._run, self._name, how)
            return str(self.disk)
        return str(self._receiver(dict(pair.partition("=")[::2] for pair in how.split(",") if pair)))

    def _receiver(self, how: dict[str, str]) -> Path:
        token = secrets.token_hex(16) if "token" in how or "wrong" in how else ""
        self.receiver = EventReceiver(self._run, f"receiver-{self._name}", token=token)
        self._behaviour = Behaviour(
            status=int(how.get("status", 200)),
            delay=float(how.get("delay", 0)),
            hang_up="hang_up" in how,
            first=int(how.get("first", 0)),
        )
        # The server then shows a token that the receiver refuses.
        if "wrong" in how:
            self.receiver.write_kubeconfig("another-token")
        self.receiver.behave(self._behaviour)
        if "down" not in how:
            self.receiver.start()
        return self.receiver.kubeconfig

    def restore(self) -> None:
        """Restart the receiver with the behaviour in the flags."""
        if self.receiver is not None:
            self.receiver.behave(self._behaviour)
            self.receiver.start_again()
