"""The effect of a Decision on the audit log: the level and the remaining stages. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.audit.event import Level, Stage

if TYPE_CHECKING:
    from auditproof.audit.decide import Decision

FAILED_STAGES = frozenset({Stage.RESPONSE_STARTED})  # the only event of a failed authentication
WITH_BODIES = frozenset({Level.REQUEST, Level.REQUEST_RESPONSE})


@dataclass(frozen=True, slots=True)
class Effect:
    """The level, the stages that are not omitted, and whether managedFields are omitted; NOTHING at level None.

    Two requests with equal Effects are recorded alike.
    """

    level: Level
    stages: frozenset[Stage]
    omit_managed_fields: bool

    @property
    def recorded(self) -> bool:
        """Whether a request leaves any event other than that of a panic."""
        return bool(self.stages - {Stage.PANIC})

    def __str__(self) -> str:
        return str(self.level)


NOTHING = Effect(Level.NONE, frozenset(), omit_managed_fields=False)


def effect_of(decision: Decision, *, failed: bool) -> Effect:
    """Return the Effect of ``decision`` on a request; ``failed``: its authentication fails.

    Without bodies there are no managedFields to omit, and without a stage nothing is recorded.
    """
    stages = (FAILED_STAGES if failed else frozenset(Stage)) - decision.omit_stages
    if decision.level is Level.NONE or not stages:
        return NOTHING
    return Effect(decision.level, stages, decision.omit_managed_fields and decision.level in WITH_BODIES)
