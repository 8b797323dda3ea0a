"""Level, Stage and AuditEvent.

Spelled and ordered as in ``audit.k8s.io/v1`` (staging/src/k8s.io/apiserver/pkg/apis/audit/v1/types.go).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@functools.total_ordering
class Level(Enum):
    """How much of a request is recorded; ordered from nothing to everything.

    >>> from auditproof import Level
    >>> Level.METADATA < Level.REQUEST_RESPONSE, str(Level("Metadata"))
    (True, 'Metadata')
    """

    NONE = "None"
    METADATA = "Metadata"
    REQUEST = "Request"
    REQUEST_RESPONSE = "RequestResponse"

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Level):
            return NotImplemented
        return _ORDER[self] < _ORDER[other]

    def __str__(self) -> str:
        return self.value


_ORDER = {level: place for place, level in enumerate(Level)}


class Stage(StrEnum):
    """The moments of a request at which an event can be recorded, in the order in which they happen.

    >>> from auditproof import Stage
    >>> [str(stage) for stage in Stage]
    ['RequestReceived', 'ResponseStarted', 'ResponseComplete', 'Panic']
    """

    REQUEST_RECEIVED = "RequestReceived"
    RESPONSE_STARTED = "ResponseStarted"
    RESPONSE_COMPLETE = "ResponseComplete"
    PANIC = "Panic"


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One line of the audit log.

    ``raw`` is the decoded JSON object, ``source`` its file, ``offset`` the byte at which its line begins, and ``line``
    the bytes of the line (empty if they are not known).

    >>> from auditproof import AuditEvent, Level, Stage
    >>> raw = {"user": {"username": "alice"}, "responseStatus": {"code": 200}}
    >>> event = AuditEvent("4f0d", Level.METADATA, Stage.RESPONSE_COMPLETE, raw)
    >>> event.username, event.code
    ('alice', 200)
    """

    audit_id: str
    level: Level
    stage: Stage
    raw: Mapping[str, Any]
    source: str = ""
    offset: int = 0
    line: bytes = field(default=b"", compare=False, repr=False)

    @property
    def username(self) -> str:
        """The authenticated user's name; empty after a failed authentication."""
        return str(self.raw.get("user", {}).get("username", ""))

    @property
    def code(self) -> int | None:
        """The HTTP status that the event reports, or None at a stage that has none."""
        code = self.raw.get("responseStatus", {}).get("code")
        return int(code) if code is not None else None
