"""The exit codes of all commands, in one table; what a command means by one of them is in its ``EXIT_CODES``.

They are pytest's (pytest.ExitCode), because ``auditproof run`` is pytest: a script can treat all commands alike.
argparse's own code for a usage error, 2, would mean that the user has interrupted the command; so it is 4 here.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class ExitCode(IntEnum):
    """How a command ended."""

    FINE = 0
    FOUND = 1
    INTERRUPTED = 2
    INTERNAL_ERROR = 3
    UNUSABLE = 4
    NOTHING_SHOWN = 5
    CLOSED = 141  # 128 + SIGPIPE


MEANINGS = {
    ExitCode.FINE: "done; nothing was found, or everything passes",
    ExitCode.FOUND: "something was found or does not pass, or could not be shown",
    ExitCode.INTERRUPTED: "interrupted by Ctrl-C",
    ExitCode.INTERNAL_ERROR: "internal error: a fault of auditproof, with a traceback",
    ExitCode.UNUSABLE: "it cannot be done: unusable options, input or output, or a program is missing",
    ExitCode.NOTHING_SHOWN: "nothing was shown: everything was skipped, unsupported or not read",
    ExitCode.CLOSED: "the reader of standard output closed it (128 + SIGPIPE)",
}
BY_SIGNAL = "A command that another signal ends has 128 and the number of the signal, such as 143 for SIGTERM."
_WIDTH = 96  # of a meaning, next to its code


def table() -> str:
    """The table as lines of text, for ``auditproof --help``."""
    return _lines(MEANINGS)


def codes_of(meanings: Mapping[ExitCode, str]) -> str:
    """The part of a command's help about its exit codes; what ``meanings`` lacks means the same for all commands."""
    return f"exit codes (`auditproof --help` lists those of all commands):\n{_lines(meanings)}\n"


def _lines(meanings: Mapping[ExitCode, str]) -> str:
    import textwrap

    return "\n".join(
        textwrap.fill(text, _WIDTH, initial_indent=f"  {int(code):<4} ", subsequent_indent=" " * 7)
        for code, text in meanings.items()
    )
