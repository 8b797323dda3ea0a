"""Finds the lines that are no events again, to name their file and number: an engine reads lines in any order."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from auditproof.replay.inputs.packed import BLOCK, unpacked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import BinaryIO

    from auditproof.replay.inputs.feed import Troubles
    from auditproof.replay.inputs.found import LogFile

_HEAD = 256
LONGEST_LINE = 4 << 20  # bytes; several lines of this size fit into memory at once
NOT_UTF8 = "not an audit event: it is not UTF-8"
TOO_LONG = f"not read: a line of more than {LONGEST_LINE >> 20} MiB"


def line_numbers(
    files: Sequence[LogFile], wrong: Mapping[bytes, str], troubles: Troubles, *, incomplete: bool
) -> Iterator[tuple[str, int]]:
    """Add every wrong line to ``troubles`` with file and number; yields each reason with how many lines were found.

    ``incomplete`` says that the engine has not read every byte: then lines that are too long, or not UTF-8, are wrong.
    """
    if not wrong and not incomplete:
        return
    found: Counter[str] = Counter()
    for file in files:
        for number, reason in _in_file(file, wrong, incomplete=incomplete):
            troubles.add(file.name, number, reason)
            found[reason] += 1
    yield from found.items()


def _in_file(file: LogFile, wrong: Mapping[bytes, str], *, incomplete: bool) -> Iterator[tuple[int, str]]:
    try:
        with file.open() as raw:
            head = raw.read(_HEAD)
        with file.open() as raw:
            for number, line in enumerate(_lines(unpacked(raw, head)), 1):
                if reason := wrong.get(line):
                    yield number, reason
                elif incomplete and len(line) + 1 > LONGEST_LINE:
                    yield number, TOO_LONG
                elif incomplete and not is_utf8(line):
                    yield number, NOT_UTF8
    except Exception:  # it was read before: that it cannot be read to its end is known already
        return


def _lines(text: BinaryIO) -> Iterator[bytes]:
    """The lines of a file without their ends."""
    rest = b""
    while block := text.read(BLOCK):
        *whole, rest = (rest + block).split(b"\n")
        for line in whole:
            yield line.rstrip(b"\r")
    if rest:
        yield rest


def is_utf8(line: bytes) -> bool:
    """Whether a line is UTF-8."""
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
