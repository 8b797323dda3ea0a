"""Lines of an audit log on their way to a reader, and which of them are about what."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

ACTION, FENCE, PREPARING = "auditproof/run-", "auditproof/fence", "auditproof/"


class Role(StrEnum):
    """What a request of the prover is for; it tells by its User-Agent. What else is asked is foreign."""

    ACTION = "action"
    FENCE = "fence"
    PREPARING = "preparing"
    COUNTERS = "counters"
    FOREIGN = "foreign"


def role_of(user_agent: str, path: str = "") -> Role:
    """What a request is for."""
    if user_agent.startswith(ACTION):
        return Role.ACTION
    if user_agent.startswith(PREPARING) and path.startswith("/metrics"):
        return Role.COUNTERS
    if user_agent.startswith(FENCE):
        return Role.FENCE
    return Role.PREPARING if user_agent.startswith(PREPARING) else Role.FOREIGN


@dataclass(frozen=True, slots=True)
class Line:
    """One line as it is handed on: its text with the newline, its event, and how much later (s) than it came."""

    text: bytes
    event: dict[str, Any]
    later: float = 0.0

    @staticmethod
    def of(text: bytes) -> Line:
        """A line of the server's."""
        return Line(text, json.loads(text))

    @property
    def role(self) -> Role:
        """What its request is for."""
        return role_of(str(self.event.get("userAgent", "")), str(self.event.get("requestURI", "")))

    @property
    def name(self) -> str:
        """Its request and stage, the same in every run with the same seed."""
        return f"{self.event.get('userAgent')} {self.event.get('requestURI')} {self.event.get('stage')}"

    def changed(self, event: dict[str, Any]) -> Line:
        """The line with another event."""
        return replace(self, text=json.dumps(event, separators=(",", ":")).encode() + b"\n", event=event)

    def copied(self) -> dict[str, Any]:
        """The event, to be changed."""
        return copy.deepcopy(self.event)
