"""KQL, translated into a condition on events. Pure.

Semantics: the reference of the Kibana Query Language, and kbn-es-query in Kibana: a value in quotation marks is
literal, ``*`` in another one is a wildcard, ``?`` is none; a list matches if one of its elements does; ``not`` is true
of a document that lacks the field.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lark import Token, Tree

from auditproof.detections.condition import Condition, Operator, both, negated
from auditproof.detections.readers.elastic.fields import compared
from auditproof.detections.readers.elastic.grammar import parse
from auditproof.detections.readers.merged import any_of
from auditproof.detections.readers.untranslatable import Untranslatable

if TYPE_CHECKING:
    from auditproof.detections.readers.event_fields import Names

_ORDERS = {
    "<": Operator.LESS,
    "<=": Operator.LESS_OR_EQUAL,
    ">": Operator.GREATER,
    ">=": Operator.GREATER_OR_EQUAL,
}
_ESCAPES = {"t": "\t", "r": "\r", "n": "\n"}
_PIECE = re.compile(r"\\(?P<escaped>.)|(?P<star>\*+)|(?P<plain>.)", re.DOTALL)


def kql_condition(query: str, names: Names) -> Condition:
    """The condition of a query. Raises Untranslatable with the reason."""
    return _query(parse("kql", "query", query), names)


def _query(tree: Tree[Token] | Token, names: Names) -> Condition:
    assert isinstance(tree, Tree)
    children = tree.children
    match tree.data:
        case "or_query":
            return any_of(_query(child, names) for child in children)
        case "and_query":
            return both(*(_query(child, names) for child in children))
        case "negation":
            return negated(_query(children[0], names))
        case "compared":
            name = _name(children[0])
            return _values(name, children[1], names)
        case "ordered":
            return _ordered(_name(children[0]), children[1], _literal(children[2])[0], names)
        case "nested":
            raise Untranslatable(f"it queries {_name(children[0])} as a nested field")
    word = _literal(children[0])[0]
    raise Untranslatable(f'it searches for "{word[:80]}" in whole events, without a field')


def _values(name: str, tree: Tree[Token] | Token, names: Names) -> Condition:
    assert isinstance(tree, Tree)
    match tree.data:
        case "or_values":
            return any_of(_values(name, child, names) for child in tree.children)
        case "and_values":
            return both(*(_values(name, child, names) for child in tree.children))
        case "negation":
            return negated(_values(name, tree.children[0], names))
    text, pattern = _literal(tree.children[0])
    if text == "null" and _is_unquoted(tree.children[0]):
        raise Untranslatable(f"it compares {name} with null; write not {name}: *")
    if pattern is None:
        return compared(name, Operator.EQUALS, (text,), names)
    if pattern == "*":
        return compared(name, Operator.EXISTS, (), names)
    return _with_wildcards(name, pattern, names)


def _with_wildcards(name: str, pattern: str, names: Names) -> Condition:
    if re.search(r"\s", pattern):
        raise Untranslatable(
            f"it compares {name} with {pattern}, which has wildcards and spaces; put \\ before a space"
        )
    last = len(pattern) - 1
    stars = tuple(match.start() for match in re.finditer(r"\\.|\*", pattern, re.DOTALL) if match[0] == "*")
    known = {(last,): Operator.STARTS_WITH, (0,): Operator.ENDS_WITH, (0, last): Operator.CONTAINS}
    if stars in known:
        plain = pattern[stars[0] == 0 : last + (stars[-1] != last)]
        return compared(name, known[stars], (re.sub(r"\\(.)", r"\1", plain, flags=re.DOTALL),), names)
    return compared(name, Operator.WILDCARD, (pattern,), names)


def _ordered(name: str, operator: Tree[Token] | Token, value: str, names: Names) -> Condition:
    try:
        float(value)
    except ValueError:
        raise Untranslatable(f"it compares the order of texts: {name} {operator} {value}") from None
    return compared(name, _ORDERS[str(operator)], (value,), names)


def _name(tree: Tree[Token] | Token) -> str:
    text, pattern = _literal(tree)
    if pattern is not None:
        raise Untranslatable(f"it compares all fields that match {pattern}")
    return text


def _is_unquoted(tree: Tree[Token] | Token) -> bool:
    return isinstance(tree, Tree) and isinstance(tree.children[0], Token) and tree.children[0].type != "QUOTED"


def _literal(tree: Tree[Token] | Token) -> tuple[str, str | None]:
    """The text of a literal, and its pattern for Operator.WILDCARD if it has wildcards."""
    assert isinstance(tree, Tree)
    tokens = [token for token in tree.children if isinstance(token, Token)]
    if tokens[0].type == "QUOTED":
        return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), tokens[0][1:-1], flags=re.DOTALL), None
    written = " ".join(tokens)
    text, pattern, wild = "", "", False
    for piece in _PIECE.finditer(written):
        if piece["star"]:
            text, pattern, wild = text + "*", pattern + "*", True
        else:
            letter = piece["plain"] or _ESCAPES.get(piece["escaped"], piece["escaped"])
            text, pattern = text + letter, pattern + ("\\" + letter if letter in "*?\\" else letter)
    return text, pattern if wild else None
