"""What every subcommand of ``auditproof`` has in common: how it is added, and how a version is read."""

from __future__ import annotations

import argparse
from typing import TypeAlias

from auditproof.audit.policy.load import KUBERNETES_VERSION

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_command(commands: Commands, name: str, text: str, epilog: str) -> argparse.ArgumentParser:
    """A subcommand with its help: ``text`` in the list of commands and, as a sentence, on top of its own page."""
    return commands.add_parser(
        name,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def version(text: str) -> str:
    """A Kubernetes version out of the command line.

    Raises ArgumentTypeError where it is none.
    """
    if not KUBERNETES_VERSION.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no version: expected 1.37 or 1.37.2, say")
    return text
