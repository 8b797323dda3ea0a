"""A text as the YAML or JSON documents in it, each value with its place in the whole text."""

from __future__ import annotations

import codecs
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.errors import NotYaml
from auditproof.kube.yaml.json_text import parse_json
from auditproof.kube.yaml.yaml_text import Mapping, Node, parse_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

_LARGE = 64 * 1024  # characters of a document that is read whatever it holds
MOST_BYTES = 16 * 1024 * 1024  # of a file that is looked into: nobody keeps a policy in a larger one
_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")  # what ends a line in YAML 1.1
_MARK = re.compile(r"---(\s|$)")
_END = re.compile(r"\.\.\.(\s|$)")
_NOTHING = re.compile(r"\s*(#|$)|%")


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a text; ``number`` counts from 1, ``text`` is its own text, which begins on ``first_line``."""

    number: int
    first_line: int
    text: str
    root: Node


def text_of(data: bytes) -> str | None:
    """The bytes of a file as text; None where they are too many, or no text."""
    if len(data) > MOST_BYTES:
        return None
    encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    with suppress(UnicodeDecodeError):
        return data.decode(encoding)
    return None


def lines_of(text: str) -> list[str]:
    """The lines of a text as YAML counts them, without their line breaks."""
    return _BREAK.split(text)


def documents(text: str, path: str, *, worth: re.Pattern[str]) -> list[Document]:
    """The documents of a text, without those that cannot be read, and large ones that ``worth`` is not found in."""
    found = []
    begins = [0, *(match.end() for match in _BREAK.finditer(text)), len(text)]
    for number, first, last in _chunks(lines_of(text)):
        chunk = text[begins[first - 1] : begins[last]]
        # Parsing takes long for a large document, which without these signs holds no policy.
        root = _parse(chunk, first, path) if len(chunk) < _LARGE or worth.search(chunk) else None
        if root is not None:
            found.append(Document(number, first, chunk, root))
    return found


def _chunks(lines: list[str]) -> Iterator[tuple[int, int, int]]:
    """Number, first and last line of each document that holds anything."""
    number, first, has_content = 0, 1, False
    for at, line in enumerate(lines, 1):
        begins, ends = _MARK.match(line), _END.match(line)
        if begins or ends:
            if has_content:
                number += 1
                yield number, first, at - 1
            first, has_content = at, bool(begins) and not _NOTHING.match(line[3:])
        else:
            has_content = has_content or not _NOTHING.match(line)
    if has_content:
        yield number + 1, first, len(lines)


def _parse(chunk: str, first: int, path: str) -> Node | None:
    """The value of a document whose first line is ``first``; blank lines before it keep the places right."""
    padded = ("\n" * (first - 1) + chunk).encode(errors="surrogatepass")
    # Such a text is JSON in most cases, but may be a flow mapping of YAML.
    if chunk.lstrip().startswith("{"):
        with suppress(NotYaml):
            return parse_json(padded, path)
    with suppress(NotYaml):
        return parse_yaml(padded, path)
    return None


def child(node: Node, *path: str | int) -> Node | None:
    """The value on ``path``, if there is one."""
    for step in path:
        value = node.value
        if isinstance(value, Mapping) and isinstance(step, str) and step in value.entries:
            node = value.entries[step]
        elif isinstance(value, tuple) and isinstance(step, int) and step < len(value):
            node = value[step]
        else:
            return None
    return node


def text_at(node: Node, *path: str | int) -> str:
    """The string on ``path``; empty where there is none."""
    found = child(node, *path)
    return found.value if found is not None and isinstance(found.value, str) else ""
