"""The language of Falco's conditions, as a tree. Pure.

Source: filter/parser.cpp and filter/escaping.cpp of falcosecurity/libs. ``not`` binds to the next check or parenthesis,
``and`` before ``or``; a value without quotes ends at a blank, a quote, a comma, = or a parenthesis.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from lark import Lark, Transformer, v_args
from lark.exceptions import UnexpectedInput

from auditproof.detections.readers.falco.unreadable import Unreadable

TRANSFORMERS = ("tolower", "toupper", "b64", "basename", "len", "join", "concat", "getopt")

# Ends at a quote that no backslash is in front of, even if that backslash is itself escaped.
_QUOTED = "|".join(rf"{one}[^{one}]*(?:(?<=\\){one}[^{one}]*)*(?<!\\){one}" for one in ('"', "'"))
_ARGUMENT = rf"\[(?:{_QUOTED}|[^\]\[\"'\s]+)\]"

_GRAMMAR = rf"""
start: disjunction
?disjunction: conjunction
            | conjunction (_OR conjunction)+ -> either
?conjunction: negation
            | negation (_AND negation)+ -> both
?negation: _NOT negation -> negated
         | check
?check: _LPAR disjunction _RPAR
      | NAME -> macro
      | operand EXISTS -> exists
      | operand ORDER (NUMBER | right) -> compared
      | operand TEXTUAL (value | right) -> compared
      | operand TEXTUAL MODIFIER (list | NAME) -> modified
      | operand LISTED (list | NAME | right) -> compared
?operand: FIELD -> field
        | call
?right: VAL FIELD _RPAR ARGUMENT? -> other
      | call
call: CALL argument (_COMMA argument)* _RPAR ARGUMENT?
?argument: FIELD -> field
         | QUOTED | NUMBER | call
         | _LPAR (argument (_COMMA argument)*)? _RPAR -> arguments
list: _LPAR (value (_COMMA value)*)? _RPAR
value: QUOTED | BARE

_OR.9: /or(?=[\s(])/
_AND.9: /and(?=[\s(])/
_NOT.9: /not(?=[\s(])/
_LPAR: "("
_RPAR: ")"
_COMMA: ","
EXISTS: "exists"
ORDER: /<=|<|>=|>/
TEXTUAL: /==|=|!=|(?:glob|iglob|contains|icontains|bcontains|startswith|bstartswith|endswith|regex)(?=\s)/
LISTED: /intersects|in|pmatch/
MODIFIER.8: /(?<=\s)(?:oneof|anyof|allof)(?=\s+\(|\s+(?!(?:and|or|not)\b)[a-zA-Z])/
CALL.7: /(?:{"|".join(TRANSFORMERS)})\(/
VAL.7: /val\(/
FIELD.6: /[a-zA-Z][a-zA-Z0-9_]*(?:\.[a-zA-Z][a-zA-Z0-9_]*)+(?:{_ARGUMENT})?/
NUMBER.5: /0[xX][0-9a-fA-F]+|[+-]?[0-9]+\.?[0-9]*(?:[eE][+-][0-9]+)?/
NAME: /[a-zA-Z][a-zA-Z0-9_]*/
ARGUMENT: /{_ARGUMENT}/
QUOTED: /{_QUOTED}/
BARE: /[^()"' \t\n\r\f\v=,]+/
%ignore /[ \t\x08\r\n]+/
"""
_EXPECTED = {
    "_OR": '"or"', "_AND": '"and"', "_LPAR": '"("', "_RPAR": '")"', "_COMMA": '","', "EXISTS": '"exists"',
    "TEXTUAL": "an operator", "LISTED": "an operator", "ORDER": "an operator", "FIELD": "a field", "NAME": "a name",
    "QUOTED": "a value", "BARE": "a value", "NUMBER": "a number", "$END": "the end",
}  # fmt: skip
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", " ": "\\", "\\": "\\", "/": "/"}


@dataclass(frozen=True, slots=True)
class FieldName:
    """A field as it is written, with its argument in brackets."""

    name: str
    argument: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A transformer of a field, or of what other transformers return; ``of`` is None if it has several arguments."""

    transformer: str
    of: Operand | None


@dataclass(frozen=True, slots=True)
class Check:
    """A comparison of a field with ``values``, or with another field; ``modifier`` is oneof, anyof or allof."""

    operand: Operand
    operator: str
    values: tuple[str, ...] = ()
    other: Call | None = None
    modifier: str = ""


@dataclass(frozen=True, slots=True)
class Macro:
    """The name of a macro."""

    name: str


@dataclass(frozen=True, slots=True)
class Negated:
    """Not ``part``."""

    part: Syntax


@dataclass(frozen=True, slots=True)
class Several:
    """The conjunction of ``parts``, or their disjunction."""

    parts: tuple[Syntax, ...]
    is_all: bool


Operand = FieldName | Call
Syntax = Check | Macro | Negated | Several


def parse_condition(text: str) -> Syntax:
    """Return the tree of a condition in which the names of lists have been replaced.

    Raises Unreadable with the place and what was expected there.

    >>> from auditproof.detections.readers.falco.syntax import parse_condition
    >>> parse_condition("not pod and ka.verb in (create, 'get')").is_all
    True
    """
    try:
        return _parser().parse(text)  # type: ignore[return-value]  # the transformer's value
    except UnexpectedInput as error:
        is_end = getattr(getattr(error, "token", None), "type", "$END") == "$END" and not hasattr(error, "char")
        at = len(text) if is_end or error.pos_in_stream is None else error.pos_in_stream
        rest = " ".join(text[at : at + 60].split())
        found = f'at "{rest[:25]}"' if rest else "at its end"
        names = getattr(error, "expected", None) or getattr(error, "allowed", None) or ()
        wanted = sorted({_EXPECTED[name] for name in names if name in _EXPECTED})
        expected = f": expected {' or '.join(wanted)}" if wanted else ""
        raise Unreadable(f"Falco cannot read the condition {found}{expected}") from None


@cache
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr", lexer="contextual", transformer=_Builder(), maybe_placeholders=False)


@v_args(inline=True)
class _Builder(Transformer[Any, Any]):
    """Builds the tree from the bottom, without recursion."""

    def start(self, node: Syntax) -> Syntax:
        return node

    def either(self, *parts: Syntax) -> Syntax:
        return Several(parts, False)

    def both(self, *parts: Syntax) -> Syntax:
        return Several(parts, True)

    def negated(self, part: Syntax) -> Syntax:
        return part.part if isinstance(part, Negated) else Negated(part)

    def macro(self, name: str) -> Macro:
        return Macro(str(name))

    def exists(self, operand: Operand, operator: str) -> Check:
        return Check(operand, str(operator))

    def compared(self, operand: Operand, operator: str, right: Any) -> Check:
        if isinstance(right, Call):
            return Check(operand, str(operator), other=right)
        return Check(operand, str(operator), right if isinstance(right, tuple) else (str(right),))

    def modified(self, operand: Operand, operator: str, modifier: str, right: Any) -> Check:
        values = right if isinstance(right, tuple) else (str(right),)
        return Check(operand, str(operator), values, modifier=str(modifier))

    def field(self, text: str) -> FieldName:
        name, bracket, argument = str(text).partition("[")
        if not bracket:
            return FieldName(name)
        argument = argument[:-1]
        return FieldName(name, unquoted(argument) if argument[:1] in ("'", '"') else argument)

    def other(self, name: str, field: str, *_: Any) -> Call:
        return Call(str(name)[:-1], self.field(field))

    def arguments(self, *_: Any) -> None:
        return None

    def call(self, name: str, *arguments: Any) -> Call:
        only = arguments[0] if len(arguments) == 1 else None
        return Call(str(name)[:-1], only if isinstance(only, FieldName | Call) else None)

    def list(self, *values: str) -> tuple[str, ...]:
        return values

    def value(self, token: Any) -> str:
        return unquoted(str(token)) if token.type == "QUOTED" else str(token)


def unquoted(text: str) -> str:
    """A text in quotes without them, and with its escapes replaced. Raises Unreadable for an escape Falco refuses."""

    def replaced(found: re.Match[str]) -> str:
        escape = found[1]
        if escape in ("'", '"') and escape == text[0]:
            return escape
        if escape.startswith("x") and int(escape[1:], 16) < 0x80:
            return chr(int(escape[1:], 16))
        if escape not in _ESCAPES:
            raise Unreadable(f"the value {text} has the escape \\{escape}")
        return _ESCAPES[escape]

    return re.sub(r"\\(x[0-9a-fA-F]{2}|[\s\S]?)", replaced, text[1:-1])
