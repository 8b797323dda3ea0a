"""judge(expectation, evidence): PROVEN, VIOLATED or UNPROVEN, with reasons. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from auditproof.action import Request

if TYPE_CHECKING:
    from datetime import datetime

    from auditproof.attributes import Attributes
    from auditproof.audit import AuditEvent
    from auditproof.decide import Decision
    from auditproof.identity import Identity


class Outcome(StrEnum):
    """The three values of a verdict."""

    PROVEN = "PROVEN"
    VIOLATED = "VIOLATED"
    UNPROVEN = "UNPROVEN"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request with its response.

    ``connection`` names the TCP connection that carried it; ``complete`` tells that the response was read to its end;
    ``error`` is the transport's own message where no (complete) response came. ``status`` is 0 without a response.
    """

    audit_id: str
    identity: Identity
    request: Request
    attributes: Attributes
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    connection: str
    started: datetime
    finished: datetime
    complete: bool
    error: str = ""
