"""Lines of JSON as the columns that ``query`` and ``aggregate`` read, in Spark's own SQL.

The conditions are those of ``duckdb_events``, one by one: what is taken as an event here is taken there, and every
other line goes into ``odd_line`` and is read in Python, except what is no UTF-8 or too long.
"""

from __future__ import annotations

from auditproof.replay.aggregate import CLASSES
from auditproof.replay.inputs.feed import NATIVE

NOT_TEXT = "\x01"  # the odd line of what is no UTF-8, or too long
LONGEST_LINE = 4 << 20  # as ``duckdb_events``
_TEXTS = "level STRING, stage STRING, verb STRING, requestURI STRING, auditID STRING, stageTimestamp STRING"
_EVENT = f"{_TEXTS}, user STRING, objectRef STRING"
_USER = "username STRING, groups ARRAY<STRING>"
_NAMES = ("namespace", "apiGroup", "apiVersion", "resource", "subresource", "name")
_REFERENCE = ", ".join(f"{name} STRING" for name in _NAMES)
_REQUEST, _RESPONSE, _TIMES = ',"requestObject":', ',"responseObject":', ',"requestReceivedTimestamp":'
_LEVELS = "('Metadata', 'Request', 'RequestResponse')"
_STAGES = "('RequestReceived', 'ResponseStarted', 'ResponseComplete', 'Panic')"
_MAYBE_RESOURCE = "^/*api(/+[^/?]+/+[^/?]|s/+[^/?]+/+[^/?]+/+[^/?])|^[^?]*%"
_WELL_FORMED = (
    f"x.level IN {_LEVELS} AND x.stage IN {_STAGES} AND x.verb IS NOT NULL AND x.requestURI IS NOT NULL "
    "AND x.auditID IS NOT NULL AND x.stageTimestamp RLIKE '^[0-9]{4}-[0-9]{2}-[0-9]{2}T.*Z$' "
    "AND startswith(x.user, '{') AND NOT exists(coalesce(u.groups, array()), g -> g IS NULL) "
    "AND CASE WHEN x.objectRef IS NULL THEN (startswith(x.requestURI, '/') OR startswith(x.requestURI, '*')) "
    f"AND NOT x.requestURI RLIKE '{_MAYBE_RESOURCE}' ELSE startswith(x.objectRef, '{{') END"
)
_ORDERED = "NOT bodies OR (certain AND request_at <= response_at AND response_at <= times_at)"
_TEXT_COLUMNS = {
    "username": "u.username",
    "verb": "x.verb",
    "request_uri": "x.requestURI",
    "namespace": "r.namespace",
    "api_group": "r.apiGroup",
    "api_version": "r.apiVersion",
    "resource": "r.resource",
    "subresource": "r.subresource",
    "name": "r.name",
    "stage": "x.stage",
    "recorded_level": "x.level",
    "stage_time": "x.stageTimestamp",
    "user_json": "x.user",
    "reference_json": "x.objectRef",
}
_GROUPS = "coalesce(u.groups, array())"
_CLASSES = [f"WHEN array_contains({_GROUPS}, '{one}') THEN '{one}'" for one in CLASSES]
_COMPUTED = (
    ("authenticated", "x.user <> '{}'", "false"),
    ("has_reference", "x.objectRef IS NOT NULL", "false"),
    ("user_groups", _GROUPS, "array()"),
    ("user_class", f"CASE {' '.join(_CLASSES)} ELSE '' END", "''"),
    ("day", "substring(x.stageTimestamp, 1, 10)", "''"),
    ("bytes", "length + 1", "0"),
    ("request_bytes", "CASE WHEN requests = 1 AND bodies THEN response_at - request_at ELSE 0 END", "0"),
    ("response_bytes", "CASE WHEN responses = 1 AND bodies THEN times_at - response_at ELSE 0 END", "0"),
)


def events_of(lines: str) -> str:
    """The columns of ``query.EVENT`` and ``aggregate`` for a table with the column ``value``."""
    columns = [
        f"CASE WHEN taken THEN coalesce({value}, '') ELSE '' END AS {name}" for name, value in _TEXT_COLUMNS.items()
    ]
    columns += [f"CASE WHEN taken THEN {value} ELSE {other} END AS {name}" for name, value, other in _COMPUTED]
    left_out = f"NOT is_text OR length > {LONGEST_LINE}"
    odd = f"CASE WHEN taken THEN '' WHEN {left_out} THEN '{NOT_TEXT}' ELSE value END AS odd_line"
    return f"SELECT {', '.join([*columns, odd])} FROM ({_measured(lines)})"


def _measured(lines: str) -> str:
    """Whether each line is taken, and where its bodies begin."""
    taken = f"coalesce(is_text AND ({_WELL_FORMED}) AND ({_ORDERED}), false) AS taken"
    return f"SELECT *, {taken} FROM ({_searched(_extracted(lines))})"


def _searched(extracted: str) -> str:
    """The bytes before each part; a key that occurs twice may be one of a body, so the line is not certain."""
    placed = {
        "certain": "requests <= 1 AND responses <= 1 AND times = 1",
        "times_at": _before(_TIMES),
        "response_at": f"CASE WHEN responses = 1 THEN {_before(_RESPONSE)} ELSE {_before(_TIMES)} END",
        "request_at": f"CASE WHEN requests = 1 THEN {_before(_REQUEST)} ELSE 0L END",
    }
    counted = {"requests": _count(_REQUEST), "responses": _count(_RESPONSE), "times": _count(_TIMES)}
    inner = ", ".join(f"{value} AS {name}" for name, value in counted.items())
    outer = ", ".join(f"{value} AS {name}" for name, value in placed.items())
    return f"SELECT *, {outer} FROM (SELECT *, {inner} FROM ({extracted}))"


def _count(key: str) -> str:
    """How often a key occurs; 0 if no body is recorded."""
    without = f"(length - octet_length(replace(value, '{key}', '')))"
    return f"CASE WHEN bodies THEN CAST({without} / {len(key)} AS BIGINT) ELSE 0L END"


def _before(key: str) -> str:
    return f"CAST(CASE WHEN bodies THEN octet_length(substring_index(value, '{key}', 1)) ELSE 0 END AS BIGINT)"


def _extracted(lines: str) -> str:
    """The fields of a line: nothing of a line that does not begin as those of an API server."""
    native = NATIVE.decode()
    head = f"is_text AND startswith(value, '{native}') AND length <= {LONGEST_LINE}"
    first = f"SELECT value, is_valid_utf8(value) AS is_text, CAST(octet_length(value) AS BIGINT) AS length FROM {lines}"
    parsed = f"CASE WHEN {head} THEN from_json(value, '{_EVENT}') END AS x"
    second = f"SELECT *, {parsed} FROM ({first}) WHERE length > 0"
    parts = f"from_json(x.user, '{_USER}') AS u, from_json(x.objectRef, '{_REFERENCE}') AS r"
    return f"SELECT *, coalesce(x.level <> 'Metadata', false) AS bodies, {parts} FROM ({second})"
