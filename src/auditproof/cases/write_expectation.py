"""Writes expectations into the text of a case file; comments, layout and everything else stay as they are. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from auditproof.errors import AuditproofError, NotYaml
from auditproof.kube.yaml.yaml_text import parse_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_BEFORE = ("do", "title", "as", "id")  # the keys that a new expectation can follow, the best first
_BLOCKS = ("|", ">")


class NotWritable(AuditproofError):
    """The text of a case is written in a way in which no expectation can be inserted; the message says what to do."""


def with_expectations(text: str, expected: Mapping[str, str], name: str) -> str:
    """Return the text of a case file called ``name`` with ``expected``: YAML of one line each, by the case's id.

    An expectation that is there already is replaced. Raises NotWritable, with the line of the case.
    """
    try:
        cases = list(_cases(text))
    except yaml.YAMLError as error:
        raise NotWritable(f"{name} cannot be edited: {error}") from None
    end = "\r\n" if "\r\n" in text else "\n"
    changes = [_change(text, node, expected[case], name, end) for case, node in cases if case in expected]
    new = text
    for start, stop, replacement in sorted(changes, reverse=True):
        new = new[:start] + replacement + new[stop:]
    _check(text, new, expected, name)
    return new


def _cases(text: str) -> Iterator[tuple[str, yaml.MappingNode]]:
    """The mappings of the cases by their ids, empty for an id that is merged in; the file has been read, so it is one.

    Raises yaml.YAMLError.
    """
    root = next(iter(yaml.compose_all(text, Loader=yaml.SafeLoader)))
    for key, value in root.value:
        for node in value.value if key.value == "cases" else ():
            yield next((part.value for word, part in node.value if word.value == "id"), ""), node


def _change(text: str, node: yaml.MappingNode, expectation: str, name: str, end: str) -> tuple[int, int, str]:
    """From where to where the text is replaced, and by what."""
    pairs = {key.value: (key, value) for key, value in node.value}
    if "expect" in pairs:
        key, value = pairs["expect"]
        if _is_alias(key, value):
            raise _not_writable(node, expectation, name, "its expectation is an alias")
        return key.end_mark.index, _end(value), f": {expectation}"
    after = next((pairs[key][1] for key in _BEFORE if key in pairs and not _is_alias(*pairs[key])), None)
    if after is None:
        raise _not_writable(node, expectation, name, "its values are aliases")
    at = _end(after)
    if node.flow_style:
        return at, at, f", expect: {expectation}"
    line = text.find("\n", at - 1) + 1  # a text in a block ends with its line
    missing = "" if line else end
    at = line or len(text)
    return at, at, f"{missing}{' ' * node.start_mark.column}expect: {expectation}{end}"


def _is_alias(key: yaml.Node, value: yaml.Node) -> bool:
    return bool(value.start_mark.index < key.start_mark.index)


def _end(node: yaml.Node) -> int:
    """Where the text of a node ends; the mark of a block is behind the comments and empty lines that follow it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


def _not_writable(node: yaml.Node, expectation: str, name: str, why: str) -> NotWritable:
    line = node.start_mark.line + 1
    return NotWritable(f"{name}:{line}: no expectation can be written here, {why}; write it yourself: {expectation}")


def _check(old: str, new: str, expected: Mapping[str, str], name: str) -> None:
    """Whether the new text differs in the expectations alone. Raises NotWritable."""
    wanted: Any = parse_yaml(old.encode(), name).plain()
    for case in wanted["cases"]:
        if case["id"] in expected:
            case["expect"] = parse_yaml(expected[case["id"]].encode(), name).plain()
    try:
        same = parse_yaml(new.encode(), name).plain() == wanted
    except NotYaml:  # an anchor was replaced
        same = False
    if not same:
        cases = ", ".join(expected)
        raise NotWritable(f"{name} cannot be edited: what is written would also change other parts of it ({cases})")
