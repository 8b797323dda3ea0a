"""Pieces of SQL as sqlglot trees; only functions that sqlglot translates into every dialect of DIALECTS.

No piece is NULL if none of its arguments is: three-valued logic would make a rule that does not match look like one
that does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlglot.expressions import Expr

DIALECTS = ("duckdb", "spark", "trino", "athena", "bigquery", "clickhouse", "snowflake")


def written(value: Expr, dialect: str, *, pretty: bool = False) -> str:
    """The text of SQL, without comments."""
    found = value.sql(dialect, pretty=pretty, comments=False)
    # Spark replaces ${...} before it reads a statement, in strings too; other text with it does not occur.
    return found.replace("${", "\\u0024{") if dialect == "spark" else found


def text(value: str) -> Expr:
    """A string literal."""
    return exp.Literal.string(value)


def number(value: int) -> Expr:
    """An integer literal."""
    return exp.Literal.number(value) if value >= 0 else exp.Neg(this=exp.Literal.number(-value))


def true() -> Expr:
    """The condition that always holds."""
    return exp.true()


def all_of(conditions: Iterable[Expr]) -> Expr:
    """The conjunction, without conditions that always hold."""
    kept = [one for one in conditions if one != exp.true()]
    return exp.and_(*kept) if kept else exp.true()


def any_of(conditions: Iterable[Expr]) -> Expr:
    """The disjunction of at least one condition; it always holds if one of them does."""
    kept = list(conditions)
    return exp.true() if exp.true() in kept else exp.or_(*kept)


def none_of(condition: Expr) -> Expr:
    """The negation."""
    return exp.not_(condition)


def is_in(value: Expr, values: Sequence[str]) -> Expr:
    """Whether a string is one of ``values``, of which there is at least one."""
    literals = [text(one) for one in dict.fromkeys(values)]
    if len(literals) == 1:
        return exp.EQ(this=value.copy(), expression=literals[0])
    return exp.In(this=value.copy(), expressions=literals)


def same(left: Expr, right: Expr) -> Expr:
    """Whether two values are equal."""
    return exp.EQ(this=left.copy(), expression=right.copy())


def joined(*parts: Expr) -> Expr:
    """The concatenation of strings."""
    return exp.Concat(expressions=[part.copy() for part in parts], safe=False, coalesce=False)


def starts_with(value: Expr, prefix: Expr) -> Expr:
    """Whether a string begins with another one."""
    return exp.StartsWith(this=value.copy(), expression=prefix.copy())


def place_of(value: Expr, part: str) -> Expr:
    """The place of the first occurrence of ``part``, counted from 1; 0 if there is none."""
    return exp.StrPosition(this=value.copy(), substr=text(part))


def contains(value: Expr, part: str) -> Expr:
    """Whether ``part`` occurs in a string."""
    return exp.GT(this=place_of(value, part), expression=number(0))


def lacks(value: Expr, part: str) -> Expr:
    """Whether ``part`` does not occur in a string."""
    return exp.EQ(this=place_of(value, part), expression=number(0))


def matches_whole(value: Expr, pattern: str) -> Expr:
    """Whether a regular expression, anchored at both ends, matches a string.

    The value gets a last character, because $ also matches before a line end (of Unicode's) at the end in Spark.
    """
    return exp.RegexpLike(this=joined(value, text("#")), expression=text(f"^{pattern}#$"))


def choose(*branches: tuple[Expr, Expr], otherwise: Expr) -> Expr:
    """CASE: the value of the first branch whose condition holds."""
    case = exp.Case(default=otherwise.copy())
    for condition, value in branches:
        case = case.when(condition.copy(), value.copy(), copy=False)
    return case


def column(name: str) -> Expr:
    """A column by its name."""
    return exp.column(name)
