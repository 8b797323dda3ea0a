"""Values of the free fields of a request with which a condition is true. Pure.

The conditions of detection rules are small, so this tries one conjunction after the other. A value that it returns is
checked against every test; that none is found is certain except for regular expressions, whose values it cannot make
up: there it says UNKNOWN.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import islice, product
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from auditproof.detections.condition import FALSE, TRUE, And, Not, Operator, Or, Test, wildcard_example
from auditproof.detections.fields import ANYWHERE, EACH, Derived, Field
from auditproof.kube.request_line import request_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from auditproof.detections.condition import Condition
    from auditproof.kube.attributes import Attributes

CODE = Field.at("responseStatus.code")
DECISION = Field(("annotations", "authorization.k8s.io/decision"))
URI = Field.at("requestURI")
_CODES = ("200", "201", "403", "404", "409", "422", "400", "405", "429", "500", "503", "504", "101")
_TRIED = 2000  # conjunctions
Literal = tuple[Test, bool]


@dataclass(frozen=True, slots=True)
class Values:
    """Values of fields; a field without any is absent. ``unknown``: tests for which no value could be made up."""

    of: dict[Field, tuple[Any, ...]] = field(default_factory=dict)
    unknown: tuple[Test, ...] = ()


def solve(condition: Condition, attributes: Attributes) -> Values | None:
    """Values of free fields of a request that make the condition true; None if there are none.

    ``condition`` is in negation normal form, as ``at_moment`` returns it.

    >>> from auditproof import Attributes, UserInfo
    >>> from auditproof.detections import Field, Operator, Test
    >>> from auditproof.detections.solving import solve
    >>> request = Attributes(UserInfo("alice"), "get", "shop", resource="secrets", name="db")
    >>> code = Field.at("responseStatus.code")
    >>> solve(Test(code, Operator.STARTS_WITH, ("2",)), request).of[code]
    (200,)
    >>> print(solve(Test(code, Operator.EQUALS, ("ALLOW",)), request))
    None
    """
    return next(solutions(condition, attributes), None)


def solutions(condition: Condition, attributes: Attributes) -> Iterator[Values]:
    """All values that are found in this way, for a caller who has to try several."""
    if condition == TRUE:
        yield Values()
    elif condition != FALSE:
        for literals in islice(_conjunctions(condition), _TRIED):
            found = _meeting(literals, attributes)
            if found is not None:
                yield found


def denied(condition: Condition) -> Condition:
    """The negation in negation normal form, of a condition in that form."""
    if isinstance(condition, Not):
        return condition.part
    if isinstance(condition, Test):
        return Not(condition)
    parts = tuple(denied(part) for part in condition.parts)
    return Or(parts) if isinstance(condition, And) else And(parts)


def _conjunctions(condition: Condition) -> Iterator[tuple[Literal, ...]]:
    """The disjunctive normal form."""
    if isinstance(condition, Test):
        yield ((condition, True),)
    elif isinstance(condition, Not):
        if isinstance(condition.part, Test):
            yield ((condition.part, False),)
    elif isinstance(condition, Or):
        for part in condition.parts:
            yield from _conjunctions(part)
    else:
        for some in product(*([*_conjunctions(part)] for part in condition.parts)):
            yield tuple(dict.fromkeys(literal for one in some for literal in one))


def _meeting(literals: Iterable[Literal], attributes: Attributes) -> Values | None:
    """Values that meet all literals."""
    by_field: dict[Field, list[Literal]] = defaultdict(list)
    uri: list[Literal] = []
    for literal in literals:
        target = literal[0].field
        if target.path == URI.path:
            uri.append(literal)
        else:
            by_field[target].append(literal)
    found: dict[Field, tuple[Any, ...]] = {}
    unknown: list[Test] = []
    for target, some in by_field.items():
        values = _values(target, some, attributes)
        if values is None:
            return None
        found[target] = values
        unknown += [test for test, wanted in some if _is_unknown(test, wanted)]
    if uri:
        text = _uri(uri, attributes)
        if text is None:
            return None
        found[URI] = (text,)
        unknown += [test for test, wanted in uri if _is_unknown(test, wanted)]
    return Values(found, tuple(unknown)) if _agree(found) else None


def _agree(found: dict[Field, tuple[Any, ...]]) -> bool:
    """Whether response code and decision can occur together."""
    code, decision = found.get(CODE), found.get(DECISION)
    return not (code and decision == ("forbid",) and code[0] != 403)


def _is_unknown(test: Test, wanted: bool) -> bool:
    return wanted and test.operator is Operator.REGEX


def _values(target: Field, literals: Sequence[Literal], attributes: Attributes) -> tuple[Any, ...] | None:
    """Values of one field that meet all literals; an empty tuple if it may be absent."""
    asked = [test for test, wanted in literals if wanted]
    refused = [test for test, wanted in literals if not wanted]
    domain = _domain(target, asked + refused, attributes)
    if not asked and domain is None:
        return ()
    usable = [one for one in (domain or _candidates(asked)) if not _is_refused(one, refused)]
    for one in usable:
        if all(_holds(test, one) for test in asked):
            return (typed(one, target),)
    if domain is not None or not _is_list(target):
        return None
    several = [one for test in asked for one in islice((one for one in usable if _holds(test, one)), 1)]
    if len(several) < len(asked) or any(test.every for test in asked):
        return None
    return tuple(dict.fromkeys(typed(one, target) for one in several))


def _holds(test: Test, value: str) -> bool:
    return test.operator is Operator.REGEX or test.accepts(value)


def _is_refused(value: str, refused: Iterable[Test]) -> bool:
    return any(test.accepts(value) for test in refused)


def _is_list(target: Field) -> bool:
    return target.flattened or target.derived is Derived.TEXT or EACH in target.path or ANYWHERE in target.path


def _domain(target: Field, tests: Iterable[Test], attributes: Attributes) -> list[str] | None:
    """The only values that the field can have, likely ones first; None if these cannot be listed."""
    if target == CODE:
        if attributes.user is None:
            return ["401"]
        given = [value for test in tests for value in test.values if re.fullmatch("[1-5][0-9][0-9]", value)]
        return [code for code in dict.fromkeys([*_CODES, *given]) if code != "401"]
    return ["allow", "forbid"] if target == DECISION else None


def _candidates(tests: Sequence[Test]) -> Iterator[str]:
    """Texts that may meet all of these tests: what each asks for, and combinations of the beginnings and ends."""
    starts, ends, inner = [""], [""], [""]
    for test in tests:
        for value in test.values:
            match test.operator:
                case Operator.STARTS_WITH:
                    starts.append(value)
                case Operator.ENDS_WITH:
                    ends.append(value)
                case Operator.CONTAINS:
                    inner.append(value)
                case Operator.WILDCARD:
                    yield wildcard_example(value)
                case Operator.LESS | Operator.GREATER:
                    yield from _around(value)
                case Operator.REGEX:
                    yield "x"
                case Operator.IN_NETWORK:
                    yield value.partition("/")[0]
                case _:
                    yield value
    if any(test.operator is Operator.EXISTS for test in tests):
        yield "x"
    for start, middle, end in product(starts, inner, ends):
        if start or middle or end:
            yield f"{start}{middle}{end}"
            yield f"{start}x{middle}x{end}"
    yield "".join([starts[-1], *inner, ends[-1]])


def _around(value: str) -> Iterator[str]:
    try:
        number = float(value)
    except ValueError:
        return
    yield from (f"{one:g}" for one in (number - 1, number + 1))


def _uri(literals: Sequence[Literal], attributes: Attributes) -> str | None:
    """A URI of the request, with a query if that is needed."""
    _, base = request_line(attributes)
    parameters: dict[str, list[str]] = defaultdict(list)
    texts: list[str] = [""]
    for test, wanted in literals:
        if not wanted:
            continue
        some = list(_candidates([test]))
        if test.field.derived is Derived.PARAMETER:
            parameters[test.field.parameter] += some[:1]
        else:
            texts += some
    joint = "&" if "?" in base else "?"
    query = urlencode(parameters, doseq=True)
    for text in dict.fromkeys(texts):
        for uri in _spellings(base, joint, query, text):
            event = {"requestURI": uri}
            if all(
                (test.operator is Operator.REGEX and wanted)
                or any(map(test.accepts, test.field.values(event))) is wanted
                for test, wanted in literals
            ):
                return uri
    return None


def _spellings(base: str, joint: str, query: str, text: str) -> Iterator[str]:
    """URIs with the path of ``base`` that contain the text, if that is possible."""
    plain = f"{base}{joint}{query}" if query else base
    more = f"{plain}{'&' if query else joint}"
    yield plain
    if text.startswith((f"{base}?", f"{base}&")):
        yield text + ("&" + query if query else "")
    if text:
        yield more + text
        yield more + quote(text, safe="%/")


def typed(value: str, target: Field) -> Any:
    """The value as JSON has it: true and false, and the code of a response, are no texts."""
    if target == CODE:
        return int(value)
    return {"true": True, "false": False}.get(value, value) if target.derived is None else value
