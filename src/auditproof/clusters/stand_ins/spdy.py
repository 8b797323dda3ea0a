"""The server's side of SPDY/3.1, as far as exec, attach and port-forward need it. Standard library only.

Source: the SPDY protocol draft 3.1 (frames, name/value block, dictionary); what a client of Kubernetes sends:
github.com/moby/spdystream. By hand, because no maintained Python library has SPDY.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

VERSION = 3
SYN_STREAM, SYN_REPLY, PING, GOAWAY = 1, 2, 6, 7
FIN = 0x01
_WORDS = (
    "options,head,post,put,delete,trace,accept,accept-charset,accept-encoding,accept-language,accept-ranges,age,allow,"
    "authorization,cache-control,connection,content-base,content-encoding,content-language,content-length,"
    "content-location,content-md5,content-range,content-type,date,etag,expect,expires,from,host,if-match,"
    "if-modified-since,if-none-match,if-range,if-unmodified-since,last-modified,location,max-forwards,pragma,"
    "proxy-authenticate,proxy-authorization,range,referer,retry-after,server,te,trailer,transfer-encoding,upgrade,"
    "user-agent,vary,via,warning,www-authenticate,method,get,status,200 OK,version,HTTP/1.1,url,public,set-cookie,"
    "keep-alive,origin"
)
_REST = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden"
    "404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,"
    "publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)


def _sized(text: bytes) -> bytes:
    return len(text).to_bytes(4, "big") + text


DICTIONARY = b"".join(_sized(word.encode()) for word in _WORDS.split(",")) + _REST.encode()


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: a control frame of ``kind``, or data (kind 0) of ``stream``."""

    kind: int
    flags: int
    stream: int
    payload: bytes


def control(kind: int, payload: bytes, flags: int = 0) -> bytes:
    """A control frame as it is sent."""
    return (0x8000 | VERSION).to_bytes(2, "big") + kind.to_bytes(2, "big") + _rest(flags, payload)


def data(stream: int, payload: bytes, flags: int = 0) -> bytes:
    """A data frame as it is sent."""
    return stream.to_bytes(4, "big") + _rest(flags, payload)


def _rest(flags: int, payload: bytes) -> bytes:
    return bytes([flags]) + len(payload).to_bytes(3, "big") + payload


def frames(source: BinaryIO) -> Iterator[Frame]:
    """The frames that a peer sends, until it hangs up."""
    while len(head := source.read(8)) == 8:
        length = int.from_bytes(head[5:8], "big")
        payload = source.read(length)
        if len(payload) < length:
            return
        if head[0] & 0x80:
            yield Frame(int.from_bytes(head[2:4], "big"), head[4], 0, payload)
        else:
            yield Frame(0, head[4], int.from_bytes(head[:4], "big"), payload)


@dataclass(slots=True)
class Headers:
    """The compressed name/value blocks of one connection: what one says depends on those before it."""

    _inflate: zlib._Decompress = field(default_factory=lambda: zlib.decompressobj(zdict=DICTIONARY))
    _deflate: zlib._Compress = field(default_factory=lambda: zlib.compressobj(zdict=DICTIONARY))

    def read(self, block: bytes) -> dict[str, str]:
        """The headers in a block of the peer's."""
        text = self._inflate.decompress(block)
        found, at = [], 4
        while at < len(text):
            size = int.from_bytes(text[at : at + 4], "big")
            found.append(text[at + 4 : at + 4 + size].decode(errors="replace"))
            at += 4 + size
        return dict(zip(found[::2], found[1::2], strict=True))

    def write(self, headers: Mapping[str, str]) -> bytes:
        """A block that this server sends."""
        words = [word.encode() for pair in headers.items() for word in pair]
        text = len(headers).to_bytes(4, "big") + b"".join(map(_sized, words))
        return self._deflate.compress(text) + self._deflate.flush(zlib.Z_SYNC_FLUSH)


def serve(source: BinaryIO, send: Callable[[bytes], object], opened: Callable[[int, str], None]) -> None:
    """Accept every stream of a connection until the peer hangs up; ``opened`` is given its id and its type."""
    headers = Headers()
    for frame in frames(source):
        if frame.kind == SYN_STREAM:
            # Before the headers are the ids of this stream and of its associated one, a priority and a slot: 10 bytes.
            stream = int.from_bytes(frame.payload[:4], "big")
            kind = headers.read(frame.payload[10:]).get("streamtype", "")
            send(control(SYN_REPLY, stream.to_bytes(4, "big") + headers.write({})))
            opened(stream, kind)
        elif frame.kind == PING:
            send(control(PING, frame.payload))
        elif frame.kind == GOAWAY:
            return
