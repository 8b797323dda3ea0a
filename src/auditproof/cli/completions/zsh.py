"""The completion script for zsh."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from auditproof.cli.completions.words import Argument, Command

HEAD = """\
#compdef auditproof
# zsh completion for auditproof: source <(auditproof completion zsh), or as the file _auditproof in a folder of $fpath
_auditproof_or_file() {
    compadd -- "$@"
    _files
}
_auditproof() {
    local -a commands
    commands=(
"""
MIDDLE = """\
    )
    if ((CURRENT == 2)); then
        _describe -t commands command commands
        _arguments '--help[show help]' '--version[show the version]'
        return
    fi
    local command=$words[2]
    shift words
    ((CURRENT--))
    case $command in
"""
TAIL = """\
    esac
}
if [[ $funcstack[1] == _auditproof ]]; then
    _auditproof "$@"
else
    compdef _auditproof auditproof
fi
"""


def script(commands: Sequence[Command]) -> str:
    """The script, to be sourced or loaded by compinit."""
    named = [f"        {_quoted(f'{one.name}:{one.help}')}\n" for one in commands]
    cases = [line for one in commands for line in _case(one)]
    return "".join([HEAD, *named, MIDDLE, *cases, TAIL])


def _case(command: Command) -> Iterator[str]:
    yield f"    {command.name})\n        _arguments -S"
    for one in (*command.options, *command.arguments):
        yield f" \\\n            {_specification(one)}"
    yield "\n        ;;\n"


def _specification(one: Argument) -> str:
    """An argument as _arguments takes it (zshcompsys(1)); each may be given more than once."""
    value = f":{_escaped(one.takes)}:{_action(one)}" if one.takes else ""
    if not one.flags:
        return _quoted(f"*{value}")
    text = f"[{_escaped(one.text)}]{value}"
    return " ".join(_quoted(f"*{flag}{'=' if value and flag[1] == '-' else ''}{text}") for flag in one.flags)


def _action(one: Argument) -> str:
    words = " ".join(one.values)
    if one.files:
        return f"{{_auditproof_or_file {words}}}" if words else "_files"
    return f"({words})" if words else " "


def _escaped(text: str) -> str:
    return text.translate({ord(letter): f"\\{letter}" for letter in ":[]\\"})


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
