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
NOT_UTF8 = "not an audit event: it is not UTF-8"


def line_numbers(
    files: Sequence[LogFile], wrong: Mapping[bytes, str], troubles: Troubles, *, not_utf8: int
) -> Iterator[tuple[str, int]]:
    """Add every wrong line to ``troubles`` with file and number; yields each reason with how many lines were found.

    ``not_utf8`` is how many lines are not UTF-8: if there are none, lines are not decoded.
    """
    if not wrong and not not_utf8:
        return
    found: Counter[str] = Counter()
    for file in files:
        for number, reason in _in_file(file, wrong, undecoded=bool(not_utf8)):
            troubles.add(file.name, number, reason)
            found[reason] += 1
    yield from found.items()


def _in_file(file: LogFile, wrong: Mapping[bytes, str], *, undecoded: bool) -> Iterator[tuple[int, str]]:
    try:
        with file.open() as raw:
            head = raw.read(_HEAD)
        with file.open() as raw:
            for number, line in enumerate(_lines(unpacked(raw, head)), 1):
                if reason := wrong.get(line):
                    yield number, reason
                elif undecoded and not _is_utf8(line):
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


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
