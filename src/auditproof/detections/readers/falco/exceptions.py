"""The exceptions of a rule, as the text that Falco appends to its condition. Pure.

Sources in userspace/engine of falcosecurity/falco: read_rule_exceptions of rule_loader_reader.cpp,
validate_exception_info of rule_loader_collector.cpp, build_rule_exception_infos of rule_loader_compiler.cpp.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from auditproof.detections.readers.falco.unreadable import Unreadable
from auditproof.kube.yaml.yaml_text import Mapping

if TYPE_CHECKING:
    from auditproof.kube.yaml.yaml_text import Node

_OF_LISTS = ("in", "intersects", "pmatch")
_MODIFIERS = ("oneof", "anyof", "allof")
_OPERATORS = frozenset({
    "exists", "=", "==", "!=", "<=", "<", ">=", ">", "glob", "iglob", "contains", "icontains", "bcontains",
    "startswith", "bstartswith", "endswith", "regex", *_OF_LISTS,
})  # fmt: skip
Entry = str | tuple["Entry", ...]


@dataclass(slots=True)
class RuleException:
    """An exception: one field, or several of which each row of ``values`` has a value."""

    name: str
    fields: Entry
    comps: Entry
    values: list[Entry] = field(default_factory=list)


def read_exceptions(node: Node, before: dict[str, RuleException] | None) -> dict[str, RuleException]:
    """Return the exceptions of a rule by name; ``before`` has those to which these are appended.

    Raises Unreadable for what Falco refuses.
    """
    found = dict(before or {})
    if node.value is None:
        return found
    if not isinstance(node.value, tuple):
        raise Unreadable("its exceptions are no list")
    for each in node.value:
        entries = each.value.entries if isinstance(each.value, Mapping) else {}
        name = entries["name"].value if "name" in entries else None
        if not isinstance(name, str) or not name:
            raise Unreadable("one of its exceptions has no name")
        rows = entries["values"].value if "values" in entries else ()
        if not isinstance(rows, tuple):
            raise Unreadable(f"the values of its exception {name} are no list")
        values = [_entry(row, name) for row in rows]
        known = found.get(name) if before is not None else None
        if known is None:
            if "fields" not in entries:
                raise Unreadable(f"its exception {name} has no fields")
            comps = _entry(entries["comps"], name) if "comps" in entries else None
            found[name] = _valid(name, _entry(entries["fields"], name), comps, values)
        elif "fields" in entries or "comps" in entries:
            raise Unreadable(f"its exception {name} is appended to with fields or comps; only values can be")
        else:
            found[name] = RuleException(name, known.fields, known.comps, [*known.values, *values])
    return found


def _entry(node: Node, name: str, level: int = 0) -> Entry:
    if isinstance(node.value, str) and node.value:
        return node.value
    if not isinstance(node.value, tuple) or level > 2:
        raise Unreadable(f"its exception {name} has something else than texts and lists of texts")
    return tuple(_entry(each, name, level + 1) for each in node.value)


def _valid(name: str, fields: Entry, comps: Entry | None, values: list[Entry]) -> RuleException:
    if isinstance(fields, str):
        comp = "in" if comps is None else comps
        if not isinstance(comp, str) or not (comp.strip() in _OF_LISTS or _has_modifier(comp)):
            raise Unreadable(f"its exception {name} has one field; expected comps: in, intersects or pmatch")
        return RuleException(name, fields, comp.strip(), values)
    comps = tuple("=" for _ in fields) if comps is None else comps
    if isinstance(comps, str) or len(comps) != len(fields):
        raise Unreadable(f"its exception {name} has not as many comps as fields")
    for comp in (*comps, *fields):
        if not isinstance(comp, str):
            raise Unreadable(f"its exception {name} has a list inside its comps or fields")
    trimmed = tuple(str(comp).strip() for comp in comps)
    for each in trimmed:
        if each not in _OPERATORS and not _has_modifier(each):
            raise Unreadable(f'its exception {name} has the operator "{each}", which Falco does not have')
    return RuleException(name, fields, trimmed, values)


def _has_modifier(comp: str) -> bool:
    operator, _, modifier = comp.strip().partition(" ")
    return modifier.strip() in _MODIFIERS and operator in _OPERATORS - {"exists", *_OF_LISTS}


def with_exceptions(condition: str, exceptions: dict[str, RuleException]) -> str:
    """The condition of a rule, and none of its exceptions. Raises Unreadable for rows that do not fit the fields."""
    excluded = [text for each in exceptions.values() if (text := _text(each))]
    return " and not ".join([f"({condition})", *excluded]) if excluded else condition


def _text(exception: RuleException) -> str:
    fields, comps = exception.fields, exception.comps
    if isinstance(fields, str) or isinstance(comps, str):
        for row in exception.values:
            if not isinstance(row, str):
                raise Unreadable(
                    f"its exception {exception.name} has one field; expected a list of texts as its values"
                )
        values = ", ".join(quoted(str(row)) for row in exception.values)
        return f"({fields} {comps} ({values}))" if values else ""
    rows = []
    for row in exception.values:
        if isinstance(row, str) or len(row) != len(fields):
            raise Unreadable(f"its exception {exception.name} has values that are not as many as its fields")
        checks = zip(fields, comps, row, strict=True)
        rows.append(" and ".join(f"{one} {comp} {_value(str(comp), value)}" for one, comp, value in checks))
    return f"({' or '.join(f'({row})' for row in rows)})" if rows else ""


def _value(comp: str, value: Entry) -> str:
    if not isinstance(value, str):
        return f"({', '.join(quoted(str(each)) for each in value)})"
    if comp in _OF_LISTS or " " in comp:
        return value if value.startswith("(") else f"({value})"
    return quoted(value)


def quoted(item: str) -> str:
    """An item of a list as Falco puts it into a condition: in quotes only if it has a blank in it."""
    return f'"{item}"' if " " in item and item[0] not in "\"'" else item
