"""Requests in, Decisions out, as JSON lines: the policy evaluated without any server. Pure but for the stream."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from auditproof.audit.decide import decide
from auditproof.audit.event_form import decode, repeated_key, shown
from auditproof.errors import Position, Problem, SourceError
from auditproof.kube.attributes import Attributes, UserInfo

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from auditproof.audit.decide import Decision
    from auditproof.audit.policy.load import Policy

_TEXTS = ("verb", "namespace", "apiGroup", "apiVersion", "resource", "subresource", "name", "path")
_KEYS = frozenset({"user", "groups", *_TEXTS})


def evaluate_lines(policy: Policy, lines: Iterable[bytes], name: str) -> Iterator[str]:
    """One answer for each request in ``lines``; ``name`` is what errors call the input. Empty lines are passed over.

    A request is a JSON object with the keys user, groups, verb, namespace, apiGroup, apiVersion, resource, subresource
    and name, or path for a non-resource request; absent keys are empty, ``"user": null`` is a failed authentication.
    Groups are taken as they are given. Raises SourceError at a line that is not such an object.
    """
    for number, line in enumerate(lines, 1):
        if line.strip():
            decision = decide(policy, _attributes(line, Position(name, number, 1)))
            yield json.dumps(_answer(decision))


def _answer(decision: Decision) -> dict[str, Any]:
    rule = decision.rule
    return {
        "level": str(decision.level),
        "rule": rule.index if rule else None,
        "line": rule.position.line if rule else None,
        "omitStages": sorted(decision.omit_stages),
        "omitManagedFields": decision.omit_managed_fields,
    }


def _attributes(line: bytes, where: Position) -> Attributes:
    request = _object(line, where)
    texts = {key: _text(request, key, where) for key in _TEXTS}
    if "path" in request and not texts["path"] and not texts["resource"]:
        raise _wrong(where, "path is empty: a request without a resource has a path, such as /healthz")
    if texts["path"]:
        return Attributes(_user(request, where), texts["verb"], path=texts["path"], resource_request=False)
    return Attributes(
        _user(request, where),
        texts["verb"],
        texts["namespace"],
        texts["apiGroup"],
        texts["apiVersion"],
        texts["resource"],
        texts["subresource"],
        texts["name"],
    )


def _object(line: bytes, where: Position) -> dict[str, Any]:
    try:
        request = decode(line)
    except UnicodeDecodeError as error:
        raise _wrong(where, f"not UTF-8: byte {error.start + 1} of this line is 0x{line[error.start]:02x}") from None
    except ValueError as error:
        raise _wrong(where, f"this line is not JSON: {error}") from None
    if not isinstance(request, dict):
        raise _wrong(where, f"a request must be a JSON object, this line is a {type(request).__name__}")
    if (key := repeated_key(request)) is not None:
        raise _wrong(where, f"the key {shown(key)} is there twice")
    unknown = sorted(set(request) - _KEYS)
    if unknown:
        raise _wrong(where, f"unknown key {shown(unknown[0])}; known: {', '.join(sorted(_KEYS))}")
    return request


def _text(request: dict[str, Any], key: str, where: Position) -> str:
    value = request.get(key, "")
    if not isinstance(value, str):
        raise _wrong(where, f"{key} must be a string, it is {shown(value)}")
    return value


def _user(request: dict[str, Any], where: Position) -> UserInfo | None:
    if "user" in request and request["user"] is None:
        return None
    groups = request.get("groups") or []
    if not isinstance(groups, list) or not all(isinstance(group, str) for group in groups):
        raise _wrong(where, f"groups must be a list of strings, they are {shown(groups)}")
    return UserInfo(_text(request, "user", where), tuple(groups))


def _wrong(where: Position, text: str) -> SourceError:
    return SourceError([Problem(where, text)])
