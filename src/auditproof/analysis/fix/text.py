"""Edits of a policy in the text of its file: all else, comments and line ends included, stays as it is. Pure."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any

import yaml

from auditproof.analysis.fix.edits import Inserted, Removed
from auditproof.audit.stages import in_order
from auditproof.errors import AuditproofError
from auditproof.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from auditproof.analysis.fix.edits import Edit
    from auditproof.analysis.requirements import Requirement
    from auditproof.audit.policy.load import PolicyRule

_DASH = re.compile(r"\s*-\s+")
_SINGLE = re.compile(r"'([^'\"\\]*)'")  # as policies are usually written: in double quotes
_WIDTH = 100
HOW = 'write the rules as a list with one "- " per rule'


class NotEditable(AuditproofError):
    """The text of a policy is written in a way in which no rule can be inserted; the message says what to do."""


def edited(text: str, edits: Sequence[Edit], name: str) -> str:
    """The text of a policy called ``name`` with the edits; a comment says which requirement each is for.

    Raises NotEditable if the rules are not a list with one ``-`` per rule.
    """
    if text.splitlines() != re.split(r"\r?\n", text.removesuffix("\n").removesuffix("\r")):
        raise NotEditable(f"{name} cannot be edited: it has line breaks that a patch does not know, such as U+2028")
    rules = _rule_nodes(text, name)
    lines = text.splitlines(keepends=True)
    end = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    changes: list[tuple[int, int, str]] = []  # from, to, and what replaces that
    for edit in edits:
        if isinstance(edit, Removed):
            first, last = _item_line(lines, rules[edit.rule], name), _last_line(rules[edit.rule])
            changes.append((starts[first], starts[last + 1], ""))
            continue
        if isinstance(edit, Inserted):
            node = rules[min(edit.before, len(rules) - 1)]
            at = _first_line(lines, node, name) if edit.before < len(rules) else _last_line(node) + 1
            new = [_comment(edit.requirement), *(line for rule in edit.rules for line in _rule_lines(rule))]
            if 0 < at < len(lines) and not lines[at - 1].strip():
                new.append("")  # the rules are set apart by empty lines
        else:
            node = rules[edit.rule]
            key = next(value for key, value in node.value if key.value == "level")
            stages = ", ".join(in_order(edit.omit_stages))
            level = str(edit.level)
            if stages and all(name.value != "omitStages" for name, _ in node.value):
                between = ", " if node.flow_style else f"{end}{' ' * node.start_mark.column}"
                level += f"{between}omitStages: [{stages}]"
            changes.append((key.start_mark.index, key.end_mark.index, level))
            at = _item_line(lines, node, name)
            new = [_comment(edit.requirement, f"{edit.level}, before: {key.value}")]
        item = lines[_item_line(lines, node, name)]
        indent = item[: len(item) - len(item.lstrip())]
        before = "" if at < len(lines) or lines[-1].endswith(("\n", "\r")) else end
        changes.append((starts[at], starts[at], before + "".join(f"{indent if one else ''}{one}{end}" for one in new)))
    changes.sort(key=lambda change: change[0])
    for start, stop, replacement in reversed(changes):
        text = text[:start] + replacement + text[stop:]
    return text


def _rule_nodes(text: str, name: str) -> list[yaml.MappingNode]:
    """The mappings of the rules, each with its places in the text."""
    try:
        root = next(iter(yaml.compose_all(text, Loader=yaml.SafeLoader)), None)
    except yaml.YAMLError:
        raise NotEditable(f"{name} cannot be edited: {HOW}") from None
    entries = root.value if isinstance(root, yaml.MappingNode) else []
    rules = [value for key, value in entries if key.value == "rules"]
    if not rules or not isinstance(rules[-1], yaml.SequenceNode) or rules[-1].flow_style:
        raise NotEditable(f"{name} cannot be edited: its rules are in brackets, as in JSON; {HOW}")
    nodes: list[yaml.MappingNode] = rules[-1].value
    lines = [node.start_mark.line for node in nodes]
    if lines != sorted(set(lines)) or not all(isinstance(node, yaml.MappingNode) for node in nodes):
        raise NotEditable(f"{name} cannot be edited: a rule is an alias of another one, or shares its line; {HOW}")
    return nodes


def _item_line(lines: list[str], node: yaml.MappingNode, name: str) -> int:
    """The line with the dash of a rule."""
    line = int(node.start_mark.line)
    if _DASH.fullmatch(lines[line][: node.start_mark.column]):
        return line
    if line > 0 and lines[line - 1].strip() == "-":
        return line - 1
    raise NotEditable(f'{name}:{line + 1}: no rule can be inserted here: begin each rule with "- " on its first line')


def _first_line(lines: list[str], node: yaml.MappingNode, name: str) -> int:
    """The line in front of which a rule is inserted: above the comments that belong to the rule of ``node``."""
    line = _item_line(lines, node, name)
    while line > 0 and lines[line - 1].strip().startswith("#"):
        line -= 1
    return line


def _last_line(node: yaml.Node) -> int:
    """The last line of a node."""
    if not isinstance(node, yaml.CollectionNode) or node.flow_style:
        return int(node.end_mark.line)
    parts = [part for item in node.value for part in (item if isinstance(item, tuple) else (item,))]
    return max([int(node.start_mark.line), *map(_last_line, parts)])


def _comment(requirement: Requirement, change: str = "") -> str:
    return printable(f"# {requirement.id}: {change or requirement.title}")


def _rule_lines(rule: PolicyRule) -> list[str]:
    """A rule as an item of a list."""
    fields: dict[str, Any] = {
        "level": str(rule.level),
        "users": list(rule.users),
        "userGroups": list(rule.user_groups),
        "verbs": list(rule.verbs),
        "resources": [_entry(entry.group, entry.resources, entry.resource_names) for entry in rule.resources],
        "namespaces": list(rule.namespaces),
        "nonResourceURLs": list(rule.non_resource_urls),
        "omitStages": [str(stage) for stage in in_order(rule.omit_stages)],
    }
    given = {key: value for key, value in fields.items() if value}
    if rule.omit_managed_fields is not None:
        given["omitManagedFields"] = rule.omit_managed_fields
    text = yaml.safe_dump(given, sort_keys=False, allow_unicode=True, width=_WIDTH, default_flow_style=None)
    lines = _SINGLE.sub(r'"\1"', text).splitlines()
    return [f"{'- ' if n == 0 else '  '}{line}" for n, line in enumerate(lines)]


def _entry(group: str, resources: Iterable[str], names: Iterable[str]) -> dict[str, Any]:
    entry: dict[str, Any] = {"group": group, "resources": list(resources), "resourceNames": list(names)}
    return {key: value for key, value in entry.items() if value or key == "group"}


def unified(old: str, new: str, path: str) -> str:
    """The change of a file as a patch that ``git apply`` and ``patch -p1`` accept; empty if there is none."""
    lines = difflib.unified_diff(
        old.splitlines(keepends=True), new.splitlines(keepends=True), f"a/{path}", f"b/{path}", lineterm="\n"
    )
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def within(document: str, text: str, new: str, first_line: int, name: str) -> str:
    """``document``, which has ``text`` indented from ``first_line`` on, with ``new`` in its place.

    Raises NotEditable if the lines of ``text`` are not the lines there, each indented alike.
    """
    lines, old, after = (some.splitlines(keepends=True) for some in (document, text, new))
    there = lines[first_line - 1 : first_line - 1 + len(old)]
    head = next((line for line in old if line.strip()), "")
    place = next((line for line in there if line.strip()), "")
    indent = place[: len(place) - len(place.lstrip())].removesuffix(head[: len(head) - len(head.lstrip())])

    def indented(line: str) -> str:
        return indent + line if line.strip() else line

    if len(there) != len(old) or any(
        its.rstrip() != indented(mine).rstrip() for mine, its in zip(old, there, strict=True)
    ):
        raise NotEditable(f"{name} is not written line by line in its document: edit it there")
    changed: list[str] = []
    for tag, first, last, start, stop in difflib.SequenceMatcher(None, old, after, autojunk=False).get_opcodes():
        changed += there[first:last] if tag == "equal" else map(indented, after[start:stop])
    return "".join([*lines[: first_line - 1], *changed, *lines[first_line - 1 + len(old) :]])
