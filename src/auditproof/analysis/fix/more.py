"""What a fix may record beyond what the requirements ask for, if that makes it shorter. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.audit.event import Level

if TYPE_CHECKING:
    from auditproof.audit.effect import Effect


def records_more(effect: Effect, before: Effect) -> bool:
    """Whether everything that was recorded still is, and no body that was not."""
    if not before.level <= effect.level <= max(before.level, Level.METADATA):
        return False
    return before.stages <= effect.stages and (before.omit_managed_fields or not effect.omit_managed_fields)
