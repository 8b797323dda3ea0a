"""The text of a value as the file has it: which lines and columns of the file the lines of the text are.

Nothing is taken for granted: a text counts as literal only where every line of it is found in the file as it is.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.audit.policy.decode import read_text
from auditproof.errors import PolicyRefused
from auditproof.kube.yaml.yaml_text import Mapping

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditproof.kube.yaml.yaml_text import Node

_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)*")  # an anchor and a tag, before the value
_OTHER_BREAKS = re.compile("[\r\x85\u2028\u2029]")
_CONTENT = re.compile(r"\s*[^\s#]")


@dataclass(frozen=True, slots=True)
class LocatedText:
    """A text, and where the file has it (see Place); ``first_line`` is None where it is not there literally."""

    text: str
    first_line: int | None = None
    shifts: tuple[int, ...] = (0,)


def text_of_string(node: Node, lines: Sequence[str]) -> LocatedText:
    """The text of a string in a file of these lines."""
    text = str(node.value)
    line, column = node.position.line, node.position.column
    start = lines[line - 1][column - 1 :] if line <= len(lines) else ""
    properties = _PROPERTIES.match(start)
    skipped = properties.end() if properties else 0
    style = start[skipped : skipped + 1]
    if _OTHER_BREAKS.search(text):
        return LocatedText(text)
    if style in ("|", ">"):
        return _block(text, line + 1, lines)
    if style in ("'", '"'):
        return _quoted(text, line, column + skipped, lines)
    return LocatedText(text)


def _block(text: str, first: int, lines: Sequence[str]) -> LocatedText:
    """A block scalar: each line is the file's, less the indentation of the block."""
    inner = text.split("\n")
    inner = inner if inner[-1] else inner[:-1]
    outer = lines[first - 1 : first - 1 + len(inner)]
    indent = next((len(there) - len(here) for here, there in zip(inner, outer, strict=False) if here), 0)
    margin = " " * indent
    for here, there in zip(inner, outer, strict=False):
        # A folded scalar joins lines: then the text is not what the file has there.
        if there != margin + here and (here or there.strip(" ")):
            return LocatedText(text)
    return LocatedText(text, first, (indent,)) if inner and len(outer) == len(inner) else LocatedText(text)


def _quoted(text: str, line: int, column: int, lines: Sequence[str]) -> LocatedText:
    r"""A quoted string in one line without escapes, or in several that each end with ``\n\``."""
    quote, start = lines[line - 1][column - 1], lines[line - 1][column:]
    if start.startswith(text + quote) and "\n" not in text:
        return LocatedText(text, line, (column,))
    shifts: list[int] = []
    inner = text.removesuffix("\n").split("\n")
    for here, there in zip(inner, lines[line - 1 :], strict=False):
        shift = len(there) - len(there.lstrip(" ")) if shifts else column
        shift += there.startswith("\\ ", shift)
        is_last = len(shifts) == len(inner) - 1
        rest = there[shift + len(here) :]
        ends = rest.startswith(('"', '\\n"')) if is_last else rest == "\\n\\"
        if not ends or not there.startswith(here, shift) or "\\" in here or '"' in here:
            return LocatedText(text)
        shifts.append(shift)
    return LocatedText(text, line, tuple(shifts)) if len(shifts) == len(inner) else LocatedText(text)


def text_of_object(node: Node, lines: Sequence[str]) -> LocatedText:
    """An object as a text of its own: its lines without the indentation, or as JSON where that means something else."""
    line, column = node.position.line, node.position.column
    taken = [lines[line - 1][column - 1 :]]
    margin = " " * (column - 1)
    last = 1
    for there in lines[line:]:
        if there.startswith(margin):
            taken.append(there[column - 1 :])
        elif not there.strip() or there.lstrip().startswith("#"):
            taken.append("")
            continue
        else:
            break
        last = len(taken) if _CONTENT.match(there) or taken[-1].lstrip().startswith("#") else last
    text = "\n".join(taken[:last]) + "\n"
    try:
        # Parsed again, because an alias, for example, may refer to an anchor outside of these lines.
        same = read_text(text.encode(errors="surrogatepass"), "").root.plain() == node.plain()
    except PolicyRefused:
        same = False
    return LocatedText(text, line, (column - 1,)) if same else LocatedText(json.dumps(node.plain(), indent=2) + "\n")


def with_type(held: LocatedText, node: Node, api_version: str, kind: str) -> LocatedText:
    """The text of an object with its apiVersion and kind, which are added behind it where it has none.

    Such text is JSON where the object is.
    """
    mapping = node.value
    if not isinstance(mapping, Mapping) or {"apiVersion", "kind"} & mapping.entries.keys():
        return held
    if held.first_line is None or held.text.lstrip().startswith("{"):
        return LocatedText(json.dumps({"apiVersion": api_version, "kind": kind, **node.plain()}, indent=2) + "\n")
    return LocatedText(f"{held.text}apiVersion: {api_version}\nkind: {kind}\n", held.first_line, held.shifts)
