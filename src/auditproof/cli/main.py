"""The command ``auditproof``: finds the module of the named command, and turns errors into an exit code.

A command is a module of this folder with four names: ``EPILOG``, ``EXIT_CODES`` (what each code means here),
``declare(parser)`` and ``execute(options)``, which returns the exit code. Only the named one is imported, and each
imports what it needs when it is executed, so that ``--help`` and usage errors are immediate. argparse, because ``run``
passes unknown options on to pytest.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

from auditproof import __version__
from auditproof.cli.exit_codes import BY_SIGNAL, ExitCode, codes_of, table
from auditproof.errors import AuditproofError
from auditproof.text import output
from auditproof.text.suggestion import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = {
    "init": "write policy, cases, requirements and a CI job into a repository, green from the start",
    "run": "test an audit policy on a real API server and write the report",
    "record": "perform cases on a real API server, and write what was observed as their expectation",
    "lint": "find mistakes in audit policies (offline)",
    "explain-code": "explain a code of lint, with an example (offline)",
    "explain": "show which rule of a policy matches a request, and why (offline)",
    "evaluate": "evaluate requests (JSON lines) against a policy (offline)",
    "diff": "list the requests that two policies record differently (offline, or tested with --live)",
    "describe": "describe what a policy records, on one page (offline)",
    "requirements": "check a policy against requirements (offline)",
    "detections": "check whether a policy feeds your detection rules (offline)",
    "replay": "show what another policy would have made of a recorded log, and what that costs (offline)",
    "sql": "print a policy as SQL, for a log in a warehouse (offline)",
    "fix": "edit a policy so that it meets requirements (offline, or tested with --prove)",
    "mutate": "measure which mistakes in a policy your requirements and cases would catch (offline)",
    "mcp": "serve assistants that draft policies, over the Model Context Protocol (offline)",
    "compare": "compare two results.json files",
    "report": "write the HTML report of a results.json file again",
    "doctor": "show what is here for a run, what is missing, and how to mend it",
    "fetch": "put server binaries into the cache, ahead of a run",
    "cache": "list or empty the cache of server binaries, or print a key for it",
    "forecast": "forecast what a policy records, from the metrics of an API server (offline)",
    "generate-log": "generate a realistic audit log of any size (offline)",
    "schema": "print the JSON Schema of a file, for editors and other tools",
    "comment": "show the results of a run in the one comment of a pull or merge request",
    "completion": "print a script that completes commands and options in a shell",
    "receive": "receive the audit events that an API server sends to its webhook",
    "cleanup": "clean up what earlier runs left on a cluster",
}
EPILOG = f"""\
`auditproof COMMAND --help` describes each command, with its exit codes and examples.

exit codes:
{table()}
{BY_SIGNAL}

examples:
  auditproof lint policies/prod.yaml
  auditproof explain policies/prod.yaml --user alice --verb create --resource pods/exec --namespace shop
  auditproof diff policies/prod.yaml policies/next.yaml
  auditproof run policies/next.yaml --base policies/prod.yaml --report reports
"""


class _Parser(argparse.ArgumentParser):
    """Ends with the exit code for unusable options, where argparse would end with the one for an interruption."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(ExitCode.UNUSABLE, f"{self.prog}: error: {message}\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line, by default the one of this process, and return its exit code.

    Raises SystemExit, as argparse does: with 0 after ``--help`` and ``--version``, with 4 after a usage error.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        name = _command(arguments[:1])
        options = _options(name, arguments[1:])
        return output.command(lambda: int(options.execute(options)))
    except AuditproofError as error:
        output.complain(str(error))
        return ExitCode.UNUSABLE
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except Exception:  # Python's own exit code for it, 1, would mean that something was found
        import traceback

        output.complain(f"{traceback.format_exc()}auditproof: internal error: please report it with these lines")
        return ExitCode.INTERNAL_ERROR


def _command(first: Sequence[str]) -> str:
    """The name of the command, the first argument."""
    listed = "\n".join(f"  {name:13} {text}" for name, text in COMMANDS.items())
    parser = _Parser(
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


def parser_of(name: str) -> argparse.ArgumentParser:
    """The parser of a command, with its description, its examples and its exit codes."""
    module = import_module(f"auditproof.cli.{name.replace('-', '_')}")
    text = COMMANDS[name]
    parser = _Parser(
        prog=f"auditproof {name}",
        description=f"{text[0].upper()}{text[1:]}.",
        epilog=_with_codes(module.EPILOG, codes_of(module.EXIT_CODES)),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(execute=module.execute)
    module.declare(parser)
    return parser


def _with_codes(epilog: str, codes: str) -> str:
    """The end of a command's help: its exit codes come before the examples, with which the text ends."""
    text, heading, examples = epilog.rpartition("\nexample")
    return f"{text}\n{codes}{heading}{examples}" if heading else f"{epilog}\n{codes}"


def _options(name: str, arguments: Sequence[str]) -> argparse.Namespace:
    """The arguments of a command, with its ``execute``; what run does not know is in ``pytest_arguments``."""
    parser = parser_of(name)
    if name != "run":
        return parser.parse_intermixed_args(arguments)  # options may be between two arguments, of which one is optional
    options, rest = parser.parse_known_args(arguments)
    options.pytest_arguments = rest
    return options
