"""EQL, translated into a condition for each event of a query. Pure.

Semantics: the reference of the Event Query Language: ``==`` and ``in`` regard case, ``:`` and what ends in ``~`` do
not; ``like`` and ``:`` take the wildcards ``*`` and ``?``; a list matches if one of its elements does; regular
expressions are Lucene's and match the whole value. Queries are translated into the Query DSL, so ``not`` and ``!=`` are
true of a document that lacks the field.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lark import Token, Tree

from auditproof.detections.condition import FALSE, TRUE, Condition, Operator, both, negated
from auditproof.detections.readers.elastic.fields import compared
from auditproof.detections.readers.elastic.grammar import parse
from auditproof.detections.readers.merged import any_of
from auditproof.detections.readers.untranslatable import Untranslatable, checked_regex

if TYPE_CHECKING:
    from auditproof.detections.readers.event_fields import Names

Node = Tree[Token] | Token
_ORDERS = {
    "<": Operator.LESS,
    "<=": Operator.LESS_OR_EQUAL,
    ">": Operator.GREATER,
    ">=": Operator.GREATER_OR_EQUAL,
}
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_CALLS = {
    "stringcontains": Operator.CONTAINS,
    "startswith": Operator.STARTS_WITH,
    "endswith": Operator.ENDS_WITH,
    "cidrmatch": Operator.IN_NETWORK,
}
# What Lucene reads otherwise than Python: its own operators, anchors, groups with ?, and escapes of positions.
_LUCENE_ALONE = re.compile(r'(?<!\\)[~<>&@#"$]|(?<![\\\[])\^|\(\?|\\[bBAZG1-9pPkQE]')


@dataclass(frozen=True, slots=True)
class Value:
    """A literal of a query: ``text`` as JSON has it; ``kind`` is text, number, constant or null."""

    text: str
    kind: str


def eql_steps(query: str, names: Names) -> tuple[Condition, ...]:
    """A condition for each event that a query needs. Raises Untranslatable with the reason.

    Empty if it needs none of audit logs.
    """
    (tree,) = _children(parse("eql", "start", query))
    if tree.data == "single":
        category, where = _event(tree)
        return (_expression(where, names),) if category == "any" else ()
    steps = []
    common: list[str] = []
    for part in _children(tree):
        match part.data:
            case "by":
                common = _fields(part)
            case "missing":
                raise Untranslatable("its sequence has an event that must be missing")
            case "ending":
                names.remarks["the event that ends its sequence (until) is not looked at"] = None
            case "item":
                steps += _step(part, common, names)
    names.remarks["whether its events belong together, and come in time, is not looked at"] = None
    return tuple(steps)


def _step(item: Tree[Token], common: list[str], names: Names) -> list[Condition]:
    event, *rest = _children(item)
    category, where = _event(event)
    if category != "any":
        names.remarks[f"it also needs an event of another log ({category})"] = None
        return []
    joined = [*common, *(name for part in rest if part.data == "by" for name in _fields(part))]
    # Events that lack a field by which a sequence is joined are in none.
    return [both(_expression(where, names), *(compared(name, Operator.EXISTS, (), names) for name in joined))]


def _event(tree: Tree[Token]) -> tuple[str, Node]:
    category, where = tree.children
    return str(category).strip('"').lower(), where


def _is_word(child: Node, word: str) -> bool:
    return isinstance(child, Token) and child.lower() == word


def _children(tree: Node) -> list[Tree[Token]]:
    assert isinstance(tree, Tree)
    return [child for child in tree.children if isinstance(child, Tree)]


def _fields(tree: Tree[Token]) -> list[str]:
    return [_field_name(child) for child in _children(tree)]


def _field_name(tree: Tree[Token]) -> str:
    token = str(tree.children[-1])
    if "[" in token:
        raise Untranslatable(f"it compares one element of a list, {token}")
    return token.strip("`")


def _expression(tree: Node, names: Names) -> Condition:
    assert isinstance(tree, Tree)
    match tree.data:
        case "or_expression":
            return any_of(_expression(child, names) for child in tree.children)
        case "and_expression":
            return both(*(_expression(child, names) for child in tree.children))
        case "negation":
            return negated(_expression(tree.children[0], names))
        case "compared":
            left, operator, right = tree.children
            return _compared(left, str(operator), right, names)
        case "of":
            field, operator, *values = tree.children
            return _of(field, str(operator), values, names)
        case "not_of":
            field, operator, *values = tree.children
            return negated(_of(field, str(operator), values, names))
    (operand,) = _children(tree)
    match operand.data:
        case "call":
            return _call(operand, names)
        case "constant" if operand.children[0].lower() != "null":  # type: ignore[union-attr]
            return TRUE if _is_word(operand.children[0], "true") else FALSE
        case "field":
            return compared(_field_name(operand), Operator.EQUALS, ("true",), names)
    raise Untranslatable("a literal stands where a comparison is expected")


def _compared(left: Node, operator: str, right: Node, names: Names) -> Condition:
    if isinstance(left, Tree) and left.data not in ("field", "call"):
        left, right, operator = right, left, _TURNED.get(operator, operator)
    if isinstance(left, Tree) and left.data == "call" and _is_truth(right):
        called = _call(left, names)
        return called if (_value(right).text == "true") is (operator == "==") else negated(called)
    name, value = _subject(left), _value(right)
    if operator in _ORDERS:
        if value.kind != "number":
            raise Untranslatable(f"it compares the order of texts: {name} {operator} {value.text}")
        return compared(name, _ORDERS[operator], (value.text,), names)
    if value.kind == "null":
        found = negated(compared(name, Operator.EXISTS, (), names))
    else:
        found = compared(name, Operator.EQUALS, (value.text,), names)
    return negated(found) if operator == "!=" else found


def _of(field: Node, operator: str, given: list[Node], names: Names) -> Condition:
    name, values = _subject(field), [_value(one) for one in given]
    kind, fold = operator.lower().removesuffix("~"), operator.endswith("~") or operator == ":"
    if any(value.kind == "null" for value in values):
        raise Untranslatable(f"it looks for null with {operator}")
    if kind == "in":
        return compared(name, Operator.EQUALS, tuple(value.text for value in values), names, fold=fold)
    return any_of(_pattern(name, kind, value.text, names, fold=fold) for value in values)


def _pattern(name: str, kind: str, text: str, names: Names, *, fold: bool) -> Condition:
    if kind == "regex":
        if _LUCENE_ALONE.search(text):
            raise Untranslatable(f"the regular expression {text} has what only Lucene evaluates")
        return compared(name, Operator.REGEX, (checked_regex(rf"\A(?:{text})\Z"),), names, fold=fold)
    if not re.search("[*?]", text):
        return compared(name, Operator.EQUALS, (text,), names, fold=fold)
    if text == "*":
        return compared(name, Operator.EXISTS, (), names)
    plain = text.strip("*")
    if not re.search("[*?]", plain) and plain and "**" not in text:
        ends = (text[0] == "*", text[-1] == "*")
        operator = {(True, True): Operator.CONTAINS, (True, False): Operator.ENDS_WITH}.get(ends, Operator.STARTS_WITH)
        return compared(name, operator, (plain,), names, fold=fold)
    return compared(name, Operator.WILDCARD, (text.replace("\\", "\\\\"),), names, fold=fold)


def _call(tree: Tree[Token], names: Names) -> Condition:
    called = str(tree.children[0]).removesuffix("(")
    arguments = tree.children[1:]
    kind, fold = called.lower().removesuffix("~"), called.endswith("~")
    known = kind in _CALLS or kind in ("wildcard", "match")
    if not known or len(arguments) < 2:
        raise Untranslatable(f"it calls the function {called}")
    name, values = _subject(arguments[0]), [_value(one) for one in arguments[1:]]
    if kind in _CALLS:
        return compared(name, _CALLS[kind], tuple(value.text for value in values), names, fold=fold)
    kind = {"wildcard": "like", "match": "regex"}[kind]
    return any_of(_pattern(name, kind, value.text, names, fold=fold) for value in values)


def _is_truth(tree: Node) -> bool:
    return isinstance(tree, Tree) and tree.data == "constant" and not _is_word(tree.children[0], "null")


def _subject(tree: Node) -> str:
    if not isinstance(tree, Tree) or tree.data != "field":
        raise Untranslatable("it compares something else than a field with a value")
    return _field_name(tree)


def _value(tree: Node) -> Value:
    if not isinstance(tree, Tree) or tree.data in ("field", "call"):
        raise Untranslatable("it compares a field with something else than a value")
    token = tree.children[0]
    assert isinstance(token, Token)
    match token.type:
        case "RAW":
            return Value(token[3:-3], "text")
        case "STRING":
            escapes = {"n": "\n", "r": "\r", "t": "\t"}
            return Value(
                re.sub(r"\\(.)", lambda found: escapes.get(found[1], found[1]), token[1:-1], flags=re.DOTALL), "text"
            )
        case "NUMBER":
            return Value(str(token), "number")
    return Value(token.lower(), "null" if token.lower() == "null" else "constant")
