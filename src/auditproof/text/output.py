"""Standard output and standard error of the commands: the one place at which their text leaves.

What is for people is made printable here; what is for machines is JSON, and is escaped as JSON. A reader that has seen
enough ends the command quietly, with what a shell says of SIGPIPE; a disk that is full is told, and never taken for a
fault of a file that was read.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TextIO

from auditproof.errors import AuditproofError
from auditproof.text.printable import printable_json, printable_lines

if TYPE_CHECKING:
    from collections.abc import Callable

CLOSED = 141  # 128 + SIGPIPE


class CannotWrite(AuditproofError):
    """Standard output takes no more."""


def tell(text: str) -> None:
    """Write lines for people; a line break follows."""
    write(printable_lines(text) + "\n")


def tell_json(text: str) -> None:
    """Write a JSON text; a line break follows where there is none."""
    write(printable_json(text).removesuffix("\n") + "\n")


def complain(text: str) -> None:
    """Write lines for people to standard error."""
    try:
        print(printable_lines(text), file=sys.stderr, flush=True)
    except OSError:
        _give_up(sys.stderr)  # nobody is left to be told


def write(text: str) -> None:
    """Write a text as it is: it was made fit to be shown before.

    Raises CannotWrite where it cannot be written, and BrokenPipeError where nobody reads any more.
    """
    _attempt(lambda: sys.stdout.write(text))


def command(run: Callable[[], int]) -> int:
    """The exit code of a command, once all that it has said is written.

    Raises CannotWrite where it cannot be.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a locale may have no letters for what a file says
    try:
        code = run()
        _attempt(sys.stdout.flush)
    except BrokenPipeError:
        _give_up(sys.stdout)
        return CLOSED
    return code


def _attempt(write_it: Callable[[], object]) -> None:
    try:
        write_it()
    except BrokenPipeError:
        raise
    except OSError as error:
        _give_up(sys.stdout)
        raise CannotWrite(f"cannot write to standard output: {error.strerror}") from None


def _give_up(stream: TextIO) -> None:
    """Let what is still in the buffer go nowhere when the process ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
