"""Lines that are nearly events: replay and run --no-actions count the same ones and name the same as broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.replay.test_duckdb_engine import replayed
from tests.replay.test_recorded import changed, generated, in_python, policy_named, reported, text_in

if TYPE_CHECKING:
    from pathlib import Path

POLICY = policy_named("baseline")
LINE = next(
    line
    for line in generated(POLICY)
    if b'"level":"Metadata"' in line and b'"objectRef"' in line and b'"annotations"' in line
)
BODY = next(line for line in generated(POLICY) if b'"requestObject":{' in line)
OPEN = LINE[:-2]


def with_text(old: str, new: str, line: bytes = LINE) -> bytes:
    assert old.encode() in line
    return text_in(line, old, new)


def with_body(text: str) -> bytes:
    return with_text(',"requestReceivedTimestamp"', f',"requestObject":{text},"requestReceivedTimestamp"')


ODD = {
    "a comma after the last member": OPEN + b",}\n",
    "white space after that comma": OPEN + b", \t}\n",
    "a comma after the last item": with_text('"user":{', '"user":{"extra":{"a":["1",]},'),
    "NaN": OPEN + b',"x":NaN}\n',
    "-Infinity": OPEN + b',"x":-Infinity}\n',
    "inf after white space": OPEN + b',"x": inf}\n',
    "nan in a list": OPEN + b',"x":[1, nan]}\n',
    "nan first in a list": OPEN + b',"x":[nan]}\n',
    "NaN in a body": with_text('"requestObject":{', '"requestObject":{"x":NaN,', BODY),
    "a comma in a body": with_text('"requestObject":{', '"requestObject":{"x":[1,],', BODY),
    "NaN and commas in a text": with_text('"requestObject":{', '"requestObject":{"x":"a:NaN,inf,}",', BODY),
    "a repeated key in a body": with_text('"requestObject":{', '"requestObject":{"x":1,"x":2,', BODY),
    "half a surrogate pair in a body": with_text('"requestObject":{', '"requestObject":{"x":"\\ud800",', BODY),
    "verb twice": OPEN + b',"verb":"get"}\n',
    "user twice": OPEN + b',"user":{}}\n',
    "username twice": with_text('"user":{', '"user":{"username":"eve",'),
    "resource twice": with_text('"objectRef":{', '"objectRef":{"resource":"x",'),
    "a comment": OPEN + b"/* c */}\n",
    "a comment at the end": LINE[:-1] + b" // c\n",
    "another comment at the end": LINE[:-1] + b" # c\n",
    "single quotes": LINE.replace(b'"', b"'"),
    "one text in single quotes": with_text('"verb":"', '"x":\'a\',"verb":"'),
    "a key without quotes": with_text('"verb":', "verb:"),
    "a byte order mark": b"\xef\xbb\xbf" + LINE,
    "half a surrogate pair": with_text('"user":{', '"user":{"uid":"\\ud800",'),
    "half a surrogate pair in a name": LINE.replace(b'"username":"', b'"username":"\\udc00'),
    "a long integer": OPEN + b',"x":' + b"9" * 500 + b"}\n",
    "an infinite number": OPEN + b',"x":1e999}\n',
    "a leading zero": OPEN + b',"x":01}\n',
    "a plus": OPEN + b',"x":+1}\n',
    "a body of 150 levels": with_body("[" * 150 + "]" * 150),
    "a body of 9,000 levels": with_body("[" * 9000 + "]" * 9000),
    "a body of 20,000 levels": with_body("[" * 20_000 + "]" * 20_000),
    "nothing": b"\n",
    "white space": b"  \t\n",
    "a carriage return": b"\r\n",
    "a carriage return at the end": LINE[:-1] + b"\r\n",
    "two events after a carriage return": LINE[:-1] + b"\r" + LINE,
    "two events": LINE[:-1] + LINE,
    "two events with a comma": LINE[:-1] + b"," + LINE,
    "NUL in a text": with_text('"verb":"', '"verb":"\0'),
    "NUL at the end": LINE[:-1] + b"\0\n",
    "NUL": b"\0\n",
    "NUL as an escape": with_text('"username":"', '"username":"\\u0000'),
    "a control character": with_text('"verb":"', '"verb":"\x01'),
    "a unit separator": with_text('"verb":"', '"verb":"\x1f'),
    "a record separator": b"\x1e\n",
    "text after the event": LINE[:-1] + b" x\n",
    "a part of an event": LINE[:200] + b"\n",
    "no UTF-8": LINE.replace(b'"username":"', b'"username":"\xff', 1),
    "a surrogate in UTF-8": LINE.replace(b'"username":"', b'"username":"\xed\xa0\x80', 1),
    "no escape of JSON": with_text('"user":{', '"user":{"uid":"\\v",'),
    "no literal of JSON": OPEN + b',"x":tRue}\n',
    "no white space of JSON": OPEN + b',"x":\x0b1}\n',
    "white space between": with_text('"verb":', '"verb": '),
    "no auditID": changed(LINE, auditID=None),
    "a number as verb": changed(LINE, verb=7),
    "a number as username": changed(LINE, user={"username": 7}),
    "a number as group": changed(LINE, user={"username": "x", "groups": ["a", 1]}),
    "a text as groups": changed(LINE, user={"username": "x", "groups": "a"}),
    "a number as name": changed(LINE, objectRef={"resource": "pods", "name": 7, "apiVersion": "v1"}),
    "a month that is none": with_text('"stageTimestamp":"2026-01', '"stageTimestamp":"2026-13'),
    "a level that is none": changed(LINE, level="x"),
    "the level None": changed(LINE, level="None"),
    "a stage that is none": changed(LINE, stage="x"),
    "another apiVersion": changed(LINE, apiVersion="audit.k8s.io/v1beta1"),
    "a list": b"[1]\n",
    "a word": b"hello\n",
    "a text of JSON": b'"x"\n',
}


@pytest.mark.parametrize("name", sorted(ODD))
def test_both_count_the_same_events_and_name_the_same_lines(tmp_path: Path, name: str) -> None:
    good = generated(POLICY)[:6]
    path = tmp_path / "audit.log"
    path.write_bytes(b"".join([*good[:3], ODD[name], *good[3:]]))

    found = replayed(POLICY, path)
    [judged] = reported([path], POLICY, (), in_python)[0]["files"]

    assert found.recorded.events == judged["events"] >= len(good)
    assert bool(found.not_counted) == bool(judged["invalid"])
    # A unit separator ends a column for DuckDB, so the line that Python is given is not found in the file again.
    where = "(the log)" if name == "a unit separator" else ":4"
    assert all(one.where.endswith(where) for one in found.not_counted)
