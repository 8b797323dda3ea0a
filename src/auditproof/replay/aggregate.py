"""The sums that every engine computes in one pass: events and bytes by everything that the result shows. Pure.

An engine supplies one row per line with the columns of ``query.EVENT`` and those named here; texts are never NULL.
Where a line or a request needs Python, the line or the request itself becomes part of the key, so one pass is enough.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from auditproof.replay import sql
from auditproof.replay.query import EVENT, extended
from auditproof.replay.request import Step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlglot.expressions import Expr, Select

    from auditproof.replay.query import PolicyColumns

# Columns of an engine's first SELECT besides those of EVENT: the day and time of the stage (text), the recorded level,
# the first of CLASSES that the user is in (or empty), the JSON of user and objectRef, the bytes of the line with its
# line break, those of its bodies with their keys, and the line itself if it must be read in Python (then all other
# texts are empty).
DAY, TIME, RECORDED, CLASS = "day", "stage_time", "recorded_level", "user_class"
CLASSES = ("system:nodes", "system:serviceaccounts")  # groups of which a rule may be about all members
USER_JSON, REFERENCE_JSON = "user_json", "reference_json"
BYTES, REQUEST_BYTES, RESPONSE_BYTES = "bytes", "request_bytes", "response_bytes"
ODD_LINE = "odd_line"

# What Python needs of a request that is not exact: user, objectRef and requestURI, separated by what no JSON has.
ASKED, ASKED_BETWEEN = "asked", "\x1f"
_SUMS = ("events", "bytes", "request_bytes", "response_bytes", "largest_request", "largest_response", "first", "last")


def key_names(policies: Sequence[PolicyColumns]) -> list[str]:
    """The columns of a row of sums that are its key; ASKED is empty if the request is exact."""
    judged = [name for one in policies for name in (one.rule, one.level, one.omitted)]
    return [DAY, "username", CLASS, "verb", "what", RECORDED, "stage", *judged, ASKED, ODD_LINE]


def column_names(policies: Sequence[PolicyColumns]) -> list[str]:
    """All columns of a row of sums, in their order."""
    return [*key_names(policies), *_SUMS]


def column_types(policies: Sequence[PolicyColumns]) -> list[str]:
    """The types of ``column_names``, as DuckDB calls them."""
    types = {"first": "VARCHAR", "last": "VARCHAR"}
    types |= {one.rule: "INTEGER" for one in policies} | {one.omitted: "BOOLEAN" for one in policies}
    types |= {name: "BIGINT" for name in _SUMS if name not in types}
    return [types.get(name, "VARCHAR") for name in column_names(policies)]


def aggregated(judged: Select, policies: Sequence[PolicyColumns]) -> Select:
    """The rows of sums of judged events."""
    unsure = sql.none_of(exp.column("exact"))
    between = sql.text(ASKED_BETWEEN)
    asked = sql.joined(sql.column(USER_JSON), between, sql.column(REFERENCE_JSON), between, EVENT.uri)
    rows = extended(judged, Step({"what": what(), ASKED: sql.choose((unsure, asked), otherwise=sql.text(""))}))
    keys = [exp.column(name) for name in key_names(policies)]
    return exp.select(*keys, *_sums()).from_(rows.subquery("t")).group_by(*(key.copy() for key in keys))


def _sums() -> list[Expr]:
    def column(name: str) -> Expr:
        return sql.column(name)

    sums = {
        "events": exp.Count(this=exp.Star()),
        "bytes": exp.Sum(this=column(BYTES)),
        "request_bytes": exp.Sum(this=column(REQUEST_BYTES)),
        "response_bytes": exp.Sum(this=column(RESPONSE_BYTES)),
        "largest_request": exp.Max(this=column(REQUEST_BYTES)),
        "largest_response": exp.Max(this=column(RESPONSE_BYTES)),
        "first": exp.Min(this=column(TIME)),
        "last": exp.Max(this=column(TIME)),
    }
    return [exp.alias_(value, name) for name, value in sums.items()]


def what() -> Expr:
    """What a request is about: ``deployments.apps/scale``, or the first segment of a path.

    ``proof.offline.OfflineJudge`` names kinds of requests in the same way.
    """
    in_group = sql.joined(EVENT.resource, sql.text("."), EVENT.group)
    plural = sql.choose((sql.is_in(EVENT.group, [""]), EVENT.resource), otherwise=in_group)
    with_part = sql.joined(plural, sql.text("/"), EVENT.subresource)
    full = sql.choose((sql.is_in(EVENT.subresource, [""]), plural), otherwise=with_part)
    path = sql.column("path")
    rest = exp.Substring(this=path.copy(), start=sql.number(2))
    slash = sql.place_of(rest, "/")
    first = exp.Substring(this=path.copy(), start=sql.number(1), length=slash.copy())
    segment = sql.choose((sql.same(slash, sql.number(0)), path), otherwise=first)
    return sql.choose((EVENT.has_reference, full), otherwise=segment)
