"""What a file holds, piece by piece: an event, something that certainly belongs to another log, or neither."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class UnwrappedEvent:
    """An audit event: the line of the file in which it begins, the form in which it was found, and its JSON."""

    line: int
    form: str
    raw: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Passed:
    """Something that certainly belongs to another log, such as the API server's own messages: of which."""

    line: int
    log: str


@dataclass(frozen=True, slots=True)
class Refused:
    """What may be any event and cannot be read as one: why, and what to do where that is known."""

    line: int
    reason: str


Opened: TypeAlias = UnwrappedEvent | Passed | Refused
