"""An audit log on another machine, fetched by a command or over HTTP, completely or only the new part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.auditlog.file_log import TAIL_BYTES, LineReader, LogSlice, Mark
from auditproof.errors import LogUnreadable

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditproof.audit.event import AuditEvent


class RemoteLog:
    """A log that is fetched from elsewhere: by a command, or over HTTP.

    ``fetch`` takes a byte offset and returns the offset at which its data begins (the given one or an earlier one) and
    the data; it raises LogUnreadable if nothing can be fetched. ``name`` describes the source in messages.
    """

    in_order = True

    def __init__(self, name: str, fetch: Callable[[int], tuple[int, bytes]]) -> None:
        self._name = name
        self._fetch = fetch
        self._end = Mark(0, 0, b"")

    def mark(self) -> Mark:
        """Return the current end of the log: after its last complete line. Raises LogUnreadable."""
        return self.read(self._end, lambda _: False).end

    def beginning(self) -> Mark:
        """Return the position before the first byte."""
        return Mark(0, 0, b"")

    def read(self, since: Mark, wanted: Callable[[AuditEvent], bool]) -> LogSlice:
        """See AuditLog.read. A truncated or replaced log is detected by the bytes before ``since``."""
        begin = since.offset - len(since.tail)
        start, data = self._fetch(begin)
        seen = data[begin - start : since.offset - start]
        if start > begin or seen != since.tail:
            raise LogUnreadable(
                f"{self._name} no longer has the same bytes before byte {since.offset}: it was rotated, truncated "
                "or replaced, and events may be lost"
            )
        data = data[since.offset - start :]
        found = LineReader(wanted)
        # An unfinished last line is left for the next read.
        complete = data[: data.rfind(b"\n") + 1]
        offset = since.offset
        for line in complete.split(b"\n")[:-1]:
            found.add(line, self._name, offset)
            offset += len(line) + 1
        end = Mark(0, offset, (since.tail + complete)[-TAIL_BYTES:])
        # A read from an older mark must not move the end back.
        self._end = max(self._end, end, key=lambda mark: mark.offset)
        return LogSlice(tuple(found.events), tuple(found.problems), end, found.lines)
