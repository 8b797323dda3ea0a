"""``auditproof completion``: a script that completes commands, options and their values in a shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.cli.exit_codes import ExitCode
from auditproof.text import output

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

SHELLS = ("bash", "zsh", "fish")
EPILOG = """\
The script is text for the shell: it starts no Python when you press Tab. Write it again after an upgrade, or source it
in the start-up file of the shell, which takes that a little longer.

examples:
  bash, for all later shells
    auditproof completion bash > ~/.local/share/bash-completion/completions/auditproof
  bash, in this shell
    source <(auditproof completion bash)
  zsh, with a folder of $fpath
    auditproof completion zsh > "${fpath[1]}/_auditproof"
  fish
    auditproof completion fish > ~/.config/fish/completions/auditproof.fish
"""
EXIT_CODES = {ExitCode.FINE: "the script is written", ExitCode.UNUSABLE: "unusable options"}


def declare(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("shell", metavar="SHELL", choices=SHELLS, help=", ".join(SHELLS))


def execute(options: Namespace) -> int:
    """Write the script of a shell."""
    from importlib import import_module

    from auditproof.cli.completions.words import commands

    output.write(import_module(f"auditproof.cli.completions.{options.shell}").script(commands()))
    return ExitCode.FINE
