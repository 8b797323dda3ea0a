"""SPDY/3.1 as the stand-in kubelet speaks it, against the protocol's own numbers."""

from __future__ import annotations

import io
import zlib

from auditproof.clusters.stand_ins import spdy


def test_the_dictionary_is_the_one_of_the_protocol() -> None:
    """A single wrong byte in the dictionary makes every header unreadable."""
    assert (len(spdy.DICTIONARY), zlib.adler32(spdy.DICTIONARY)) == (1423, 0xE3C6A7C2)


def test_headers_depend_on_those_before_them_and_are_read_back() -> None:
    """The compression state is that of the connection: headers must be read in the order of writing."""
    writer, reader = spdy.Headers(), spdy.Headers()

    for headers in ({"streamtype": "error"}, {"streamtype": "stdout", "port": "80"}, {}):
        assert reader.read(writer.write(headers)) == headers


def test_every_stream_is_accepted_and_pings_are_sent_back() -> None:
    headers, sent, opened = spdy.Headers(), io.BytesIO(), []
    for stream, kind in ((1, "error"), (3, "stdout")):
        block = headers.write({"streamtype": kind})
        sent.write(spdy.control(spdy.SYN_STREAM, stream.to_bytes(4, "big") + bytes(6) + block))
    sent.write(spdy.control(spdy.PING, b"\0\0\0\7") + spdy.data(3, b"text", spdy.FIN))
    sent.seek(0)
    answers = io.BytesIO()

    spdy.serve(sent, answers.write, lambda stream, kind: opened.append((stream, kind)))

    answers.seek(0)
    frames = list(spdy.frames(answers))
    assert opened == [(1, "error"), (3, "stdout")]
    assert [frame.kind for frame in frames] == [spdy.SYN_REPLY, spdy.SYN_REPLY, spdy.PING]
    assert frames[2].payload == b"\0\0\0\7"


def test_a_frame_that_is_cut_off_is_none() -> None:
    whole = spdy.data(1, b"text")

    assert [frame.payload for frame in spdy.frames(io.BytesIO(whole + whole[:-1]))] == [b"text"]
