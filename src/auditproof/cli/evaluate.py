"""``auditproof evaluate``: requests in, decisions out, as JSON lines; the policy is evaluated without a server."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditproof.audit.decide import decide
from auditproof.audit.event_form import decode, repeated_key, shown
from auditproof.cli.arguments import add_kubernetes, add_policy, load_given
from auditproof.cli.exit_codes import ExitCode
from auditproof.errors import AuditproofError, Position, Problem, SourceError
from auditproof.kube.question import NoSuchRequest, path_question, resource_question, user_of
from auditproof.text import output

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterable, Iterator

    from auditproof.audit.decide import Decision
    from auditproof.audit.policy.load import Policy
    from auditproof.kube.attributes import Attributes
    from auditproof.kube.discovery import Served

EPILOG = """\
Each input line is a JSON object with the keys user, groups, verb, namespace, apiGroup, apiVersion, resource,
subresource and name, or with path for a non-resource request. Absent keys are empty, but an absent apiGroup is the
first API group that serves the resource ("" is the core group). "user": null is a request that failed authentication.
The user is also in the groups that the API server's authentication adds (system:authenticated, and those of a service
account or a node); with --exact-groups in no other than given. A request that no API server serves is an error.
Each output line has level, rule (counted from 0, or null), line, omitStages, omitManagedFields, and the apiGroup and
groups that were used.

example:
  echo '{"user":"alice","groups":["dev"],"verb":"get","resource":"secrets","namespace":"shop"}' |
    auditproof evaluate policies/prod.yaml --requests -
"""
EXIT_CODES = {
    ExitCode.FINE: "every request is evaluated",
    ExitCode.UNUSABLE: "unusable options, or the policy or a request cannot be used",
}
_TEXTS = ("verb", "namespace", "apiGroup", "apiVersion", "resource", "subresource", "name", "path")
_KEYS = frozenset({"user", "groups", *_TEXTS})


def declare(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    add_policy(parser)
    parser.add_argument("--requests", metavar="FILE", required=True, help="JSON lines; - is standard input")
    parser.add_argument("--exact-groups", action="store_true", help="add no group to those of a request")
    add_kubernetes(parser)


def execute(options: Namespace) -> int:
    """Write one decision for each request."""
    from auditproof.kube.discovery import load_served

    policy = load_given(options.policy, options.kubernetes)
    name = "standard input" if options.requests == "-" else options.requests
    served = load_served(options.kubernetes)
    lines = _lines(options.requests, name)
    for answer in evaluate_lines(policy, lines, name, served, exact_groups=options.exact_groups):
        output.tell_json(answer)
    return 0


def _lines(requests: str, name: str) -> Iterator[bytes]:
    try:
        if requests == "-":
            yield from sys.stdin.buffer
        else:
            with Path(requests).open("rb") as file:
                yield from file
    except OSError as error:
        raise AuditproofError(f"{name}: cannot be read: {error.strerror}") from None


def evaluate_lines(
    policy: Policy, lines: Iterable[bytes], name: str, served: Served, *, exact_groups: bool = False
) -> Iterator[str]:
    """Yield one decision, as JSON, for each request in ``lines``; empty lines are skipped.

    ``EPILOG`` describes both. ``name`` is what messages call the input, ``served`` what the API server serves. Raises
    SourceError at the first line that is not a request.
    """
    for number, line in enumerate(lines, 1):
        if line.strip():
            attributes = _attributes(line, Position(name, number, 1), served, exact_groups=exact_groups)
            yield json.dumps(_answer(decide(policy, attributes), attributes))


def _answer(decision: Decision, attributes: Attributes) -> dict[str, Any]:
    rule, user = decision.rule, attributes.user
    return {
        "level": str(decision.level),
        "rule": rule.index if rule else None,
        "line": rule.position.line if rule else None,
        "omitStages": sorted(decision.omit_stages),
        "omitManagedFields": decision.omit_managed_fields,
        "apiGroup": attributes.api_group if attributes.resource_request else None,
        "groups": list(user.groups) if user else None,
    }


def _attributes(line: bytes, where: Position, served: Served, *, exact_groups: bool) -> Attributes:
    request = _object(line, where)
    texts = {key: _text(request, key, where) for key in _TEXTS}
    if "user" in request and request["user"] is None:
        user = None
    else:
        groups = request.get("groups") or []
        if not isinstance(groups, list) or not all(isinstance(group, str) for group in groups):
            raise _wrong(where, f"groups: expected a list of strings, found {shown(groups)}")
        user = user_of(_text(request, "user", where), groups, exact=exact_groups)
    if not texts["path"] and not texts["resource"]:
        state = "path is empty" if "path" in request else "neither resource nor path is given"
        raise _wrong(where, f"{state}: expected a resource, or a path such as /healthz")
    try:
        if texts["path"]:
            return path_question(user, texts["verb"], texts["path"])
        return resource_question(
            served,
            user,
            texts["verb"],
            texts["resource"],
            texts["subresource"],
            texts["apiGroup"] if "apiGroup" in request else None,
            version=texts["apiVersion"],
            namespace=texts["namespace"],
            name=texts["name"],
        )
    except NoSuchRequest as error:
        raise _wrong(where, str(error)) from None


def _object(line: bytes, where: Position) -> dict[str, Any]:
    try:
        request = decode(line)
    except UnicodeDecodeError as error:
        raise _wrong(where, f"not UTF-8: byte {error.start + 1} of this line is 0x{line[error.start]:02x}") from None
    except ValueError as error:
        raise _wrong(where, f"not JSON: {error}") from None
    if not isinstance(request, dict):
        raise _wrong(where, f"expected a JSON object, found {shown(request)}")
    if (key := repeated_key(request)) is not None:
        raise _wrong(where, f"duplicate key {shown(key)}")
    unknown = sorted(set(request) - _KEYS)
    if unknown:
        raise _wrong(where, f"unknown key {shown(unknown[0])}; expected one of {', '.join(sorted(_KEYS))}")
    return request


def _text(request: dict[str, Any], key: str, where: Position) -> str:
    value = request.get(key, "")
    if not isinstance(value, str):
        raise _wrong(where, f"{key}: expected a string, found {shown(value)}")
    return value


def _wrong(where: Position, text: str) -> SourceError:
    return SourceError([Problem(where, text)])
