"""The completion script for fish."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from auditproof.cli.completions.words import Argument, Command

HEAD = """\
# fish completion for auditproof: auditproof completion fish | source
complete -c auditproof -f
complete -c auditproof -n __fish_use_subcommand -l help -d 'show help'
complete -c auditproof -n __fish_use_subcommand -l version -d 'show the version'
"""


def script(commands: Sequence[Command]) -> str:
    """The script, to be sourced, or put into a folder of $fish_complete_path."""
    return HEAD + "\n".join(line for one in commands for line in _lines(one)) + "\n"


def _lines(command: Command) -> Iterator[str]:
    yield f"complete -c auditproof -n __fish_use_subcommand -a {command.name} -d {_quoted(command.help)}"
    this = f"complete -c auditproof -n '__fish_seen_subcommand_from {command.name}'"
    for one in command.options:
        flags = " ".join(f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}" for flag in one.flags)
        yield f"{this} {flags}{_value(one)} -d {_quoted(one.text)}"
    for one in command.arguments:
        yield f"{this}{' -F' if one.files else ''}{_offered(one)} -d {_quoted(one.takes)}"


def _value(one: Argument) -> str:
    if not one.takes:
        return ""
    return f" -r{' -F' if one.files else ' -f'}{_offered(one)}"


def _offered(one: Argument) -> str:
    return f" -a {_quoted(' '.join(one.values))}" if one.values else ""


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
