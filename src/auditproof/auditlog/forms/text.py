"""The bytes of a log as UTF-8, a window at a time: gzip is known by its first bytes, UTF-16 by its byte order mark."""

from __future__ import annotations

import codecs
import gzip
import re
import zlib
from typing import Any, BinaryIO, Protocol, cast

BLOCK = 64 * 1024  # read at once
_GZIP = b"\x1f\x8b"
_UTF_16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be", b"{\0": "utf-16-le", b"\0{": "utf-16-be"}
_PACKED = {
    b"PK\x03\x04": ("a zip archive", "unpack it"),
    b"\x28\xb5\x2f\xfd": ("compressed by zstd", "decompress it (zstd -d)"),
    b"BZh": ("compressed by bzip2", "decompress it (bunzip2)"),
    b"\xfd7zXZ\0": ("compressed by xz", "decompress it (xz -d)"),
    b"PAR1": ("a Parquet file", "export it as JSON lines"),
    b"Obj\x01": ("an Avro file (Event Hubs Capture writes it)", "export its Body column as JSON lines"),
}
_NEWLINE = 0x0A
_TAR = (257, b"ustar")
_REST = re.compile(rb"[^\n]*\n?")


class NotText(Exception):
    """The file is of a kind that holds no text; the message says which, and what to do."""


class _Reads(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Text:
    """A window on the text of a file. ``at`` is the place in ``window`` that is read next, ``line`` its line number.

    ``encodings`` are those that were undone. Raises NotText, and OSError where the file cannot be read.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.encodings: list[str] = []
        self.window = bytearray()
        self.at = 0
        self.line = 1
        self.ended = False
        self.damage = ""  # why the file is not read to its end
        self._decoder: codecs.IncrementalDecoder | None = None
        self._source: _Reads = file
        head = self._head()
        what, advice = next((found for magic, found in _PACKED.items() if head.startswith(magic)), ("", ""))
        if head[_TAR[0] :].startswith(_TAR[1]):
            what, advice = "a tar archive", "unpack it, and give the folder"
        if what:
            raise NotText(f"this file is {what}: {advice}")
        if head.startswith(codecs.BOM_UTF8):
            self.encodings.append("UTF-8 with a byte order mark")
            head = head[len(codecs.BOM_UTF8) :]
        elif encoding := _UTF_16.get(head[:2]):
            self.encodings.append("UTF-16")
            self._decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
            head = head[2:] if head[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else head
        self.window += self._decoded(head)

    def _head(self) -> bytes:
        head = self._block(BLOCK)
        while head.startswith(_GZIP) and len(self.encodings) < 2:  # what is exported compressed may be a .gz already
            self.encodings.append("gzip")
            self._source = cast("_Reads", gzip.GzipFile(fileobj=cast("Any", _Rewound(head, self._source))))
            head = self._block(BLOCK)
        return head

    def _decoded(self, block: bytes) -> bytes:
        if self._decoder is None:
            return block
        return self._decoder.decode(block, final=not block).encode("utf-8", "replace")

    def _block(self, size: int) -> bytes:
        """What the file gives next; nothing more where what is compressed is damaged, or not whole."""
        try:
            return b"" if self.damage else self._source.read(size)
        except EOFError:
            self.damage = "the compressed file is not whole: what follows is lost"
        except (zlib.error, gzip.BadGzipFile):
            self.damage = "the compressed file is damaged from here on: what follows is lost"
        return b""

    def fill(self) -> bool:
        """Let the window hold at least twice as much as is left of it; returns whether there was anything more."""
        if self.ended:
            return False
        # Dropping what was read copies the rest of the window, so it is not done after every line.
        if self.at > BLOCK:
            del self.window[: self.at]
            self.at = 0
        block = self._block(max(BLOCK, len(self.window) - self.at))
        self.window += self._decoded(block)
        self.ended = not block
        return not self.ended

    def peek_line(self, most: int) -> bytes:
        """What is left of this line with its end, or its first ``most`` bytes; empty at the end of the file."""
        searched = 0
        while (end := self.window.find(b"\n", self.at + searched)) < 0 and len(self.window) - self.at < most:
            searched = len(self.window) - self.at
            if not self.fill():
                break
        stop = end + 1 if end >= 0 else min(len(self.window), self.at + most)
        return bytes(self.window[self.at : stop])

    def skip(self, count: int) -> None:
        """Go on by so many bytes of the window."""
        self.line += self.window.count(b"\n", self.at, self.at + count)
        self.at += count

    def skip_line(self) -> None:
        """Go on to the line that follows, however long this one is."""
        while True:
            found = _REST.match(self.window, self.at)
            self.skip(found.end() - self.at if found else 0)
            if (self.at and self.window[self.at - 1 : self.at] == b"\n") or not self.fill():
                return

    def byte(self) -> bytes:
        """The next byte; empty at the end of the file."""
        while self.at >= len(self.window):
            if not self.fill():
                return b""
        return bytes(self.window[self.at : self.at + 1])

    def read(self, size: int) -> bytes:
        """The next bytes, as a file gives them, for a reader that keeps no place here."""
        if self.at >= len(self.window):
            self.fill()
        taken = bytes(self.window[self.at : self.at + size])
        self.skip(len(taken))
        return taken

    @property
    def lines(self) -> int:
        """How many lines have been read."""
        at_begin = not self.at or self.window[self.at - 1] == _NEWLINE
        return self.line - 1 if at_begin else self.line


class _Rewound:
    """A file of which the head has been read already."""

    def __init__(self, head: bytes, rest: _Reads) -> None:
        self._head, self._rest = head, rest

    def read(self, size: int = -1, /) -> bytes:
        if not self._head:
            return self._rest.read(size)
        taken, self._head = (self._head, b"") if size < 0 else (self._head[:size], self._head[size:])
        return taken
