"""The parsers of KQL and EQL, by their grammars in this folder. Pure."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedInput, UnexpectedToken

from auditproof.detections.readers.untranslatable import Untranslatable

_LONGEST = 30  # characters of a text in a message


@cache
def _parser(language: str, start: str) -> Lark:
    grammar = files("auditproof.detections.readers.elastic").joinpath(f"{language}.lark")
    return Lark(grammar.read_text(encoding="utf-8"), start=start, parser="lalr", maybe_placeholders=False)


def parse(language: str, start: str, query: str) -> Tree[Token] | Token:
    """The tree of a query. Raises Untranslatable with the place of a mistake in it."""
    try:
        return _parser(language, start).parse(query)
    except UnexpectedInput as error:
        if isinstance(error, UnexpectedToken) and error.token.type == "$END":
            raise Untranslatable(f"not valid {language.upper()}: the query is not complete") from None
        found = query[error.pos_in_stream or 0 :][:_LONGEST].split("\n")[0]
        where = f"line {error.line}, column {error.column} of the query"
        raise Untranslatable(f"not valid {language.upper()}: {where}: unexpected {found!r}") from None
