"""``auditproof receive``: receives the audit events of an existing cluster's webhook, and writes them to a folder."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from auditproof.cli.exit_codes import ExitCode
from auditproof.errors import AuditproofError
from auditproof.text import output

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EPILOG = """\
Give FOLDER/kubeconfig to the API server as --audit-webhook-config-file before it starts, and keep this command running.
Then test with --log webhook:FOLDER, or --log webhook-blocking:FOLDER if --audit-webhook-mode is blocking.

Prefer the mode blocking. In batch mode events arrive in any order. A run therefore waits until as many events have
arrived as the server has counted since it started. This never happens if the policy records GET /metrics, because
each look at the counters then adds an event.

Keys and address are created once and kept for later starts.

example:
  auditproof receive received --listen 10.0.0.5:9443
"""
EXIT_CODES = {
    ExitCode.INTERRUPTED: "interrupted: until then the command runs",
    ExitCode.UNUSABLE: "unusable options, or the folder or the address cannot be used",
}


def declare(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="folder for keys, kubeconfig and events")
    parser.add_argument(
        "--listen",
        metavar="ADDRESS:PORT",
        type=_address,
        default=("127.0.0.1", 9443),
        help="address that the API server connects to (default: 127.0.0.1:9443)",
    )


def _address(text: str) -> tuple[str, int]:
    address, _, port = text.rpartition(":")
    if not address or not port.isdigit() or not 0 < int(port) < 65536:
        raise argparse.ArgumentTypeError(f"invalid address {text!r} (expected ADDRESS:PORT, such as 10.0.0.5:9443)")
    return address, int(port)


def execute(options: Namespace) -> int:
    """Replace this process by the receiver.

    Raises AuditproofError if the folder cannot be prepared.
    """
    from auditproof.auditlog.sources import EVENTS
    from auditproof.clusters.stand_ins import event_receiver_process as receiving

    folder: Path = options.folder.resolve()
    address, port = options.listen
    try:
        _prepare(folder, address, port)
    except (OSError, ValueError) as error:
        raise AuditproofError(f"{folder}: cannot receive events here at {address}:{port}: {error}") from None
    output.tell(f"receiving at https://{address}:{port}/audit; start the API server with")
    output.tell(f"  --audit-webhook-config-file={folder / 'kubeconfig'}")
    sys.stdout.flush()
    command = [sys.executable, "-I", "-S", receiving.__file__, str(folder / EVENTS), str(port), address]
    os.execv(sys.executable, command)  # noqa: S606 - replaces this process: no shell, no child


def _prepare(folder: Path, address: str, port: int) -> None:
    """Write keys, kubeconfig and an empty log; existing keys and events are kept."""
    from auditproof.auditlog.sources import EVENTS
    from auditproof.client.credential import Credential
    from auditproof.clusters.kubeconfig_file import write_kubeconfig
    from auditproof.clusters.pki.x509 import write_private
    from auditproof.clusters.stand_ins.event_receiver import Behaviour, write_keys

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (folder / "ca.crt").exists():
        write_keys(folder, address)
    write_private(folder / "behaviour.json", json.dumps(asdict(Behaviour())).encode())
    credential = Credential(folder / "client.crt", folder / "client.key")
    url = f"https://{address}:{port}/audit"
    # With the keys inline, because the API server's machine has no other file.
    write_kubeconfig(folder / "kubeconfig", url, folder / "ca.crt", credential, embed=True)
    (folder / EVENTS).touch(mode=0o600)
