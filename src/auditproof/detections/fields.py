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


class Derived(StrEnum):
    """What is read out of the value at a path, instead of the value itself."""

    REPOSITORY = "repository"  # of an image, without tag and digest
    PARAMETER = "parameter"  # of the query of a URI
    TEXT = "text"  # the JSON text of an object or a list


@dataclass(frozen=True, slots=True)
class Field:
    """The values at a path of keys from the root of an event, or what is ``derived`` from them.

    A key EACH stands for every element of a list, ANYWHERE for any number of keys and elements, none included.
    ``parameter`` is the name of a parameter of the query, with Derived.PARAMETER. ``flattened``: lists are no level of
    their own, as in Sigma and Elasticsearch: a key reaches into every element, and a list at the end stands for its
    elements.

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

    @staticmethod
    def at(dotted: str) -> Field:
        """The field at a path with dots between its keys; none of the keys contains a dot."""
        return Field(tuple(dotted.split(".")))

    def values(self, event: Any) -> list[Any]:
        """The values in the decoded JSON of an event; null counts as absent, as in Go."""
        found = [value for value in _at(event, self.path, self.flattened) if value is not None]
        if self.derived is None:
            return found
        return [one for value in found for one in self._derived(value)]

    def _derived(self, value: Any) -> list[str]:
        if self.derived is Derived.TEXT:
            return [json.dumps(value, separators=(",", ":"), ensure_ascii=False)]
        if not isinstance(value, str):
            return []
        if self.derived is Derived.PARAMETER:
            return parse_qs(value.partition("?")[2], keep_blank_values=True).get(self.parameter, [])
        match = _TAG.fullmatch(value)
        return [match["repository"]] if match else []

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
        return f"{path} ({self.derived})" if self.derived else path


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
