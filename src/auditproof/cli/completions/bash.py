"""The completion script for bash 3.2 and newer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from auditproof.cli.completions.words import Argument, Command

HEAD = """\
# bash completion for auditproof: source <(auditproof completion bash)
_auditproof() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]}
    local options='' arguments='' values='-'
    COMPREPLY=()
    # bash splits --option=value at the sign
    if [[ $word == '=' ]]; then
        word=''
    elif [[ $before == '=' ]]; then
        before=${COMP_WORDS[COMP_CWORD-2]}
    fi
    if ((COMP_CWORD == 1)); then
"""
TAIL = """\
    esac
    if [[ $values == '-' ]]; then
        if [[ $word == -* ]]; then values=$options; else values=$arguments; fi
    fi
    # without a match, files are offered (complete -o default)
    COMPREPLY=($(compgen -W "$values" -- "$word"))
}
complete -o default -F _auditproof auditproof
"""


def script(commands: Sequence[Command]) -> str:
    """The script, to be sourced."""
    names = " ".join(one.name for one in commands)
    first = f"        COMPREPLY=($(compgen -W '{names} --help --version' -- \"$word\"))\n        return\n    fi\n"
    cases = [line for one in commands for line in _case(one)]
    return HEAD + first + "    case $command in\n" + "\n".join(cases) + "\n" + TAIL


def _case(command: Command) -> Iterator[str]:
    yield f"    {command.name})"
    yield f"        options='{' '.join(flag for one in command.options for flag in one.flags)}'"
    values = [value for one in command.arguments for value in one.values]
    if values:
        yield f"        arguments='{' '.join(values)}'"
    taking = [one for one in command.options if one.takes]
    if taking:
        yield "        case $before in"
        for one in taking:
            yield f"        {'|'.join(one.flags)}) values='{' '.join(one.values)}'{_nothing(one)} ;;"
        yield "        esac"
    yield "        ;;"


def _nothing(option: Argument) -> str:
    """Offers no files for a value that is none of a known few, and no file."""
    return "" if option.files or option.values else "; compopt +o default 2>/dev/null"
