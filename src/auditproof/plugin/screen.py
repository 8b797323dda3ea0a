"""pytest's terminal, with one more line below its output.

While a test runs, pytest captures standard output, so the line is drawn through a copy of the terminal's descriptor.
pytest's terminal writer has no public name for its file (``_file``) and its present line (``_current_line``).
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
    """Replaces a file whose reader may go away (``| head``): later output is discarded, and no write fails."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    @classmethod
    def stand_in_for(cls, reporter: pytest.TerminalReporter | None) -> None:
        """Replace the file of a terminal reporter, if there is one."""
        if reporter is not None:
            writer: Any = reporter.config.get_terminal_writer()
            writer._file = cls(writer._file)

    def write(self, text: str) -> int:
        """Write ``text``, or discard it."""
        return self._try(lambda: self._file.write(text)) or len(text)

    def flush(self) -> None:
        """Flush the file, or discard its buffer."""
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
            self._file.flush()  # discards the buffered text

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class Screen:
    """Replaces the file of pytest's terminal writer: erases the drawn line before any other output."""

    def __init__(self, file: TextIO, out: TextIO, reporter: pytest.TerminalReporter) -> None:
        self._file, self._out = file, out
        self._reporter = reporter
        self._writer: Any = reporter.config.get_terminal_writer()
        self._lock = threading.Lock()
        self._drawn = False
        self._line = ""  # pytest's output in the present line

    @classmethod
    def below(cls, reporter: pytest.TerminalReporter) -> Screen | None:
        """Replace the reporter's file; None if that has no file descriptor."""
        writer: Any = reporter.config.get_terminal_writer()
        file = writer._file
        try:
            file.flush()
            copy = os.dup(file.fileno())
        except (AttributeError, OSError, ValueError):
            return None
        out = cast("TextIO", Unbroken(os.fdopen(copy, "w", encoding=file.encoding, errors="replace")))
        writer._file = cls(file, out, reporter)
        return writer._file  # type: ignore[no-any-return]  # a private attribute, without a type

    def can_redraw(self, capture: str) -> bool:
        """Whether a line can be drawn and erased: on a capable terminal to which no test writes directly."""
        able = self._out.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        return able and capture != "no" and not os.environ.get("CI")

    def write(self, text: str) -> int:
        """Write pytest's output, after erasing the drawn line."""
        with self._lock:
            self._erase()
            self._out.write(text)
            self._out.flush()
            self._line = (self._line + _CONTROL.sub("", text)).rpartition("\n")[2].rpartition("\r")[2]
            # pytest notes its line before it writes: a line that was inserted between the two has cleared that note
            self._writer._current_line = self._line
        return len(text)

    def draw(self, text: str) -> None:
        """Show ``text`` in the line below, replacing its content; the cursor stays in place."""
        with self._lock, suppress(OSError):
            width = os.get_terminal_size(self._out.fileno()).columns or self._writer.fullwidth
            column = TO_COLUMN.format(_columns(self._line) % width + 1)
            self._out.write(f"{ERASE_BELOW}\n{text[: width - 1]}{UP}{column}")
            self._out.flush()
            self._drawn = True

    def insert(self, text: str) -> None:
        """Write ``text`` in a separate line; pytest's next output begins a new line."""
        with self._lock, suppress(OSError):
            begun = "\n" if self._line else ""
            self._line, self._writer._current_line, self._reporter.currentfspath = "", "", None
            self._out.write(f"{begun}{text}\n")
            self._out.flush()

    def close(self) -> None:
        """Erase the drawn line, and restore the file."""
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
    """Return a function that prints one line through pytest's terminal reporter."""

    def write(line: str) -> None:
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.ensure_newline()
            writer = config.get_terminal_writer()
            if writer.width_of_current_line:  # a progress line came between a file's name and its results
                writer.line()
            reporter.write_line(line)
            reporter.flush()

    return write
