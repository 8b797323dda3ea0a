"""Lines of JSON as the columns that ``query`` and ``aggregate`` read, in DuckDB's own SQL.

A line is taken as it is only if it is an event as an API server writes it, and one whose parts can be measured by
searching for keys. Every other line goes into ``odd_line`` and is read in Python.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sqlglot import exp

from auditproof.replay import sql
from auditproof.replay.aggregate import CLASSES
from auditproof.replay.duckdb_forms import IS_SHALLOW, IS_STRICT, is_once, is_time, is_typed
from auditproof.replay.inputs.feed import NATIVE
from auditproof.replay.inputs.lines import LONGEST_LINE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sqlglot.expressions import Expr

_SEPARATOR = "chr(31)"  # the text of JSON never has this character
_NULL = "chr(30)"
_KEYS = (
    "level",
    "stage",
    "verb",
    "requestURI",
    "auditID",
    "stageTimestamp",
    "user",
    "user.username",
    "user.groups",
    "objectRef",
    "objectRef.namespace",
    "objectRef.apiGroup",
    "objectRef.apiVersion",
    "objectRef.resource",
    "objectRef.subresource",
    "objectRef.name",
)
_LEVELS = "('Metadata', 'Request', 'RequestResponse')"
_STAGES = "('RequestReceived', 'ResponseStarted', 'ResponseComplete', 'Panic')"
_TIMES = ',"requestReceivedTimestamp":'
_BODIES = (',"requestObject":', ',"responseObject":')
# Keys that are read, and may not be repeated.
_ONCE = ("level", "stage", "requestURI", "verb", "user", "objectRef")
# What may be the path of a resource, which always has an objectRef.
MAYBE_RESOURCE = "^/*api(/+[^/?]+/+[^/?]|s/+[^/?]+/+[^/?]+/+[^/?])|^[^?]*%"


def read_lines(paths: Sequence[Path]) -> str:
    """The table of lines: read_csv reads large files with several threads, and rejects what is no UTF-8."""
    listed = ", ".join(sql.text(str(path)).sql("duckdb") for path in paths)
    return (
        f"read_csv([{listed}], columns={{'line': 'VARCHAR'}}, delim={_SEPARATOR}, nullstr={_NULL}, quote='', "
        "escape='', comment='', header=false, auto_detect=false, strict_mode=false, ignore_errors=true, "
        f"store_rejects=true, rejects_limit=0, max_line_size={LONGEST_LINE}, buffer_size={2 * LONGEST_LINE})"
    )


def events_of(lines: str) -> str:
    """The columns of ``query.EVENT`` and ``aggregate`` for a table with the column ``line``."""
    return f"SELECT {', '.join(_columns())} FROM ({_measured(lines)})"


def in_group(group: str) -> Expr:
    """Whether the user is in a group: JSON without white space, in which an item begins after a bracket or a comma."""
    item = "," + json.dumps(group, ensure_ascii=False)
    return sql.contains(exp.column("groups_json"), item)


def _columns() -> list[str]:
    """A line that is taken gives its own values, any other nothing but itself."""
    texts = {
        "username": 8,
        "verb": 3,
        "request_uri": 4,
        "namespace": 11,
        "api_group": 12,
        "api_version": 13,
        "resource": 14,
        "subresource": 15,
        "name": 16,
        "stage": 2,
        "recorded_level": 1,
        "stage_time": 6,
        "user_json": 7,
        "reference_json": 10,
    }
    columns = [f"CASE WHEN taken THEN coalesce(x[{at}], '') ELSE '' END AS {name}" for name, at in texts.items()]
    columns += [f"CASE WHEN taken THEN {value} ELSE {other} END AS {name}" for name, value, other in _COMPUTED]
    return [*columns, "CASE WHEN taken THEN '' ELSE line END AS odd_line"]


_REQUEST_BYTES = "CASE WHEN has_request THEN response_at - request_at ELSE 0 END"
_RESPONSE_BYTES = "CASE WHEN has_response THEN times_at - response_at ELSE 0 END"
_GROUPS = "',' || coalesce(x[9], '[')[2:]"
_CLASSES = [f"WHEN strpos({_GROUPS}, ',\"{one}\"') > 0 THEN '{one}'" for one in CLASSES]
_COMPUTED = (
    ("authenticated", "x[7] <> '{}'", "false"),
    ("has_reference", "x[10] IS NOT NULL", "false"),
    ("groups_json", _GROUPS, "''"),
    ("user_class", f"CASE {' '.join(_CLASSES)} ELSE '' END", "''"),
    ("day", "substring(x[6], 1, 10)", "''"),
    ("bytes", "length + 1", "0"),
    ("request_bytes", _REQUEST_BYTES, "0"),
    ("response_bytes", _RESPONSE_BYTES, "0"),
)


def _measured(lines: str) -> str:
    """Where the bodies of a line begin, and whether the line is taken."""
    ordered = "NOT bodies OR (certain AND request_at <= response_at AND response_at <= times_at)"
    return f"SELECT *, coalesce(well_formed AND ({ordered}), false) AS taken FROM ({_searched(lines)})"


def _searched(lines: str) -> str:
    """The bytes before each part; a key that occurs twice may be one of a body, so the line is not certain."""
    request, response, times = "parts_request", "parts_response", "parts_times"
    columns = {
        "has_request": f"bodies AND len({request}) = 2",
        "has_response": f"bodies AND len({response}) = 2",
        "certain": f"len({request}) <= 2 AND len({response}) <= 2 AND len({times}) = 2",
        "times_at": f"strlen({times}[1])",
        "response_at": f"CASE WHEN len({response}) = 2 THEN strlen({response}[1]) ELSE strlen({times}[1]) END",
        "request_at": f"CASE WHEN len({request}) = 2 THEN strlen({request}[1]) ELSE 0 END",
    }
    texts = ", ".join(f"{value} AS {name}" for name, value in columns.items())
    parts = zip((request, response, times), (*_BODIES, _TIMES), strict=True)
    splits = ", ".join(f"CASE WHEN bodies THEN string_split(line, '{key}') END AS {name}" for name, key in parts)
    return f"SELECT *, {texts} FROM (SELECT *, {splits} FROM ({_extracted(lines)}))"


def _extracted(lines: str) -> str:
    """The fields of a line, and whether they are those of an event."""
    keys = ", ".join(f"'$.{key}'" for key in _KEYS)
    native = NATIVE.decode()
    is_read = f"starts_with(line, '{native}') AND {IS_SHALLOW} AND {is_once(*_ONCE)} AND {IS_STRICT}"
    fields = f"CASE WHEN {is_read} THEN TRY(json_extract_string(line, [{keys}])) END AS x"
    # The forms, because json_extract_string gives a number as text, and the first value of a repeated key.
    well_formed = (
        f"x[1] IN {_LEVELS} AND x[2] IN {_STAGES} AND x[5] IS NOT NULL AND {is_time('x[6]')} "
        f"AND {is_typed(verb='x[3]', uri='x[4]', user='x[7]', groups='x[9]', reference='x[10]')} "
        f"AND (x[10] IS NOT NULL OR NOT regexp_matches(x[4], '{MAYBE_RESOURCE}'))"
    )
    return (
        f"SELECT *, x[1] <> 'Metadata' AS bodies, strlen(line) AS length, {well_formed} AS well_formed "
        f"FROM (SELECT line, {fields} FROM (SELECT coalesce(line, {_NULL}) AS line FROM {lines}) "
        "WHERE line <> '')"
    )
