"""What a case expects the audit log to show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditproof.audit import Level, Stage


@dataclass(frozen=True, slots=True)
class Expectation:
    """What is stated about one action; None everywhere means: whatever the policy decides.

    ``level`` Level.NONE means excluded. ``status`` is the HTTP status of the answer, so that a sentence that says
    "is refused with 403" cannot pass on a 200. ``present`` and ``absent`` are dotted paths into the event of the
    last stage, e.g. ``responseObject`` or ``requestObject.metadata.managedFields``.
    """

    level: Level | None = None
    stages: frozenset[Stage] | None = None
    status: int | None = None
    present: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """What somebody else says about an action (a tutorial, a comment): reported as confirmed or contradicted."""

    text: str
    level: Level
