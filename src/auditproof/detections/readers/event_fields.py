"""The field of an audit event that a rule means by a name. Pure.

Which fields an event has: type Event in staging/src/k8s.io/apiserver/pkg/apis/audit/v1/types.go.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from auditproof.detections.fields import ANYWHERE, EACH, Derived, Field
from auditproof.errors import AuditproofError

if TYPE_CHECKING:
    from collections.abc import Mapping

_ONE: dict[str, Any] = {}  # a value without keys
_LIST = "a list of values"
_KEY = "whatever follows is one key, which may have dots in it"
_KEY_OF_LISTS = "the same, and its value is a list"
_BODY = "any keys, and lists anywhere"
_USER = {"username": _ONE, "uid": _ONE, "groups": _LIST, "extra": _KEY_OF_LISTS}
_DETAILS = {
    **dict.fromkeys(("name", "group", "kind", "uid", "retryAfterSeconds"), _ONE),
    "causes": _BODY,
}
_EVENT: dict[str, Any] = {
    **dict.fromkeys(("kind", "apiVersion", "level", "auditID", "stage", "requestURI", "verb", "userAgent"), _ONE),
    **dict.fromkeys(("requestReceivedTimestamp", "stageTimestamp"), _ONE),
    "sourceIPs": _LIST,
    "user": _USER,
    "impersonatedUser": _USER,
    "authenticationMetadata": {"impersonationConstraint": _ONE},
    "objectRef": dict.fromkeys(
        ("resource", "namespace", "name", "uid", "apiGroup", "apiVersion", "resourceVersion", "subresource"), _ONE
    ),
    "responseStatus": {
        **dict.fromkeys(("kind", "apiVersion", "status", "message", "reason", "code"), _ONE),
        "metadata": dict.fromkeys(("resourceVersion", "continue", "remainingItemCount", "selfLink"), _ONE),
        "details": _DETAILS,
    },
    "requestObject": _BODY,
    "responseObject": _BODY,
    "annotations": _KEY,
}
# Keys of bodies whose own keys are free, and may have dots in them: at the top, in metadata, and anywhere.
_TOP_MAPS = frozenset({"data", "binaryData", "stringData"})
_METADATA_MAPS = frozenset({"annotations", "labels"})
_MAPS = frozenset({"matchLabels", "nodeSelector"})


@dataclass(slots=True)
class Names:
    """Names of fields by ``table``, and what is to be said about those that a rule uses, in ``remarks``."""

    table: Mapping[str, str]
    remarks: dict[str, None] = field(default_factory=dict)

    def field(self, name: str) -> Field:
        """The field of that name; with a remark if it is not an event's own, or none that an event has."""
        path = self.table.get(name)
        if path is not None:
            self.remarks[f"{name} is read as {path}"] = None
        found = event_field(path or name)
        if found is None:
            self.remarks[f"an audit event has no field {name}, so no test of it is ever true"] = None
        return found or Field.at(name)


def shipped_names(language: str) -> Mapping[str, str]:
    """The names of a language of rules in field_names.toml, with the path of an event that each stands for."""
    names: dict[str, str] = table(language)
    return names


@cache
def table(name: str) -> dict[str, Any]:
    """A table of field_names.toml."""
    text = files("auditproof.detections.readers").joinpath("field_names.toml").read_text(encoding="utf-8")
    found: dict[str, Any] = tomllib.loads(text)[name]
    return found


def checked_names(given: Mapping[str, str]) -> Mapping[str, str]:
    """The user's own names. Raises AuditproofError for a path that no event has."""
    for name, path in given.items():
        if event_field(path) is None:
            raise AuditproofError(
                f"fields: {name} cannot be read as {path}: an audit event has no such field; "
                "write a path such as objectRef.namespace or requestObject.spec.hostPID"
            )
    return given


def event_field(path: str) -> Field | None:
    """The field at a path with dots between its keys, in which lists count for their elements; None if no event has it.

    >>> from auditproof.detections.readers.event_fields import event_field
    >>> event_field("annotations.authorization.k8s.io/decision").path
    ('annotations', 'authorization.k8s.io/decision')
    >>> event_field("user.groups").path
    ('user', 'groups', '*')
    >>> event_field("eventName") is None
    True
    """
    base, _, parameter = path.partition("?")
    if parameter:
        return Field(("requestURI",), Derived.PARAMETER, parameter) if base == "requestURI" else None
    form: Any = _EVENT
    steps = tuple(path.split("."))
    for place, step in enumerate(steps):
        if form == _KEY:
            return Field((*steps[:place], ".".join(steps[place:])))
        if form == _KEY_OF_LISTS:
            return Field((*steps[:place], ".".join(steps[place:]), EACH))
        if form == _BODY or step == ANYWHERE:
            return _field_of_body(steps, place)
        if not isinstance(form, dict) or step not in form:
            return None
        form = form[step]
    return Field((*steps, EACH) if form == _LIST else steps, flattened=form == _BODY)


def _field_of_body(steps: tuple[str, ...], begin: int) -> Field | None:
    if "" in steps or steps[-1] == ANYWHERE:
        return None
    for place in range(begin, len(steps) - 1):
        above, step = steps[place - 1], steps[place]
        if step in _MAPS or (step in _METADATA_MAPS and above == "metadata") or (step in _TOP_MAPS and place == begin):
            return Field((*steps[: place + 1], ".".join(steps[place + 1 :])), flattened=True)
    return Field(steps, flattened=True)
