"""A field of audit events, and its values in one. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from collections.abc import Iterator

EACH = "*"
ANYWHERE = "**"
_TAG = re.compile(r"(?P<repository>[^@]+?)(:[^:/@]+)?(@.*)?")

_NO_QUERY = re.compile("%(?![0-9a-fA-F]{2})|;")  # where ParseQuery of Go's net/url returns an error


class Derived(StrEnum):
    """What is read out of the value at a path, instead of the value itself."""

    REPOSITORY = "repository"  # of an image, without tag and digest
    PARAMETER = "parameter"  # of the query of a URI
    TEXT = "text"  # the JSON text of an object or a list; a scalar as it is
    UNTIL_COLON = "until the first colon"  # of an image, or until the first @; cuts a registry's port, as Falco does
    JOINED = "joined"  # the elements of a list of strings, with a space between them
    HOST_PORT = "host port"  # of a port of a container; its containerPort if it has none
    VOLUME_TYPE = "volume type"  # the keys of a volume, without its name
    SUBJECT = "name of a subject"  # of a binding, of the kind that is the parameter; see ``_subject``


@dataclass(frozen=True, slots=True)
class Field:
    """The values at a path of keys from the root of an event, or what is ``derived`` from them.

    A key EACH stands for every element of a list, ANYWHERE for any number of keys and elements, none included.
    ``parameter`` is the name of a parameter of the query, with Derived.PARAMETER. ``flattened``: lists are no level of
    their own, as in Sigma and Elasticsearch: a key reaches into every element, and a list at the end stands for its
    elements. ``first``: only the first value counts. ``whole``: the field is absent unless every element of the first
    EACH of the path has a value.

    >>> from auditproof.detections import Field
    >>> event = {"requestObject": {"spec": {"containers": [{"image": "shop/web:1.2"}, {"image": "shop/log"}]}}}
    >>> Field.at("requestObject.spec.containers.*.image").values(event)
    ['shop/web:1.2', 'shop/log']
    >>> Field(("requestObject", "spec", "containers", "image"), flattened=True).values(event)
    ['shop/web:1.2', 'shop/log']
    """

    path: tuple[str, ...]
    derived: Derived | None = None
    parameter: str = ""
    flattened: bool = False
    first: bool = False
    whole: bool = False

    @staticmethod
    def at(dotted: str) -> Field:
        """The field at a path with dots between its keys; none of the keys contains a dot."""
        return Field(tuple(dotted.split(".")))

    def values(self, event: Any) -> list[Any]:
        """The values in the decoded JSON of an event; null counts as absent, as in Go."""
        found = [value for value in _at(event, self.path, self.flattened) if value is not None]
        if self.whole and self._is_broken(event):
            return []
        if self.derived is not None:
            found = [one for value in found for one in _derived(self.derived, self.parameter, value)]
        return found[:1] if self.first else found

    def _is_broken(self, event: Any) -> bool:
        at = self.path.index(EACH) + 1
        elements = _at(event, self.path[:at], flattened=False)
        return any(all(value is None for value in _at(one, self.path[at:], flattened=False)) for one in elements)

    @property
    def top(self) -> str:
        """The first key of the path."""
        return self.path[0]

    def __str__(self) -> str:
        """As it is written in messages.

        >>> from auditproof.detections import Derived, Field
        >>> print(Field(("requestURI",), Derived.PARAMETER, "command"))
        requestURI?command
        """
        path = ".".join(self.path)
        if self.derived is Derived.PARAMETER:
            return f"{path}?{self.parameter}"
        note = ", ".join(filter(None, (self.derived, self.parameter)))
        return f"{path} ({note})" if note else path


def _derived(derived: Derived, parameter: str, value: Any) -> list[Any]:
    match derived, value:
        case Derived.TEXT, _:
            is_scalar = not isinstance(value, (dict, list))
            return [value if is_scalar else json.dumps(value, separators=(",", ":"), ensure_ascii=False)]
        case Derived.PARAMETER, str():
            query = value.partition("?")[2]
            return [] if _NO_QUERY.search(query) else parse_qs(query, keep_blank_values=True).get(parameter, [])
        case Derived.REPOSITORY, str():
            match = _TAG.fullmatch(value)
            return [match["repository"]] if match else []
        case Derived.UNTIL_COLON, str():
            return [re.split("[:@]", value, maxsplit=1)[0]]
        case Derived.JOINED, list():
            return [" ".join(value)] if all(isinstance(one, str) for one in value) else []
        case Derived.HOST_PORT, dict():
            ports = [value.get("hostPort"), value.get("containerPort")]
            return [port for port in ports if port is not None][:1]
        case Derived.VOLUME_TYPE, dict():
            return [key for key in value if key != "name"]
        case Derived.SUBJECT, dict():
            return _subject(parameter, value)
    return []


def _subject(kind: str, subject: dict[str, Any]) -> list[str]:
    """The name, if the subject has this kind; "namespace:name" of a service account for NamespacedServiceAccount."""
    is_qualified = kind == "NamespacedServiceAccount"
    found = [subject.get("namespace"), subject.get("name")] if is_qualified else [subject.get("name")]
    names = [one for one in found if isinstance(one, str)]
    has_kind = subject.get("kind") == kind.removeprefix("Namespaced")
    return [":".join(names)] if has_kind and len(names) == len(found) else []


def _at(value: Any, path: tuple[str, ...], flattened: bool) -> Iterator[Any]:
    key, rest = (path[0], path[1:]) if path else ("", ())
    if flattened and isinstance(value, list) and key != EACH and not key.isdecimal():
        for one in value:
            yield from _at(one, path, flattened)
    elif not path:
        yield value
    elif key == ANYWHERE:
        yield from _at(value, rest, flattened)
        for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            yield from _at(one, path, flattened)
    elif key == EACH:
        for one in value if isinstance(value, list) else ():
            yield from _at(one, rest, flattened)
    elif isinstance(value, dict):
        if key in value:
            yield from _at(value[key], rest, flattened)
    elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
        yield from _at(value[int(key)], rest, flattened)
