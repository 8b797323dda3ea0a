"""Standard output and standard error of the commands: all their output is written here.

Text for people is made printable; text for programs is JSON, and is escaped as JSON. If the reader closes the pipe, the
command ends quietly with the exit code that a shell reports for SIGPIPE; a full disk is reported as such, never as an
error of an input file.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TextIO

from auditproof.errors import AuditproofError
from auditproof.text.printable import printable_json, printable_lines, visible

if TYPE_CHECKING:
    from collections.abc import Callable

CLOSED = 141  # 128 + SIGPIPE


class CannotWrite(AuditproofError):
    """Standard output cannot be written."""


def tell(text: str) -> None:
    """Write lines for people to standard output, followed by a line break."""
    write(printable_lines(text) + "\n")


def tell_json(text: str) -> None:
    """Write JSON to standard output, ending in exactly one line break."""
    write(printable_json(text).removesuffix("\n") + "\n")


def write_for_programs(text: str) -> None:
    """Write text that a program reads byte by byte, such as a patch.

    Raises CannotWrite if a terminal would take some of it for a command.
    """
    lines = text.replace("\r\n", "\n")
    if sys.stdout.isatty() and visible(lines) != lines:
        raise CannotWrite("it has control characters, which a terminal would obey: write it to a file")
    write(text)


def complain(text: str) -> None:
    """Write lines for people to standard error."""
    try:
        print(printable_lines(text), file=sys.stderr, flush=True)
    except OSError:
        _give_up(sys.stderr)  # no output is left on which to report this


def write(text: str) -> None:
    """Write ``text`` unchanged; the caller has made it printable.

    Raises CannotWrite if it cannot be written, BrokenPipeError if the reader has closed the pipe.
    """
    _attempt(lambda: sys.stdout.write(text))


def command(run: Callable[[], int]) -> int:
    """Run a command and return its exit code after all its output is written.

    Raises CannotWrite if it cannot be written.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a locale may lack characters that a file contains
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
    """Discard the content of the buffer when the process ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
