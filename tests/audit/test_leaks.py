"""A secret is found however it is written down, and chance is not taken for one."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditproof.audit.event import AuditEvent, Level, Stage
from auditproof.audit.leaks import disguises, leaks

GO = {ord("&"): "\\u0026", ord("<"): "\\u003c", ord(">"): "\\u003e"}
SECRET = 'c4n4ry & "quoted" <é>/+~'


def event(**fields: object) -> AuditEvent:
    return AuditEvent("id-1", Level.METADATA, Stage.RESPONSE_COMPLETE, fields, "audit.log", 120)


def found(**fields: object) -> list[str]:
    return [leak.disguise for leak in leaks([event(**fields)], SECRET)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("as it is", f"before {SECRET} after"),
        ("in an applied annotation", json.dumps({"data": {"a": SECRET}}, ensure_ascii=False)),
        ("in an annotation of Go's", json.dumps({"a": SECRET}, ensure_ascii=False).translate(GO)),
        ("in an annotation in ASCII", json.dumps({"a": SECRET})),
        ("in a query", f"/exec?command={quote(SECRET, safe='')}"),
        ("in a form", f"/exec?command={quote_plus(SECRET)}"),
        ("in hexadecimal", SECRET.encode().hex()),
    ],
)
def test_a_secret_is_found(name: str, text: str) -> None:
    assert found(value=text), name
    assert found(nested=[{text: 1}]), f"{name}, as a key"


@given(before=st.binary(max_size=9), after=st.binary(max_size=9), safe=st.booleans())
def test_a_secret_is_found_in_base64_wherever_it_begins(before: bytes, after: bytes, *, safe: bool) -> None:
    """The letters of base64 depend on the position of the secret within the encoded text."""
    encode = base64.urlsafe_b64encode if safe else base64.b64encode
    assert found(data=encode(before + SECRET.encode() + after).decode())


def go_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False).translate(GO)


@pytest.mark.parametrize("line", [go_json({"a": SECRET}), go_json({"a": go_json({"b": SECRET})})])
def test_a_secret_is_found_in_the_bytes_of_a_line(line: str) -> None:
    """The line is searched as well as the decoded event, which may lack a part of it."""
    unread = AuditEvent("id-1", Level.METADATA, Stage.RESPONSE_COMPLETE, {}, line=line.encode())

    assert [leak.event for leak in leaks([unread], SECRET)] == [unread]


def test_a_secret_is_found_however_json_writes_it() -> None:
    line = '{"a": "' + "".join(f"\\u{ord(char):04X}" for char in SECRET) + '"}'
    read = AuditEvent("id-1", Level.METADATA, Stage.RESPONSE_COMPLETE, json.loads(line), line=line.encode())

    assert [leak.event for leak in leaks([read], SECRET)] == [read]


def test_what_is_not_there_is_not_found() -> None:
    """A part of the secret, plain or in base64, is no leak."""
    assert found(value=SECRET[1:], data=base64.b64encode(SECRET[:-2].encode()).decode()) == []


def test_a_leak_says_where_it_is() -> None:
    who = {"user": {"username": "alice"}, "verb": "get", "objectRef": {"resource": "pods", "subresource": "log"}}
    (leak,) = leaks([event(value="nothing"), event(value=SECRET, **who)], SECRET)
    said = "Audit-ID id-1 (alice, get pods/log, ResponseComplete at Metadata) contains the secret as it is"
    assert str(leak) == f"audit.log, byte 120: {said}"


def test_a_short_secret_is_refused() -> None:
    """Too few unambiguous letters would find the secret by coincidence."""
    with pytest.raises(ValueError, match="at least 12 bytes"):
        disguises("short")
