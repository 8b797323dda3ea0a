"""Falco's checks as conditions on an event. Pure.

Sources in falcosecurity/libs: flt_compare and flt_is_comparable of filter_compare.cpp, compare_nocache and compare_rhs
of sinsp_filtercheck.cpp. A check of a field without a value is false, whatever its operator; ``in`` asks of every value
of a list, ``intersects`` of one; every field of an audit event is text, so that < compares texts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, assert_never

from auditproof.detections.condition import FALSE, TRUE, Condition, Operator, Test, both, either, matches, negated
from auditproof.detections.fields import ANYWHERE, Derived, Field
from auditproof.detections.readers.falco.event_fields import Cases, Clock, Values, Whole, as_text, source_of
from auditproof.detections.readers.falco.patterns import before, glob, path_prefix, posix_regex
from auditproof.detections.readers.falco.syntax import Call, Check, FieldName, Macro, Negated, Several, Syntax
from auditproof.detections.readers.falco.unreadable import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditproof.detections.readers.falco.event_fields import Source

_DEEPEST = 100  # levels, through all macros
_MOST_CHECKS = 5_000  # of a rule, with those of its macros
_MOST_ONE_OF = 10  # values of oneof: each is compared with all others
_PLAIN = {
    "=": Operator.EQUALS,
    "==": Operator.EQUALS,
    "in": Operator.EQUALS,
    "intersects": Operator.EQUALS,
    "contains": Operator.CONTAINS,
    "icontains": Operator.CONTAINS,
    "startswith": Operator.STARTS_WITH,
    "endswith": Operator.ENDS_WITH,
}
_ORDER = {
    "<": Operator.LESS,
    "<=": Operator.LESS_OR_EQUAL,
    ">": Operator.GREATER,
    ">=": Operator.GREATER_OR_EQUAL,
}
_CASES: dict[str, Callable[[str], str]] = {"tolower": str.lower, "toupper": str.upper}
_CODE = re.compile(r"[1-9][0-9]{2}")
_WORD = re.compile(r"[A-Za-z0-9_.-]+")
_VALUE = Field.at("value")


class Translation:
    """Translates the condition of one rule; ``macro`` returns the tree of a macro, or raises Unreadable."""

    def __init__(self, macro: Callable[[str], Syntax]) -> None:
        self._macro = macro
        self._checks = 0
        self._remarks: dict[str, None] = {}

    @property
    def remarks(self) -> tuple[str, ...]:
        """What Falco does otherwise than the rule seems to say."""
        return tuple(self._remarks)

    def condition(self, node: Syntax, level: int = 0, inside: tuple[str, ...] = ()) -> Condition:
        """Return the condition of a tree; ``inside`` are the macros that lead to it.

        Raises Unreadable for what Falco refuses or what has no exact translation.
        """
        if level > _DEEPEST:
            raise Unreadable(f"its condition is nested more than {_DEEPEST} levels deep")
        match node:
            case Several():
                parts = [self.condition(part, level + 1, inside) for part in node.parts]
                return (both if node.is_all else either)(*parts)
            case Negated():
                return negated(self.condition(node.part, level + 1, inside))
            case Macro():
                if node.name in inside:
                    raise Unreadable(f"the macros {', '.join((*inside, node.name))} refer to each other in a circle")
                return self.condition(self._macro(node.name), level + 1, (*inside, node.name))
            case Check():
                self._checks += 1
                if self._checks > _MOST_CHECKS:
                    raise Unreadable(f"its condition has more than {_MOST_CHECKS} checks with those of its macros")
                return self._check(node)
        assert_never(node)

    def _check(self, check: Check) -> Condition:
        operand, transformer = check.operand, ""
        if isinstance(operand, Call):
            transformer, inner = operand.transformer, operand.of
            if transformer not in (*_CASES, "basename") or not isinstance(inner, FieldName):
                raise Unreadable(f"it transforms a field by {transformer}(), for which there is no translation")
            operand = inner
        if check.other is not None:
            what = "with another field" if check.other.transformer == "val" else f"by {check.other.transformer}()"
            raise Unreadable(f"it compares {operand.name} {what}, for which there is no translation")
        source = source_of(operand)
        if source.remark:
            self._remarks[source.remark] = None
        if source.is_list and check.operator not in ("in", "intersects", "exists"):
            raise Unreadable(
                f"Falco refuses {check.operator} on {operand.name}, which is a list: expected in, intersects or exists"
            )
        if check.operator in ("bcontains", "bstartswith"):
            raise Unreadable(f"Falco refuses {check.operator} on {operand.name}, which is text and no buffer of bytes")
        match source:
            case Values():
                if check.operator in _ORDER and source.field.path != ("responseStatus", "code"):
                    self._remarks[f"{operand.name} {check.operator} {check.values[0]} compares texts, not numbers"] = (
                        None
                    )
                return both(source.given, _compared(source, check, transformer))
            case Cases():
                return either(*(both(given, _of_text(text, check, transformer)) for given, text in source.cases))
            case Clock():
                return _of_clock(source, operand.name, check, transformer)
            case Whole():
                return _of_whole(operand.name, check, transformer)
        assert_never(source)


def _compared(source: Values, check: Check, transformer: str) -> Condition:
    """The check of an event's values."""
    if not check.modifier or (check.modifier == "anyof" and check.operator not in ("!=", *_ORDER)):
        return _any_value(source, check.operator, check.values, transformer)
    each = [_any_value(source, check.operator, (value,), transformer) for value in check.values]
    if check.modifier == "anyof" or not each:
        return either(*each)
    if check.modifier == "allof":
        return both(*each)
    if len(each) > _MOST_ONE_OF:
        raise Unreadable(f"oneof has more than {_MOST_ONE_OF} values")
    return either(*(both(one, *(negated(other) for other in each if other is not one)) for one in each))


def _any_value(source: Values, operator: str, values: tuple[str, ...], transformer: str) -> Condition:
    """Whether a value of the event compares with one of ``values``."""
    if operator == "exists":
        return Test(source.field, Operator.EXISTS)
    if operator == "!=":
        is_there = Test(source.field, Operator.EXISTS)
        return both(is_there, negated(_any_value(source, "=", values, transformer)))
    if operator in _ORDER:
        return _ordered(source, operator, values[0], transformer)
    every = source.is_list and operator == "in"
    if transformer == "basename":
        if _PLAIN.get(operator) is not Operator.EQUALS:
            raise Unreadable(f"it compares basename() by {operator}, for which there is no translation")
        regexes = tuple(rf"(?s)\A(?:.*/)?{re.escape(value)}\Z" for value in values if "/" not in value)
        return Test(source.field, Operator.REGEX, regexes, every) if regexes else FALSE
    fold = operator in ("icontains", "iglob")
    if transformer:
        if operator in ("regex", "pmatch") or (operator in ("glob", "iglob") and any("[" in value for value in values)):
            raise Unreadable(f"it compares {transformer}() by {operator}, for which there is no translation")
        in_case = _CASES[transformer]
        values = tuple(value for value in values if fold or value == in_case(value))
        fold = True
    if fold and not all(map(str.isascii, values)):
        raise Unreadable(f"it ignores the case of letters outside ASCII in {', '.join(values)}")
    tests = [_prepared(operator, value) for value in values]
    groups = {prepared: tuple(text for one, text in tests if one is prepared) for prepared, _ in tests}
    return either(*(_test(source, prepared, texts, every, fold) for prepared, texts in groups.items()))


def _prepared(operator: str, value: str) -> tuple[Operator, str]:
    match operator:
        case "regex":
            return Operator.REGEX, posix_regex(value)
        case "pmatch":
            return Operator.REGEX, path_prefix(value)
        case "glob" | "iglob":
            return glob(value)
    return _PLAIN[operator], value


def _test(source: Values, operator: Operator, values: tuple[str, ...], every: bool, fold: bool) -> Condition:
    field = source.field
    if not source.is_scalar:
        # Only a text that looks like JSON can be equal to an object's; any can be inside.
        begins = operator in (Operator.EQUALS, Operator.STARTS_WITH)
        can_be_object = any(
            value[:1] in ("{", "[") or (not value and operator is not Operator.EQUALS) for value in values
        )
        field = as_text(source) if can_be_object or not begins else field
    return Test(field, operator, values, every, fold)


def _ordered(source: Values, operator: str, value: str, transformer: str) -> Condition:
    """By the order of texts, which for the codes of responses is that of numbers."""
    if transformer:
        raise Unreadable(f"it compares {transformer}() by {operator}, for which there is no translation")
    if source.field.path == ("responseStatus", "code") and _CODE.fullmatch(value):
        return Test(source.field, _ORDER[operator], (value,))
    is_there = Test(source.field, Operator.EXISTS)
    is_equal = _any_value(source, "=", (value,), "")
    is_less = _test(source, Operator.REGEX, (before(value),), every=False, fold=False)
    match operator:
        case "<":
            return is_less
        case "<=":
            return either(is_less, is_equal)
        case ">":
            return both(is_there, negated(either(is_less, is_equal)))
    return both(is_there, negated(is_less))


def _of_text(text: str, check: Check, transformer: str) -> Condition:
    """The check of a text that is known."""
    return TRUE if matches(_compared(Values(_VALUE), check, transformer), {"value": text}) else FALSE


def _of_clock(source: Source, name: str, check: Check, transformer: str) -> Condition:
    """The check of a positive integer, as far as every such integer gives the same."""
    assert isinstance(source, Clock)
    if not transformer and not check.modifier:
        if check.operator == "exists":
            return TRUE
        numbers = [_number(value) for value in check.values]
        if check.operator in ("=", "==", "!=", "in", "intersects"):
            if all(number is not None and number <= 0 for number in numbers):
                return TRUE if check.operator == "!=" else FALSE
        elif source.is_number and check.operator in _ORDER and numbers[0] is not None:
            number = numbers[0]
            if number <= (1 if check.operator in (">=", "<") else 0):
                return TRUE if check.operator in (">", ">=") else FALSE
    raise Unreadable(f"it compares {name}, which differs each time, with {', '.join(check.values) or 'another value'}")


def _number(value: str) -> int | None:
    try:
        return int(value, 0) if value[:2].lower() == "0x" else int(value)
    except ValueError:
        return None


def _of_whole(name: str, check: Check, transformer: str) -> Condition:
    """The check of the text of the whole event: of words that are inside, because blanks and quotes are Falco's own."""
    if check.operator == "exists" and not transformer:
        return TRUE
    if check.operator not in ("contains", "icontains") or not all(map(_WORD.fullmatch, check.values)):
        raise Unreadable(f"it compares the text of the whole event ({name}) with more than a word that it contains")
    return _compared(Values(Field((ANYWHERE,), Derived.TEXT)), check, transformer)
