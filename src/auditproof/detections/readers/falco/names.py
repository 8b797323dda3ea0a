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
from auditproof.detections.readers.falco.translate import Translation
from auditproof.detections.readers.falco.unreadable import Unreadable
from auditproof.text.suggestion import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from auditproof.detections.condition import Condition
    from auditproof.detections.readers.falco.items import Named

_LONGEST = 1_000_000  # characters of a condition with its lists
_BESIDE = r"[^ \t\n\r(),=]"
_BLANKS = " \t\n\r"
_COMMA = re.compile(rf"[{_BLANKS}]*,")
_LIKE_A_LIST = re.compile(r"[a-zA-Z][a-zA-Z0-9]*(?:_[a-zA-Z0-9]+)+")


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
                if re.search(_alone(name), condition):
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
        for leaf in _leaves_of(tree):
            other = self._macros.get(leaf.name) if isinstance(leaf, Macro) else None
            if other is not None and other.first >= one.last:
                raise Unreadable(
                    f"it refers to the macro {other.name}, which is defined only after it ({other.position})"
                )

    def remarks(self, tree: Syntax, seen: frozenset[str] = frozenset()) -> Iterator[str]:
        """What may be a misspelt name of a list in a condition and its macros: to Falco it is a text like any other."""
        for leaf in _leaves_of(tree):
            if isinstance(leaf, Macro):
                yield from self.remarks(self.macro(leaf.name), seen | {leaf.name}) if leaf.name not in seen else ()
                continue
            for value in filter(_LIKE_A_LIST.fullmatch, leaf.values if leaf.operator in ("in", "intersects") else ()):
                if meant := did_you_mean(value, self._lists):
                    yield f'"{value}" is compared as a text, because no list has this name{meant}'

    def constants(self, tree: Syntax, wanted: Condition = FALSE) -> list[str]:
        """The macros, from the outermost inwards, by which a condition is the same for every event."""
        match tree:
            case Macro():
                return [tree.name, *self.constants(self.macro(tree.name), wanted)]
            case Negated():
                return self.constants(tree.part, TRUE if wanted == FALSE else FALSE)
            case Several():
                for part in tree.parts:
                    is_wanted = Translation(self.macro).condition(part) == wanted
                    if is_wanted and (found := self.constants(part, wanted)):
                        return found
            case Check():
                pass
        return []


def _replaced(condition: str, name: str, items: str) -> str:
    """The condition with the items of a list instead of its name; an empty list takes a comma away with it."""
    parts, at = [], 0
    for found in re.finditer(_alone(name), condition):
        before = condition[at : found.start()]
        at = found.end()
        if items:
            parts += [before, f" {items} "]
        elif before.rstrip(_BLANKS).endswith(","):
            parts.append(f"{before.rstrip(_BLANKS)[:-1]} ")
        else:
            parts.append(before)
            comma = _COMMA.match(condition, at)
            at = comma.end() if comma else at
    return "".join([*parts, condition[at:]])


def _alone(name: str) -> str:
    return rf"(?<!{_BESIDE}){re.escape(name)}(?!{_BESIDE})"


def _leaves_of(tree: Syntax) -> Iterator[Check | Macro]:
    """The checks and the names of macros in a tree."""
    pending = [tree]
    while pending:
        match pending.pop():
            case Check() | Macro() as leaf:
                yield leaf
            case Negated(part):
                pending.append(part)
            case Several(parts):
                pending += reversed(parts)
