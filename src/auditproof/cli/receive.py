"""``auditproof receive``: receive what the audit webhook of somebody else's API server sends, in a folder of ours."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from auditproof.auditlog.sources import EVENTS
from auditproof.cli.command import add_command
from auditproof.client.credential import Credential
from auditproof.clusters.kubeconfig_file import write_kubeconfig
from auditproof.clusters.pki.x509 import write_private
from auditproof.clusters.stand_ins import event_receiver_process as receiving
from auditproof.clusters.stand_ins.event_receiver import Behaviour, write_keys
from auditproof.errors import AuditproofError
from auditproof.text import output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditproof.cli.command import Commands

EPILOG = """\
Give FOLDER/kubeconfig to the API server as --audit-webhook-config-file before it starts, and let this run meanwhile;
then prove with --log webhook:FOLDER, or with --log webhook-blocking:FOLDER where --audit-webhook-mode is blocking.
In batch mode events come in no order: nothing is proven until as many have come here as the server has counted since
its start, which no policy reaches that records our own GET /metrics; prefer a webhook in mode blocking.
Keys and address are made once; a later start takes them as they are.

It runs until it is interrupted. exit codes: 2 the folder or the address cannot be used; 130 interrupted.

example:
  auditproof receive received --listen 10.0.0.5:9443
"""


def add_receive(commands: Commands) -> None:
    """Declare the subcommand."""
    asked = add_command(commands, "receive", "receive the audit events that an API server's webhook sends", EPILOG)
    asked.add_argument("folder", metavar="FOLDER", type=Path, help="where keys, kubeconfig and events are")
    asked.add_argument(
        "--listen", metavar="ADDRESS:PORT", type=_address, default=("127.0.0.1", 9443), help="default: 127.0.0.1:9443"
    )
    asked.set_defaults(run=_receive)


def _address(text: str) -> tuple[str, int]:
    address, _, port = text.rpartition(":")
    if not address or not port.isdigit() or not 0 < int(port) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is no address: expected 10.0.0.5:9443, say")
    return address, int(port)


def _receive(options: argparse.Namespace, _rest: Sequence[str]) -> int:
    """Replace this process by the receiver."""
    folder: Path = options.folder.resolve()
    address, port = options.listen
    try:
        _prepare(folder, address, port)
    except (OSError, ValueError) as error:
        raise AuditproofError(f"{folder}: events cannot be received there at {address}:{port}: {error}") from None
    output.tell(f"receiving at https://{address}:{port}/audit; give the API server")
    output.tell(f"  --audit-webhook-config-file={folder / 'kubeconfig'}")
    sys.stdout.flush()
    command = [sys.executable, "-I", "-S", receiving.__file__, str(folder / EVENTS), str(port), address]
    os.execv(sys.executable, command)  # noqa: S606 - replaces this process: no shell, no child


def _prepare(folder: Path, address: str, port: int) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (folder / "ca.crt").exists():
        write_keys(folder, address)
    write_private(folder / "behaviour.json", json.dumps(asdict(Behaviour())).encode())
    credential = Credential(folder / "client.crt", folder / "client.key")
    url = f"https://{address}:{port}/audit"
    # With the keys in it, because it is the API server's machine that reads it.
    write_kubeconfig(folder / "kubeconfig", url, folder / "ca.crt", credential, embed=True)
    (folder / EVENTS).touch(mode=0o600)
