"""The condition of a detection rule: tests of an event's fields, combined by and, or and not. Pure.

Every reader translates the language of its rules into this one, so what a rule needs and whether it fires is computed
once. A test of a field that an event lacks is false, whatever the operator, and its negation is true; a language in
which that differs is translated with an EXISTS.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.detections.fields import Field


class Operator(StrEnum):
    """How a value of an event is compared with one of the rule; numbers and booleans by their JSON text."""

    EQUALS = "="
    STARTS_WITH = "starts with"
    ENDS_WITH = "ends with"
    CONTAINS = "contains"
    WILDCARD = "matches wildcard"  # * for any characters, ? for one, \ in front of a literal one
    REGEX = "matches regex"  # found anywhere, as by re.search
    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="
    IN_NETWORK = "is in network"  # an IP address, in CIDR notation
    EXISTS = "exists"


@dataclass(frozen=True, slots=True)
class Test:
    """Whether a value of ``field`` compares with one of ``values`` as ``operator`` says; EXISTS takes no values.

    ``every``: all values of the field must, and there is at least one. ``fold``: letters of both cases are the same.

    >>> from auditproof.detections import Field, Operator, Test, matches
    >>> test = Test(Field.at("verb"), Operator.EQUALS, ("create", "update"))
    >>> matches(test, {"verb": "update"}), matches(test, {"verb": "get"}), matches(test, {})
    (True, False, False)
    """

    __test__ = False  # pytest collects no class of this name

    field: Field
    operator: Operator
    values: tuple[str, ...] = ()
    every: bool = False
    fold: bool = False

    def accepts(self, value: Any) -> bool:
        """Whether one value of an event compares as the test asks."""
        if self.operator is Operator.EXISTS:
            return True
        if isinstance(value, (dict, list)):
            return self.operator is Operator.WILDCARD and "*" in self.values
        text = text_of(value)
        return any(_compares(self.operator, text, one, self.fold) for one in self.values)

    def __str__(self) -> str:
        if self.operator is Operator.EXISTS:
            return f"{self.field} exists"
        given = self.values[0] if len(self.values) == 1 else f"one of {', '.join(self.values)}"
        return f"{'every ' if self.every else ''}{self.field} {self.operator} {given}"


@dataclass(frozen=True, slots=True)
class And:
    """True if all ``parts`` are; without parts, true."""

    parts: tuple[Condition, ...] = ()

    def __str__(self) -> str:
        return " and ".join(f"({part})" if isinstance(part, Or) else str(part) for part in self.parts) or "true"


@dataclass(frozen=True, slots=True)
class Or:
    """True if one of ``parts`` is; without parts, false."""

    parts: tuple[Condition, ...] = ()

    def __str__(self) -> str:
        return " or ".join(f"({part})" if isinstance(part, And) else str(part) for part in self.parts) or "false"


@dataclass(frozen=True, slots=True)
class Not:
    """True if ``part`` is not."""

    part: Condition

    def __str__(self) -> str:
        return f"not {self.part}" if isinstance(self.part, Test) else f"not ({self.part})"


Condition = Test | And | Or | Not
TRUE = And()
FALSE = Or()


def both(*parts: Condition) -> Condition:
    """The conjunction, without what is always true and without repetitions."""
    flat = dict.fromkeys(one for part in parts for one in (part.parts if isinstance(part, And) else (part,)))
    if FALSE in flat:
        return FALSE
    return next(iter(flat)) if len(flat) == 1 else And(tuple(flat))


def either(*parts: Condition) -> Condition:
    """The disjunction, without what is always false and without repetitions."""
    flat = dict.fromkeys(one for part in parts for one in (part.parts if isinstance(part, Or) else (part,)))
    if TRUE in flat:
        return TRUE
    return next(iter(flat)) if len(flat) == 1 else Or(tuple(flat))


def negated(part: Condition) -> Condition:
    """The negation."""
    if part == TRUE:
        return FALSE
    if part == FALSE:
        return TRUE
    return part.part if isinstance(part, Not) else Not(part)


def matches(condition: Condition, event: Any) -> bool:
    """Whether the condition is true of an event, given as decoded JSON.

    >>> from auditproof.detections import Field, Not, Operator, Test, matches
    >>> matches(Not(Test(Field.at("objectRef.subresource"), Operator.EXISTS)), {"objectRef": {"resource": "pods"}})
    True
    """
    if isinstance(condition, Test):
        values = condition.field.values(event)
        return bool(values) and (all if condition.every else any)(map(condition.accepts, values))
    if isinstance(condition, Not):
        return not matches(condition.part, event)
    return (all if isinstance(condition, And) else any)(matches(part, event) for part in condition.parts)


def tests_of(condition: Condition) -> Iterator[Test]:
    """Every test of the condition, in the order in which they are written."""
    if isinstance(condition, Test):
        yield condition
    else:
        for part in (condition.part,) if isinstance(condition, Not) else condition.parts:
            yield from tests_of(part)


def depth(condition: Condition) -> int:
    """How deep tests are nested: 1 for a test. Counted without recursion.

    >>> from auditproof.detections import Field, Not, Operator, Test
    >>> from auditproof.detections.condition import depth
    >>> depth(Not(Test(Field.at("verb"), Operator.EXISTS)))
    2
    """
    deepest, pending = 0, [(condition, 1)]
    while pending:
        one, level = pending.pop()
        deepest = max(deepest, level)
        if not isinstance(one, Test):
            pending += [(part, level + 1) for part in ((one.part,) if isinstance(one, Not) else one.parts)]
    return deepest


def text_of(value: Any) -> str:
    """The text by which a scalar of JSON is compared: true and false in lower case."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _compares(operator: Operator, value: str, given: str, fold: bool) -> bool:
    if operator is Operator.REGEX:
        return _regex(given, fold).search(value) is not None
    if operator is Operator.IN_NETWORK:
        return _is_in_network(value, given)
    if operator is Operator.WILDCARD:
        return _wildcard(given, fold).fullmatch(value) is not None
    if fold:
        value, given = value.casefold(), given.casefold()
    match operator:
        case Operator.EQUALS:
            return value == given
        case Operator.STARTS_WITH:
            return value.startswith(given)
        case Operator.ENDS_WITH:
            return value.endswith(given)
        case Operator.CONTAINS:
            return given in value
    return _is_ordered(operator, value, given)


def _is_in_network(value: str, network: str) -> bool:
    try:
        return ip_address(value) in _network(network)
    except ValueError:
        return False


def _is_ordered(operator: Operator, value: str, given: str) -> bool:
    try:
        one, other = float(value), float(given)
    except ValueError:
        return False
    match operator:
        case Operator.LESS:
            return one < other
        case Operator.LESS_OR_EQUAL:
            return one <= other
        case Operator.GREATER:
            return one > other
    return one >= other


@lru_cache(maxsize=1024)
def _network(text: str) -> IPv4Network | IPv6Network:
    return ip_network(text, strict=False)


@lru_cache(maxsize=1024)
def _regex(pattern: str, fold: bool) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE if fold else 0)


def wildcard_example(pattern: str) -> str:
    """A text that the pattern of a WILDCARD test matches."""
    return re.sub(r"\\?([*?])", lambda mark: "x" if mark[0] in "*?" else mark[1], pattern)


@lru_cache(maxsize=1024)
def _wildcard(pattern: str, fold: bool) -> re.Pattern[str]:
    parts = re.findall(r"\\[*?\\]|.", pattern, re.DOTALL)
    regex = "".join({"*": ".*", "?": "."}.get(part, re.escape(part[-1])) for part in parts)
    return re.compile(regex, re.DOTALL | (re.IGNORECASE if fold else 0))
