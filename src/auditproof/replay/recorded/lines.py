"""Which lines of a log are given to SQL: those that an API server wrote, as far as their bytes show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.auditlog.forms.text import NotText, Text
from auditproof.replay.inputs.feed import NATIVE
from auditproof.replay.inputs.lines import LONGEST_LINE, is_utf8

if TYPE_CHECKING:
    from pathlib import Path

FILE_BITS = 40  # of a place: the number of the file, and below that of the line
SEPARATOR = b"\x1f"  # between a line and its place
_ROOM = 1024
_LONG, _MOST_BRACKETS = 20_000, 10_000  # event_form refuses what is nested deeper


class NotCounted(Exception):
    """SQL cannot count this log: it is left to Python as a whole."""


def is_plain(line: bytes) -> bool:
    """Whether a line, with its end, is given to SQL; it depends on nothing but its bytes."""
    if not (line.startswith(NATIVE) and line.endswith(b"}\n")) or len(line) > LONGEST_LINE - _ROOM:
        return False
    # DuckDB's reader of lines or of JSON takes these otherwise than Python. One by one, because that is fastest.
    if b"\r" in line or b"\0" in line or SEPARATOR in line or b"\x1e" in line or b"\\u0000" in line:
        return False
    if len(line) > _LONG and line.count(b"{") + line.count(b"[") > _MOST_BRACKETS:
        return False
    return line.isascii() or is_utf8(line)


def begins_plain(path: Path) -> bool:
    """Whether the first line of a file, which may be compressed, is given to SQL."""
    try:
        with path.open("rb") as file:
            return is_plain(Text(file).peek_line(LONGEST_LINE))
    except (NotText, OSError):
        return False
