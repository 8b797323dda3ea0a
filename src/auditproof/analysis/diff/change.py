"""How the Effect of a policy on a request changes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from auditproof.audit.effect import WITH_BODIES
from auditproof.audit.event import Level
from auditproof.audit.stages import emitted_stages, in_order

if TYPE_CHECKING:
    from auditproof.audit.effect import Effect
    from auditproof.kube.attributes import Attributes


class ChangeKind(StrEnum):
    """The consequence of a change for the log, worst first."""

    STOPS = "stops being recorded"
    LOSES_BODIES = "loses bodies"
    STARTS_BODIES = "starts recording bodies"
    LOSES_STAGES = "loses stages"
    STARTS = "starts being recorded"
    GAINS_STAGES = "gains stages"
    MANAGED_FIELDS = "managedFields change"


@dataclass(frozen=True, slots=True)
class Change:
    """A change from one Effect to another."""

    old: Effect
    new: Effect

    @property
    def kind(self) -> ChangeKind:
        """The worst consequence of the change."""
        old, new = self.old, self.new
        return next(
            kind
            for kind, holds in (
                (ChangeKind.STOPS, old.recorded and not new.recorded),
                (ChangeKind.LOSES_BODIES, new.level < old.level and new.recorded),
                (ChangeKind.STARTS_BODIES, new.level > old.level and new.level in WITH_BODIES and new.recorded),
                (ChangeKind.LOSES_STAGES, bool(old.stages - new.stages)),
                (ChangeKind.STARTS, new.level > old.level),
                (ChangeKind.GAINS_STAGES, bool(new.stages - old.stages)),
                (ChangeKind.MANAGED_FIELDS, True),
            )
            if holds
        )

    @property
    def about_bodies(self) -> bool:
        """Whether it takes a request with a body to show all of the change."""
        return not WITH_BODIES.isdisjoint((self.old.level, self.new.level))

    def shows_in(self, attributes: Attributes) -> bool:
        """Whether level or stages of this request's events differ; not every request reaches every stage."""
        emitted = emitted_stages(attributes, 401 if attributes.user is None else 403)
        before, after = self.old.stages & emitted, self.new.stages & emitted
        return before != after or (bool(before) and self.old.level is not self.new.level)

    @property
    def text(self) -> str:
        """What is recorded before and after, in a few words."""
        if Level.NONE in (self.old.level, self.new.level):
            stages_text = ""
        else:
            lost, gained = self.old.stages - self.new.stages, self.new.stages - self.old.stages
            texts = ((word, ", ".join(in_order(some))) for word, some in (("without", lost), ("with", gained)) if some)
            stages_text = ", ".join(f"{word} {stages}" for word, stages in texts)
        with_bodies = {self.old.level, self.new.level} <= WITH_BODIES
        if not with_bodies or self.old.omit_managed_fields == self.new.omit_managed_fields:
            fields_text = ""
        else:
            fields_text = "without managedFields" if self.new.omit_managed_fields else "with managedFields"
        levels = f"{self.old} → {self.new}" if self.old.level is not self.new.level else f"level {self.old}"
        return "; ".join(filter(None, [levels, stages_text, fields_text]))

    @property
    def rank(self) -> tuple[int, int]:
        """Sort key, worst first."""
        return list(ChangeKind).index(self.kind), -abs(_RANKS[self.old.level] - _RANKS[self.new.level])


_RANKS = {level: place for place, level in enumerate(Level)}
