"""``auditproof mcp``: serves assistants that speak the Model Context Protocol, over standard input and output."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from auditproof.cli.exit_codes import ExitCode
from auditproof.errors import AuditproofError
from auditproof.text import output

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EPILOG = """\
An assistant that drafts audit policies can check them with the tools lint, explain, diff, requirements, detections and
describe. They only compute: nothing is sent to a cluster, nothing is written, and files are read only below the folder
that the server is started in. docs/mcp.md has the configuration of several clients; they start the server themselves.

It needs the extra mcp: pip install "auditproof[mcp]"

examples:
  auditproof mcp
  uvx --from "auditproof[mcp]" auditproof mcp
"""
EXIT_CODES = {
    ExitCode.FINE: "the client has closed the connection",
    ExitCode.INTERRUPTED: "interrupted by Ctrl-C",
    ExitCode.UNUSABLE: "unusable options, or the extra mcp is not installed",
}
_NEEDS = 'the MCP server needs the MCP SDK, which is not installed; install it: pip install "auditproof[mcp]"'


def declare(parser: ArgumentParser) -> None:
    """Declare no arguments."""


def execute(options: Namespace) -> int:  # noqa: ARG001 - as declare
    """Serve until the client closes standard input.

    Raises AuditproofError if the SDK is not installed.
    """
    try:
        from auditproof.mcp_server.server import serve
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("mcp", "mcp_types", "anyio"):
            raise
        raise AuditproofError(_NEEDS) from None
    if sys.stdin.isatty():
        output.complain("an MCP client is expected on standard input (docs/mcp.md); Ctrl-D ends the server")
    signal.signal(signal.SIGINT, _interrupted)
    serve(Path.cwd())
    return 0


def _interrupted(_signal: int, _frame: object) -> None:
    """End at once: the thread that waits for the client's next line cannot be interrupted. Nothing is left behind."""
    os._exit(ExitCode.INTERRUPTED)
