"""The terminal that pytest writes to, with one more line below what it writes.

While a test runs, pytest has its own standard output caught; what is drawn meanwhile goes to a copy of the terminal.
"""

from __future__ import annotations

import os
import re
import threading
import unicodedata
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

# Control sequences of ECMA-48: erase to the end of the screen, up by a line, to a column (from 1).
ERASE_BELOW, UP, TO_COLUMN = "\x1b[J", "\x1b[A", "\x1b[{}G"
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")


class Unbroken:
    """Stands in the place of a file whose reader may go away: what is written then goes nowhere, and nothing fails."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    @classmethod
    def stand_in_for(cls, reporter: pytest.TerminalReporter | None) -> None:
        """Take the place of the file of a terminal reporter, where there is one."""
        if reporter is not None:
            writer: Any = reporter._tw
            writer._file = cls(writer._file)

    def write(self, text: str) -> int:
        """Write, to whoever reads it."""
        return self._try(lambda: self._file.write(text)) or len(text)

    def flush(self) -> None:
        """Flush, to whoever reads it."""
        self._try(self._file.flush)

    def close(self) -> None:
        """Close the file."""
        self._try(self._file.close)

    def _try(self, put: Callable[[], Any]) -> Any:
        try:
            return put()
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._file.fileno())
            os.close(nowhere)
            self._file.flush()  # what was on its way

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class Screen:
    """Stands in the place of the file of pytest's terminal writer: erases the line before anything else is written."""

    def __init__(self, file: TextIO, out: TextIO, reporter: pytest.TerminalReporter) -> None:
        self._file, self._out = file, out
        self._reporter = reporter
        self._writer: Any = reporter._tw
        self._lock = threading.Lock()
        self._drawn = False
        self._line = ""  # what pytest has written since it began the line

    @classmethod
    def below(cls, reporter: pytest.TerminalReporter) -> Screen | None:
        """Take the place of the reporter's file; None where that is no file of the operating system."""
        writer: Any = reporter._tw
        file = writer._file
        try:
            file.flush()
            copy = os.dup(file.fileno())
        except (AttributeError, OSError, ValueError):
            return None
        out = cast("TextIO", Unbroken(os.fdopen(copy, "w", encoding=file.encoding, errors="replace")))
        writer._file = cls(file, out, reporter)
        return writer._file  # type: ignore[no-any-return]

    def can_redraw(self, capture: str) -> bool:
        """Whether a line can be drawn and taken back: on a terminal that knows how, and no test writes to it itself."""
        able = self._out.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        return able and capture != "no" and not os.environ.get("CI")

    def write(self, text: str) -> int:
        """Write what pytest writes."""
        with self._lock:
            self._erase()
            self._out.write(text)
            self._out.flush()
            self._line = (self._line + _CONTROL.sub("", text)).rpartition("\n")[2].rpartition("\r")[2]
        return len(text)

    def draw(self, text: str) -> None:
        """Show ``text`` in the line below, in the place of what is there; the cursor stays where it was."""
        with self._lock, suppress(OSError):
            width = os.get_terminal_size(self._out.fileno()).columns or self._writer.fullwidth
            column = TO_COLUMN.format(_columns(self._line) % width + 1)
            self._out.write(f"{ERASE_BELOW}\n{text[: width - 1]}{UP}{column}")
            self._out.flush()
            self._drawn = True

    def insert(self, text: str) -> None:
        """Write ``text`` in a line of its own; what pytest writes next begins a line."""
        with self._lock, suppress(OSError):
            begun = "\n" if self._line else ""
            self._line, self._writer._current_line, self._reporter.currentfspath = "", "", None
            self._out.write(f"{begun}{text}\n")
            self._out.flush()

    def close(self) -> None:
        """Erase the line, and give the file its place back."""
        with self._lock:
            self._erase()
            self._out.close()
            self._writer._file = self._file

    def _erase(self) -> None:
        if self._drawn:
            self._drawn = False
            with suppress(OSError):
                self._out.write(ERASE_BELOW)
                self._out.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def terminal_lines(config: pytest.Config) -> Callable[[str], None]:
    """Where what a reader is told goes while a run is under way: plain lines of pytest's terminal reporter."""

    def write(line: str) -> None:
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.ensure_newline()
            if reporter._tw.width_of_current_line:  # a line of progress came between a file's name and its results
                reporter._tw.line()
            reporter.write_line(line)
            reporter.flush()

    return write
