"""The lists and macros that conditions refer to. Pure.

Source: rule_loader_compiler.cpp of falcosecurity/falco. Falco replaces the names of lists in the text of a condition
before it parses it, wherever they stand between blanks, parentheses, commas and =, and those of macros in its tree.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from auditproof.detections.condition import FALSE, TRUE
from auditproof.detections.readers.falco.exceptions import quoted
from auditproof.detections.readers.falco.syntax import Check, Macro, Negated, Several, Syntax, parse_condition
from auditproof.detections.readers.falco.unreadable import Unreadable
from auditproof.text.suggestion import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditproof.detections.condition import Condition
    from auditproof.detections.readers.falco.items import Named
    from auditproof.detections.readers.falco.translate import Translation

_LONGEST = 1_000_000  # characters of a condition with its lists
_BESIDE = r"[^ \t\n\r(),=]"
_BLANKS = r"[ \t\n\r]*"


class Names:
    """The lists and macros of all files."""

    def __init__(self, lists: Mapping[str, Named], macros: Mapping[str, Named]) -> None:
        self._lists = lists
        self._macros = macros
        self._items = {name: self._with_inner(each) for name, each in lists.items() if not each.fault}
        self._trees: dict[str, Syntax] = {}

    def _with_inner(self, one: Named) -> list[str]:
        """The items of a list, and those of the lists among them, one level deep as in Falco."""
        found: list[str] = []
        for item in one.items:
            inner = self._lists.get(item)
            found += inner.items if inner is not None and inner.first < one.last else [item]
        return found

    def parsed(self, condition: str) -> Syntax:
        """The tree of a condition, with the items of lists in it. Raises Unreadable if Falco cannot read it."""
        for name, one in self._lists.items():
            if name not in condition:
                continue
            if one.fault:
                if re.search(rf"(?<!{_BESIDE}){re.escape(name)}(?!{_BESIDE})", condition):
                    raise Unreadable(f"the list {name} ({one.position}) cannot be used: {one.fault}")
            else:
                condition = _replaced(condition, name, ", ".join(map(quoted, self._items[name])))
            if len(condition) > _LONGEST:
                raise Unreadable(f"its condition has more than {_LONGEST} characters with its lists")
        return parse_condition(condition)

    def macro(self, name: str) -> Syntax:
        """The tree of a macro. Raises Unreadable if there is none, or if Falco cannot read it."""
        one = self._macros.get(name)
        if one is None:
            raise Unreadable(f'no macro has the name "{name}"{did_you_mean(name, self._macros)}')
        if name not in self._trees:
            try:
                if one.fault:
                    raise Unreadable(one.fault)
                self._trees[name] = self.parsed(one.condition)
                self._check_order(one, self._trees[name])
            except Unreadable as error:
                self._trees.pop(name, None)
                raise Unreadable(f"the macro {name} ({one.position}) cannot be used: {error}") from None
        return self._trees[name]

    def _check_order(self, one: Named, tree: Syntax) -> None:
        """A macro refers only to those that are defined before it, or before it is changed for the last time."""
        for name in _macros_of(tree):
            other = self._macros.get(name)
            if other is not None and other.first >= one.last:
                raise Unreadable(f"it refers to the macro {name}, which is defined only after it ({other.position})")

    def constants(self, tree: Syntax, translation: Translation, wanted: Condition = FALSE) -> list[str]:
        """The macros, from the outermost inwards, by which a condition is the same for every event."""
        match tree:
            case Macro():
                return [tree.name, *self.constants(self.macro(tree.name), translation, wanted)]
            case Negated():
                return self.constants(tree.part, translation, TRUE if wanted == FALSE else FALSE)
            case Several():
                for part in tree.parts:
                    if translation.condition(part) == wanted and (found := self.constants(part, translation, wanted)):
                        return found
            case Check():
                pass
        return []


def _replaced(condition: str, name: str, items: str) -> str:
    """The condition with the items of a list instead of its name; an empty list takes a comma away with it."""
    pattern = rf"(,?){_BLANKS}(?<!{_BESIDE}){re.escape(name)}(?!{_BESIDE}){_BLANKS}(,?)"

    def replacement(found: re.Match[str]) -> str:
        if items:
            return f"{found[1]} {items} {found[2]}"
        return f" {found[2] if found[1] else ''}"

    return re.sub(pattern, replacement, condition)


def _macros_of(tree: Syntax) -> list[str]:
    pending, found = [tree], []
    while pending:
        match pending.pop():
            case Macro(name):
                found.append(name)
            case Negated(part):
                pending.append(part)
            case Several(parts):
                pending += parts
    return found
