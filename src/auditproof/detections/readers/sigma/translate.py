"""Sigma's conditions, as pySigma has parsed them, translated into conditions on events. Pure.

Values are compared without regard to case, except those of regular expressions and the modifier ``cased``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.types import (
    CompareOperators,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaRegularExpressionFlag,
    SigmaString,
    SigmaTimestampPart,
    SpecialChars,
)

from auditproof.detections.condition import Condition, Operator, Test, both, negated
from auditproof.detections.readers.merged import any_of
from auditproof.detections.readers.untranslatable import Untranslatable, checked_regex

if TYPE_CHECKING:
    from auditproof.detections.fields import Field
    from auditproof.detections.readers.event_fields import Names


_ORDERS = {
    CompareOperators.LT: Operator.LESS,
    CompareOperators.LTE: Operator.LESS_OR_EQUAL,
    CompareOperators.GT: Operator.GREATER,
    CompareOperators.GTE: Operator.GREATER_OR_EQUAL,
}
_FLAGS = {
    SigmaRegularExpressionFlag.IGNORECASE: "i",
    SigmaRegularExpressionFlag.MULTILINE: "m",
    SigmaRegularExpressionFlag.DOTALL: "s",
}


def translated(item: Any, names: Names) -> Condition:
    """The condition for a tree of pySigma's. Raises Untranslatable with the reason."""
    if isinstance(item, ConditionAND):
        return both(*(translated(part, names) for part in item.args))
    if isinstance(item, ConditionOR):
        return any_of(translated(part, names) for part in item.args)
    if isinstance(item, ConditionNOT):
        return negated(translated(item.args[0], names))
    if isinstance(item, ConditionFieldEqualsValueExpression):
        return _test(names.field(item.field), item.field, item.value, names)
    if isinstance(item, ConditionValueExpression):
        raise Untranslatable(
            f"it searches for the keyword {_shown(item.value)} in whole events, and search engines differ in what "
            "they search; give the field, as in userAgent|contains"
        )
    raise Untranslatable("its condition is empty")


def _test(field: Field, name: str, value: Any, names: Names) -> Condition:
    match value:
        case SigmaNull():
            return negated(Test(field, Operator.EXISTS))
        case SigmaExists():
            exists = Test(field, Operator.EXISTS)
            return exists if value.exists else negated(exists)
        case SigmaString():
            return _string(field, name, value, names)
        case SigmaTimestampPart():
            raise Untranslatable(f"it compares a part of a time, with {name}|{value.timestamp_part.name.lower()}")
        case SigmaNumber():
            return Test(field, Operator.EQUALS, (str(value.number),))
        case SigmaBool():
            return Test(field, Operator.EQUALS, (str(value.boolean).lower(),), fold=True)
        case SigmaRegularExpression():
            return Test(field, Operator.REGEX, (_regex(value),))
        case SigmaCIDRExpression():
            return Test(field, Operator.IN_NETWORK, (str(value.network),))
        case SigmaCompareExpression():
            if value.op in _ORDERS:
                return Test(field, _ORDERS[value.op], (str(value.number),))
            return negated(Test(field, Operator.EQUALS, (str(value.number),)))
        case SigmaExpansion():
            return any_of(_test(field, name, one, names) for one in value.values)
        case SigmaFieldReference():
            raise Untranslatable(f"it compares the fields {name} and {value.field} with each other")
    raise Untranslatable(f"it compares {name} with a value of the kind {type(value).__name__}")


def _string(field: Field, name: str, value: SigmaString, names: Names) -> Test:
    if value.contains_placeholder():
        raise Untranslatable(f"its value for {name} has a placeholder, {_shown(value)}, which only a pipeline fills in")
    fold = not isinstance(value, SigmaCasedString)
    literal = "".join(part for part in value.s if isinstance(part, str))
    kinds = [SpecialChars.WILDCARD_MULTI if part is SpecialChars.WILDCARD_MULTI else type(part) for part in value.s]
    match kinds:
        case []:
            names.remarks[f"{name} is compared with an empty text; an API server leaves empty fields out"] = None
            return Test(field, Operator.EQUALS, ("",), fold=fold)
        case [kind] if kind is str:
            return Test(field, Operator.EQUALS, (literal,), fold=fold)
        case [SpecialChars.WILDCARD_MULTI, kind] if kind is str:
            return Test(field, Operator.ENDS_WITH, (literal,), fold=fold)
        case [kind, SpecialChars.WILDCARD_MULTI] if kind is str:
            return Test(field, Operator.STARTS_WITH, (literal,), fold=fold)
        case [SpecialChars.WILDCARD_MULTI, kind, SpecialChars.WILDCARD_MULTI] if kind is str:
            return Test(field, Operator.CONTAINS, (literal,), fold=fold)
    pattern = "".join(
        re.sub(r"[*?\\]", r"\\\g<0>", part) if isinstance(part, str) else _WILDCARDS[part]
        for part in value.s
        if isinstance(part, str | SpecialChars)
    )
    return Test(field, Operator.WILDCARD, (pattern,), fold=fold and pattern != "*")


_WILDCARDS = {SpecialChars.WILDCARD_MULTI: "*", SpecialChars.WILDCARD_SINGLE: "?"}


def _regex(value: SigmaRegularExpression) -> str:
    if value.contains_placeholder():
        raise Untranslatable(f"the regular expression {value.regexp} has a placeholder, which only a pipeline fills in")
    flags = "".join(sorted(_FLAGS[flag] for flag in value.flags))
    pattern = f"(?{flags})" * bool(flags) + str(value.regexp)
    checked_regex(pattern)
    return pattern


def _shown(value: Any) -> str:
    return f'"{str(value)[:80]}"'
