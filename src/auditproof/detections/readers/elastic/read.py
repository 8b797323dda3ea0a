"""Reads the rules of one file of Elastic Security. Pure."""

from __future__ import annotations

import json
import re
import tomllib
from typing import TYPE_CHECKING, Any

from auditproof.detections.condition import Condition, Operator, both
from auditproof.detections.detection import Detection, NotRead
from auditproof.detections.readers.elastic.fields import compared
from auditproof.detections.readers.event_fields import Names
from auditproof.detections.readers.untranslatable import Untranslatable
from auditproof.errors import Position, Problem, SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping

_ABOUT_AUDIT = re.compile(r"kubernetes\.audit(\.|_logs)")
_KINDS = {
    "esql": "it is in ES|QL, which computes over many events",
    "machine_learning": "it is a machine learning job, which has no condition",
}


def is_elastic(value: Any) -> bool:
    """Whether an object is a rule of Elastic Security."""
    return (
        isinstance(value, dict)
        and all(isinstance(value.get(key), str) for key in ("name", "type", "rule_id"))
        and bool({"query", "language", "index", "risk_score", "machine_learning_job_id"} & value.keys())
    )


def rules_in(text: str, path: str) -> list[tuple[dict[str, Any], Position]]:
    """The rules of a file with their positions: TOML with ``[rule]``, or an export, which has one in each line.

    Raises SourceError if it cannot be read.
    """
    if path.endswith(".toml"):
        return _of_toml(text, path)
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if '"rule_id"' in line:
            try:
                value = json.loads(line)
            except (ValueError, RecursionError) as error:
                if not path.endswith(".ndjson"):
                    continue  # a line of a larger text
                problem = Problem(Position(path, number, 1), f"not valid JSON: {error}")
                raise SourceError([problem]) from None
            if is_elastic(value):
                found.append((value, Position(path, number, 1)))
    return found


def _of_toml(text: str, path: str) -> list[tuple[dict[str, Any], Position]]:
    try:
        rule: Any = tomllib.loads(text).get("rule")
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        place = re.search(r"line (\d+), column (\d+)", str(error))
        line, column = (int(place[1]), int(place[2])) if place else (1, 1)
        raise SourceError([Problem(Position(path, line, column), f"not valid TOML: {error}")]) from None
    if not is_elastic(rule):
        return []
    begin = re.search(r"^\s*\[\s*rule\s*\]", text, re.MULTILINE)
    return [(rule, Position(path, text.count("\n", 0, begin.end()) + 1 if begin else 1, 1))]


def read_elastic(
    rule: dict[str, Any], position: Position, pack: str, table: Mapping[str, str]
) -> Detection | NotRead | None:
    """Read a rule; None if it is about another source. ``table`` has paths of fields under other names."""
    source = [rule.get(key) for key in ("index", "query", "data_view_id")]
    if not _ABOUT_AUDIT.search(json.dumps(source, default=str)):
        return None
    names = Names(table)
    try:
        steps = _steps(rule, names)
    except Untranslatable as reason:
        return NotRead(str(rule["rule_id"]), str(rule["name"]), pack, position, str(reason))
    except RecursionError:
        return NotRead(str(rule["rule_id"]), str(rule["name"]), pack, position, "its query is nested too deeply")
    if not steps:
        return None
    return Detection(
        id=str(rule["rule_id"]),
        title=str(rule["name"]),
        pack=pack,
        steps=steps,
        position=position,
        severity=str(rule.get("severity") or ""),
        tags=tuple(dict.fromkeys([*_texts(rule.get("tags")), *_techniques(rule.get("threat"))])),
        remarks=tuple(names.remarks),
        enabled=rule.get("enabled") is not False,
    )


def _steps(rule: dict[str, Any], names: Names) -> tuple[Condition, ...]:
    from auditproof.detections.readers.elastic.eql import eql_steps  # imports lark
    from auditproof.detections.readers.elastic.kql import kql_condition

    kind, language, query = (rule.get(key) for key in ("type", "language", "query"))
    if kind in _KINDS:
        raise Untranslatable(_KINDS[kind])
    if kind not in ("query", "saved_query", "eql", "threshold", "new_terms", "threat_match"):
        raise Untranslatable(f"it is of the unknown type {kind}")
    if rule.get("filters"):
        raise Untranslatable("it has filters in the Query DSL")
    if not isinstance(query, str):
        raise Untranslatable("it has no query")
    if rule.get("exceptions_list"):
        names.remarks["its list of exceptions is not in the file, and not looked at"] = None
    if kind == "eql" or language == "eql":
        return eql_steps(query, names)
    if language not in ("kuery", None):
        raise Untranslatable(f"its query is in {str(language).capitalize()}; only KQL and EQL are read")
    return (both(kql_condition(query, names), *_grouped(rule, names)),)


def _grouped(rule: dict[str, Any], names: Names) -> list[Condition]:
    """That an event has the fields by which a rule compares events with each other: others are left out of it."""
    fields: list[str] = []
    threshold, terms = rule.get("threshold"), rule.get("new_terms")
    if rule["type"] == "threshold" and isinstance(threshold, dict):
        fields = _texts(threshold.get("field"))
        names.remarks["how many events there must be (threshold) is not looked at"] = None
    if rule["type"] == "new_terms":
        given = terms.get("value") if isinstance(terms, dict) else rule.get("new_terms_fields")
        fields = _texts(given)
        names.remarks[f"whether the value is new ({', '.join(fields)}) is not looked at"] = None
    if rule["type"] == "threat_match":
        names.remarks["the indicators with which it compares events are not looked at"] = None
    return [compared(name, Operator.EXISTS, (), names) for name in fields]


def _texts(value: Any) -> list[str]:
    return (
        [str(one) for one in value] if isinstance(value, list) else [value] if isinstance(value, str) and value else []
    )


def _techniques(threats: Any) -> list[str]:
    """Tags as Sigma has them for the techniques of ATT&CK: attack.t1611."""
    pending, found = [threats], []
    while pending:
        value = pending.pop(0)
        if isinstance(value, list):
            pending = [*value, *pending]
        elif isinstance(value, dict):
            if re.fullmatch(r"T\d{4}(\.\d{3})?", str(value.get("id"))):
                found.append(f"attack.{str(value['id']).lower()}")
            pending = [value.get("technique"), value.get("subtechnique"), *pending]
    return found
