"""The command ``auditproof``: finds the module of the named command, and turns errors into an exit code.

A command is a module of this folder with three names: ``EPILOG``, ``declare(parser)`` and ``execute(options)``, which
returns the exit code. Only the named one is imported, and each imports what it needs when it is executed, so that
``--help`` and usage errors are immediate. argparse, because ``run`` passes unknown options on to pytest.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from auditproof import __version__
from auditproof.errors import AuditproofError
from auditproof.text import output
from auditproof.text.suggestion import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = {
    "run": "test an audit policy on a real API server and write the report",
    "lint": "find mistakes in audit policies (offline)",
    "explain": "show which rule of a policy matches a request, and why (offline)",
    "evaluate": "evaluate requests (JSON lines) against a policy (offline)",
    "diff": "list the requests that two policies record differently (offline, or tested with --live)",
    "describe": "describe what a policy records, on one page (offline)",
    "requirements": "check a policy against requirements (offline)",
    "detections": "check whether a policy feeds your detection rules (offline)",
    "fix": "edit a policy so that it meets requirements (offline, or tested with --prove)",
    "mutate": "measure which mistakes in a policy your requirements and cases would catch (offline)",
    "compare": "compare two results.json files",
    "report": "write the HTML report of a results.json file again",
    "receive": "receive the audit events that an API server sends to its webhook",
    "cleanup": "clean up what earlier runs left on a cluster",
}
EPILOG = """\
`auditproof COMMAND --help` describes each command, with its exit codes and examples.

examples:
  auditproof lint policies/prod.yaml
  auditproof explain policies/prod.yaml --user alice --verb create --resource pods/exec --namespace shop
  auditproof diff policies/prod.yaml policies/next.yaml
  auditproof run policies/next.yaml --base policies/prod.yaml --report reports
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line, by default the one of this process, and return its exit code.

    Raises SystemExit, as argparse does: with 0 after ``--help`` and ``--version``, with 2 after a usage error.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    name = _command(arguments[:1])
    options = _options(name, arguments[1:])
    try:
        return output.command(lambda: int(options.execute(options)))
    except AuditproofError as error:
        output.complain(str(error))
        return int(options.unusable)
    except KeyboardInterrupt:
        return 130  # 128 + SIGINT


def _command(first: Sequence[str]) -> str:
    """The name of the command, the first argument."""
    listed = "\n".join(f"  {name:13} {text}" for name, text in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="auditproof",
        usage="auditproof [-h] [--version] COMMAND ...",
        description="Shows, on a real API server, what a Kubernetes audit policy actually records.\n\n"
        f"commands:\n{listed}",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"auditproof {__version__}")
    parser.add_argument("command", metavar="COMMAND", help=argparse.SUPPRESS)
    name: str = parser.parse_args(first).command
    if name not in COMMANDS:
        meant = did_you_mean(name, COMMANDS, quote="")
        parser.error(f"unknown command {name!r}{meant} (choose from {', '.join(COMMANDS)})")
    return name


def _options(name: str, arguments: Sequence[str]) -> argparse.Namespace:
    """The arguments of a command, with its ``execute`` and its exit code for AuditproofError, ``unusable``.

    What run does not know is in ``pytest_arguments``.
    """
    module = import_module(f"auditproof.cli.{name}")
    text = COMMANDS[name]
    parser = argparse.ArgumentParser(
        prog=f"auditproof {name}",
        description=f"{text[0].upper()}{text[1:]}.",
        epilog=module.EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(execute=module.execute, unusable=2)
    module.declare(parser)
    if name != "run":
        return parser.parse_intermixed_args(arguments)  # options may be between two arguments, of which one is optional
    options, rest = parser.parse_known_args(arguments)
    options.pytest_arguments = rest
    return options
