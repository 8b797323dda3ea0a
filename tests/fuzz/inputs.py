"""Inputs for parsers: real files with a few things changed, as text and as a tree, and tokens in no order."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import yaml
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hypothesis.strategies import DrawFn, SearchStrategy

DEEP = 400  # levels: more than Python's stack bears together with a test's own
_CONFUSING: tuple[Any, ...] = (
    None, True, False, 0, -1, 200, 2**31, 2**63, 2**64, 1.5, -0.0, 1e308, float("inf"), "", " ", "x", "*",
    "/", "..", "~nobody/x", "~",
    "null", "true", "1.37", "a\nb", "\x00", "\x1b[31m", "\u202e", "\ud800", "\U0001f600", "é", "::error::x",
    "<b>", "${x}",
    [], {}, [None], [[]], [{}], {"": None}, {"x": []}, ["x", 1], "x" * 5000, ["x"] * 300,
)  # fmt: skip
_TOKENS = (
    b"{", b"}", b"[", b"]", b":", b": ", b",", b"-", b"- ", b"\n", b"\r\n", b"\r", b"\t", b" ", b"  ", b'"',
    b"'", b"\\",
    b"#", b"&a ", b"*a", b"<<: ", b"!!str ", b"!!binary ", b"!", b"|\n", b">\n", b"? ", b"---\n", b"...\n",
    b"%YAML 1.1\n",
    b"null", b"true", b"~", b"0x", b"1e999", b"-.inf", b".nan", b"NaN", b"0", b"99999999999999999999", b"2026-02-30",
    b"\x00", b"\x1b[31m", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\\ud800", b"\\u0000",
    b"\xfe\xff", b"%2F", b"%", b"?", b"&", b"=", b"/", b"//", b"..", b";", b"\x1f\x8b", b"{" * DEEP, b"[" * DEEP * 4,
    b'{"a":' * DEEP, b"- " * DEEP, b"auditproof: ignore AP101 because x",
)  # fmt: skip


def inputs(seeds: Sequence[bytes], documents: Sequence[Any], write: Callable[[Any], bytes]) -> SearchStrategy[bytes]:
    """Bytes out of ``seeds`` with other bytes, ``documents`` with other values (written by ``write``), or tokens."""
    return st.one_of(_edited(_one_of(seeds)), confused(documents).map(write), _edited(_tokens()))


def _one_of(many: Sequence[Any]) -> SearchStrategy[Any]:
    """As sampled_from, which would write all of them into a message."""
    return st.integers(0, len(many) - 1).map(lambda number: many[number])


def _tokens() -> SearchStrategy[bytes]:
    return st.lists(st.sampled_from(_TOKENS), max_size=12).map(b"".join)


@st.composite
def _edited(draw: DrawFn, seeds: SearchStrategy[bytes]) -> bytes:
    data = draw(seeds)
    for _ in range(draw(st.integers(0, 4))):
        begin = draw(st.integers(0, len(data)))
        end = draw(st.integers(begin, min(len(data), begin + 40)))
        part = draw(
            st.one_of(st.just(b""), st.sampled_from(_TOKENS), st.just(data[begin:end] * 2), st.binary(max_size=3))
        )
        data = data[:begin] + part + data[end:]
    return data[: draw(st.integers(0, len(data)))] if draw(st.integers(0, 9)) == 9 else data


@st.composite
def confused(draw: DrawFn, documents: Sequence[Any]) -> Any:
    """One of ``documents`` in which some values are of another type, or some keys others."""
    document = copy.deepcopy(draw(_one_of(documents)))
    for _ in range(draw(st.integers(1, 3))):
        parents = _containers(document)
        if not parents:
            return draw(st.sampled_from(_CONFUSING))
        parent = draw(st.sampled_from(parents))
        value = draw(_values())
        if isinstance(parent, list):
            place = draw(st.integers(0, len(parent)))
            parent[place : place + draw(st.integers(0, 1))] = [value]
        elif parent and draw(st.booleans()):
            parent[draw(st.sampled_from(list(parent)))] = value
        else:
            parent[draw(st.sampled_from(["", "x", "Level", "a[0]", "\ud800", "<<", "null", *_KEYS]))] = value
    return document


def _values() -> SearchStrategy[Any]:
    return st.sampled_from(_CONFUSING).map(copy.deepcopy) | st.integers(1, DEEP).map(nested)


def nested(levels: int) -> Any:
    """Lists in objects in lists."""
    value: Any = 1
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


_KEYS = ("level", "rules", "user", "users", "cases", "as", "do", "expect", "metadata", "name", "data", "code", "kind")


def _containers(document: Any) -> list[Any]:
    found, pending = [], [document]
    while pending and len(found) < 200:
        each = pending.pop(0)
        if isinstance(each, list | dict):
            found.append(each)
            pending += each.values() if isinstance(each, dict) else each
    return found


def as_json(document: Any) -> bytes:
    """JSON, which YAML is, too; what JSON has no word for is written as Python writes it."""
    return json.dumps(document).encode()


def as_yaml(document: Any) -> bytes:
    """YAML in blocks; JSON where PyYAML cannot write it."""
    try:
        return yaml.safe_dump(document, sort_keys=False, allow_unicode=True).encode()
    except (RecursionError, ValueError, yaml.YAMLError):
        return as_json(document)
