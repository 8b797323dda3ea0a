"""A file of any form, read once from its beginning to its end: its events, and whatever is none."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

from auditproof.audit.event_form import decode
from auditproof.auditlog.forms.documents import LONGEST_LINE, Walk
from auditproof.auditlog.forms.envelopes import LINES, MANY_LINES, Envelopes
from auditproof.auditlog.forms.opened import Opened, Refused
from auditproof.auditlog.forms.prefixes import prefix_of
from auditproof.auditlog.forms.text import BLOCK, NotText, Text
from auditproof.auditlog.forms.yaml_documents import is_yaml, yaml_values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from auditproof.auditlog.forms.documents import Found

Passes: TypeAlias = "Callable[[int, bytes], bool]"
_LIST = re.compile(rb"\[\s*(?:$|[{\"])")  # a list that may hold events, or its first line


class Opening:
    """Reads one file. Once it is read, ``lines`` says how many it has, ``blank`` how many of them are empty.

    ``passes`` is asked about every line that begins a value, by number and bytes: one that it takes is passed over.
    """

    def __init__(self, file: BinaryIO, passes: Passes | None = None) -> None:
        self._file = file
        self._passes = passes
        self._envelopes = Envelopes()
        self.encodings: list[str] = []
        self.lines = 0
        self.blank = 0

    def read(self) -> Iterator[Opened]:
        """Everything that the file holds, in its order.

        Raises OSError where the file cannot be read, and nothing on account of what it holds.
        """
        try:
            text = Text(self._file)
        except NotText as other:
            self.lines = 1
            yield Refused(1, str(other))
            return
        self.encodings = text.encodings
        yield from self._values(text)
        self.lines = text.lines
        yield from self._envelopes.close()
        if text.damage:
            yield Refused(max(self.lines, 1), f"not an audit event: {text.damage}")

    def _values(self, text: Text) -> Iterator[Opened]:
        if text.byte() and is_yaml(bytes(text.window[:BLOCK])):
            for found in yaml_values(text):
                yield from self._open(found, "YAML")
            return
        while line := text.peek_line(LONGEST_LINE):
            if self._passes is not None and self._passes(text.line, line):
                text.skip(len(line))
            else:
                yield from self._line(text, line)

    def _line(self, text: Text, line: bytes) -> Iterator[Opened]:
        """A line, or what begins in it."""
        stripped = line.strip()
        if not stripped:
            self.blank += 1
            text.skip(len(line))
        elif not (stripped[:1] == b"{" or _LIST.match(stripped)) or prefix_of(line):
            number = text.line
            if len(line) >= LONGEST_LINE:
                yield Refused(number, f"not an audit event: a line of more than {LONGEST_LINE >> 20} MiB is not read")
                text.skip_line()
                return
            text.skip(len(line))
            yield from self._envelopes.open_text(line, number, LINES, around=line)
        else:
            yield from self._json(text, line)

    def _json(self, text: Text, line: bytes) -> Iterator[Opened]:
        number = text.line
        try:
            # Most files have a whole event in each line: decoding it at once is much faster than the walk.
            value = decode(line) if len(line) < LONGEST_LINE else None
        except ValueError:
            value = None
        if isinstance(value, dict):
            text.skip(len(line))
            yield from self._envelopes.open_value(value, number, LINES)
            return
        for found in Walk(text, line).values():
            yield from self._open(found, LINES)

    def _open(self, found: Found, form: str) -> Iterator[Opened]:
        if isinstance(found, Refused):
            yield (
                Refused(found.line, f"not an audit event: {found.reason}")
                if not found.reason.startswith("not an audit")
                else found
            )
        elif found.path is not None:
            yield from self._envelopes.open_element(found.path, found.value, found.line)
        else:
            shape = MANY_LINES if found.many_lines and form == LINES else form
            yield from self._envelopes.open_value(found.value, found.line, shape)
