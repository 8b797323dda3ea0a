"""The bytes of a log file, decompressed: gzip and zstd are known by their first bytes, not by the name."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING, Any, BinaryIO

from auditproof.replay.extra import require_replay

if TYPE_CHECKING:
    from collections.abc import Iterator

GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
BLOCK = 1 << 20
DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile)


class CutOff(EOFError):
    """What is compressed ends before its end."""


def unpacked(file: BinaryIO, head: bytes) -> BinaryIO:
    """The text of a file that begins with ``head``; reading raises one of DAMAGED where it is damaged or cut off."""
    if head.startswith(GZIP):
        return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]
    return _Zstd(file) if head.startswith(ZSTD) else file  # type: ignore[return-value]


class _Zstd:
    """Reads all frames of a zstd file; the library's own reader ends silently where a frame is cut off."""

    def __init__(self, file: BinaryIO) -> None:
        require_replay("zstandard")
        self._blocks = self._decompressed(file)
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._rest) < size:
            block = next(self._blocks, None)
            if block is None:
                break
            self._rest += block
        size = len(self._rest) if size < 0 else size
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def _decompressed(self, file: BinaryIO) -> Iterator[bytes]:
        import zstandard

        frame: Any = None
        while block := file.read(1 << 16):
            while block:
                frame = frame or zstandard.ZstdDecompressor().decompressobj()
                try:
                    yield frame.decompress(block)
                except zstandard.ZstdError as error:
                    raise zlib.error(str(error)) from None
                block, frame = (frame.unused_data, None) if frame.eof else (b"", frame)
        if frame is not None:
            raise CutOff("a frame is not whole")
