"""A policy as SQL text for a warehouse: the expression over named columns, or a SELECT over a table of events."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from sqlglot import exp

from auditproof.errors import AuditproofError
from auditproof.replay import sql
from auditproof.replay.expression import deciding_rule, level_of_rule, omitted_at_stage
from auditproof.replay.query import EVENT, GROUPS, STAGE, PolicyColumns, in_array, judged
from auditproof.replay.request import request_columns
from auditproof.text.printable import printable

if TYPE_CHECKING:
    from sqlglot.expressions import Expr, Select

    from auditproof.audit.policy.load import Policy

RUN = dict.fromkeys(("duckdb", "spark", "clickhouse"), "run in auditproof's tests")
PARSED = "parsed, not run"
# Columns of the table under the names that the events' JSON has in each warehouse's import: one JSON text per event.
JSON_COLUMN = "event"
_TABLE = re.compile(r"[\w$-]+(\.[\w$-]+)*")


def expression(policy: Policy, dialect: str) -> str:
    """The expressions for rule, level and omitted stage, over the columns that ``columns_help`` lists."""
    rule = deciding_rule(policy, request_columns(EVENT, in_array))
    parts = {
        "rule: the index of the rule that decides, counted from 0; -1 if none matches": rule,
        "level": level_of_rule(policy, sql.column("rule")),
        "omitted: whether the policy omits the stage of the event": omitted_at_stage(
            policy, sql.column("rule"), sql.column(STAGE)
        ),
    }
    texts = [f"-- {name}\n{sql.written(value, dialect, pretty=True)}" for name, value in parts.items()]
    return "\n\n".join([_comment(policy, dialect), columns_help(), *texts]) + "\n"


def select(policy: Policy, dialect: str, table: str) -> str:
    """A SELECT that judges every event of a table, whose column JSON_COLUMN is the JSON text of an event.

    Raises AuditproofError if ``table`` is no name of a table.
    """
    in_group = in_array if dialect == "clickhouse" else _in_json
    query = judged(events_of(table, dialect), [PolicyColumns(policy)], in_group)
    note = (
        f"-- Reads the column {JSON_COLUMN} (the JSON text of one event) of {printable(table)}.\n"
        "-- exact: false if the request line must be parsed to be sure (percent-encoded paths, odd queries);\n"
        "-- rule and level then rest on objectRef. Count these rows before you rely on the sums."
    )
    return f"{_comment(policy, dialect)}\n{note}\n{sql.written(_with_ctes(query), dialect, pretty=True)};\n"


def columns_help() -> str:
    """The columns that the expression reads, as a comment."""
    return "\n".join(
        [
            "-- Columns, none of them NULL (an absent text is empty):",
            "--   authenticated     BOOLEAN: user is not empty (it is after a failed authentication)",
            "--   username          user.username",
            "--   user_groups       ARRAY of text: user.groups",
            "--   verb              verb",
            "--   has_reference     BOOLEAN: objectRef is there",
            "--   namespace, api_group, resource, subresource   from objectRef",
            "--   full_resource     resource, with / and subresource if there is one",
            "--   request_name      objectRef.name; empty for a create, whose name comes from the body",
            "--   path              requestURI up to the question mark",
            "--   stage             stage",
        ]
    )


def events_of(table: str, dialect: str) -> Select:
    """The columns of ``query.EVENT`` from the JSON text of events."""
    if not _TABLE.fullmatch(table):
        raise AuditproofError(f"--table {table}: expected the name of a table, such as audit.events")
    source = exp.to_table(table, dialect=dialect)
    user, reference = _json("user", dialect), _json("objectRef", dialect)
    texts = {
        "username": "user.username",
        "verb": "verb",
        "request_uri": "requestURI",
        "namespace": "objectRef.namespace",
        "api_group": "objectRef.apiGroup",
        "api_version": "objectRef.apiVersion",
        "resource": "objectRef.resource",
        "subresource": "objectRef.subresource",
        "name": "objectRef.name",
        STAGE: "stage",
        "recorded_level": "level",
    }
    columns = [exp.alias_(_text_at(path), name) for name, path in texts.items()]
    columns.append(exp.alias_(sql.none_of(sql.is_in(user, ["", "{}"])), "authenticated"))
    columns.append(exp.alias_(sql.none_of(sql.is_in(reference, ["", "null"])), "has_reference"))
    columns.append(exp.alias_(_groups(dialect), GROUPS))
    return exp.select(exp.column(JSON_COLUMN), *columns).from_(source)


def _path(path: str) -> Expr:
    keys = [exp.JSONPathKey(this=key) for key in path.split(".")]
    return exp.JSONPath(expressions=[exp.JSONPathRoot(), *keys])


def _text_at(path: str) -> Expr:
    found = exp.JSONExtractScalar(this=exp.column(JSON_COLUMN), expression=_path(path))
    return exp.Coalesce(this=found, expressions=[sql.text("")])


def _json(path: str, dialect: str) -> Expr:
    """The JSON of a field as text: the one thing that sqlglot does not translate into every dialect."""
    column = exp.column(JSON_COLUMN)
    found: Expr = exp.JSONExtract(this=column, expression=_path(path))
    if dialect == "clickhouse":
        found = exp.Anonymous(this="JSONExtractRaw", expressions=[column, *map(sql.text, path.split("."))])
    elif dialect in ("trino", "athena"):
        found = exp.Anonymous(this="JSON_FORMAT", expressions=[found])
    else:
        found = exp.cast(found, "text")
    return exp.Coalesce(this=found, expressions=[sql.text("")])


def _groups(dialect: str) -> Expr:
    """The groups: an array in ClickHouse, which leaves the escapes of JSON as they are, otherwise their JSON."""
    if dialect != "clickhouse":
        return _json("user.groups", dialect)
    arguments = map(sql.text, ("user", "groups", "Array(String)"))
    return exp.Anonymous(this="JSONExtract", expressions=[exp.column(JSON_COLUMN), *arguments])


def _in_json(group: str) -> Expr:
    """Whether the JSON text of a list has an item: a quote within a text has a backslash before it, so it is none."""
    item = json.dumps(group, ensure_ascii=False)
    return sql.any_of(sql.contains(sql.column(GROUPS), before + item) for before in ("[", ",", ", "))


def _with_ctes(query: Select) -> Select:
    """The nested steps of a query as common table expressions, which read from top to bottom."""
    steps: list[Select] = [query]
    while isinstance(inner := steps[-1].args["from_"].this, exp.Subquery):
        steps.append(inner.this)
    names = [f"step_{number}" for number in range(1, len(steps))]
    *inner_steps, last = list(reversed(steps))
    for name, step in zip(names, steps[-2::-1], strict=True):
        step.args["from_"].set("this", exp.to_table(name))
    for name, step in zip(names, inner_steps, strict=True):
        last = last.with_(name, as_=step, copy=False)
    return last


def _comment(policy: Policy, dialect: str) -> str:
    state = RUN.get(dialect, PARSED)
    return f"-- Audit policy {printable(policy.path)} (sha256 {policy.sha256[:12]}) for {dialect}: {state}."
