"""Compares an event's fields with the expected ones."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from auditproof.audit.redact import redact
from auditproof.cases.expectation import pattern_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.audit.event import AuditEvent
    from auditproof.cases.expectation import Expectation

_Path = tuple[str | int, ...]


def unlike(expectation: Expectation, event: AuditEvent) -> Iterator[str]:
    """Extra, missing and different fields of an event, as sentences that contain no secret."""
    for field in expectation.present:
        if _at(event.raw, field) is None:
            yield f"the event has no {field}, expected one"
    for field in expectation.absent:
        if _at(event.raw, field) is not None:
            yield f"the event has {field}, expected none"
    for path, wanted in _differences(event.raw, expectation.event, ()):
        # By its place in the event, and in the case as well: reasons are printed.
        if _is_secret(event.raw, path) or _is_secret(expectation.event, path):
            yield f"the event's {_dotted(path)} differs from the expected value; both are secret and not shown"
        else:
            value = _json(_within(event.raw, path))
            yield f"the event's {_dotted(path)} is {value}, expected {wanted}{_code_beside(event, path)}"


def _differences(value: Any, expected: Any, path: _Path) -> Iterator[tuple[_Path, str]]:
    """The paths at which ``value`` differs from the expected part of an event, with the expected value in words."""
    pattern = pattern_of(expected)
    if pattern is not None and isinstance(value, str):
        if not re.fullmatch(pattern, value):
            yield path, f"to match {pattern}"
    elif isinstance(expected, Mapping) and isinstance(value, Mapping):
        for key, part in expected.items():
            yield from _differences(value.get(key), part, (*path, key))
    elif isinstance(expected, list) and isinstance(value, list) and len(expected) == len(value):
        for n, part in enumerate(expected):
            yield from _differences(value[n], part, (*path, n))
    elif value != expected:
        yield path, _json(expected)


def _code_beside(event: AuditEvent, path: _Path) -> str:
    """The code that the event records, where another part of its status differs: it says why that part does."""
    code = _within(event.raw, ("responseStatus", "code"))
    if path[:1] != ("responseStatus",) or path[1:] in ((), ("code",)) or not isinstance(code, int):
        return ""
    return f" (it records code {code})"


def _is_secret(event: Mapping[str, Any], path: _Path) -> bool:
    """Whether the value at the path must not appear in a report (reasons do)."""
    return bool(_within(event, path) != _within(redact(event), path))


def _dotted(path: _Path) -> str:
    return ".".join(map(str, path))


def _within(value: Any, path: _Path) -> Any:
    """The value at a path; None if there is none."""
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _json(value: Any) -> str:
    return "absent" if value is None else json.dumps(value, ensure_ascii=False)


def _at(value: Any, path: str) -> Any:
    """The value at a dotted path, or None; a number steps into a list."""
    for step in path.split("."):
        if isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        elif hasattr(value, "get"):
            value = value.get(step)
        else:
            return None
    return value
