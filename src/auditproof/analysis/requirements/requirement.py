"""A Requirement with its Bound, and the file that contains it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.audit.decide import no_match
from auditproof.audit.event import Level
from auditproof.audit.stages import in_order

if TYPE_CHECKING:
    from pathlib import Path

    from auditproof.audit.event import Stage
    from auditproof.audit.policy.load import PolicyRule
    from auditproof.errors import Position
    from auditproof.kube.attributes import Attributes


@dataclass(frozen=True, slots=True)
class StageBound:
    """The permitted stages of a recorded request: all of ``least`` that it goes through, none but those of ``most``."""

    least: frozenset[Stage]
    most: frozenset[Stage]

    def nearest(self, recorded: frozenset[Stage], emitted: frozenset[Stage]) -> frozenset[Stage]:
        """The permitted stages closest to ``recorded``, of a request whose stages are ``emitted``.

        They equal ``recorded`` exactly if that is permitted.
        """
        return (recorded | (self.least & emitted)) & self.most

    def __str__(self) -> str:
        if self.least == self.most:
            return f"exactly {_listed(self.least)}"
        return f"at least {_listed(self.least)}" if self.least else f"at most {_listed(self.most)}"


def _listed(stages: frozenset[Stage]) -> str:
    return ", ".join(in_order(stages))


@dataclass(frozen=True, slots=True)
class Bound:
    """The permitted levels, and the permitted stages of what is recorded (None: any)."""

    levels: frozenset[Level]
    stages: StageBound | None = None

    @staticmethod
    def between(least: Level, most: Level) -> Bound:
        """The levels from ``least`` to ``most``, both included."""
        return Bound(frozenset(level for level in Level if least <= level <= most))

    @property
    def least(self) -> Level:
        """The lowest permitted level."""
        return min(self.levels)

    @property
    def most(self) -> Level:
        """The highest permitted level."""
        return max(self.levels)

    def allows(self, level: Level) -> bool:
        """Whether ``level`` (NONE: not recorded) is permitted."""
        return level in self.levels

    def nearest_level(self, level: Level) -> Level:
        """The permitted level closest to ``level``; of two, the lower one."""
        ranks = {one: place for place, one in enumerate(Level)}
        return min(self.levels, key=lambda one: (abs(ranks[one] - ranks[level]), ranks[one]))

    def allows_stages(self, recorded: frozenset[Stage], emitted: frozenset[Stage]) -> bool:
        """Whether a recorded request whose stages are ``emitted`` may have only the events ``recorded``."""
        return self.stages is None or self.stages.nearest(recorded, emitted) == recorded

    def __str__(self) -> str:
        return self._levels_text() + (f", stages: {self.stages}" if self.stages else "")

    def _levels_text(self) -> str:
        if self.least is self.most:
            return f"exactly {self.least}"
        if self.levels != Bound.between(self.least, self.most).levels:
            return " or ".join(str(level) for level in Level if level in self.levels)
        if self.most is Level.REQUEST_RESPONSE:
            return f"at least {self.least}"
        return f"at most {self.most}" if self.least is Level.NONE else f"from {self.least} to {self.most}"


@dataclass(frozen=True, slots=True)
class Clause:
    """Requests that match one of ``selected`` and none of ``excepted``; of these rules only the conditions count.

    ``failed``: these are failed logins (401), which no other clause selects.
    """

    selected: tuple[PolicyRule, ...]
    excepted: tuple[PolicyRule, ...]
    failed: bool = False

    @property
    def rules(self) -> tuple[PolicyRule, ...]:
        """Its rules as a list of a space: exceptions come first, so that they decide."""
        return (*self.excepted, *self.selected)

    def selects_at(self, place: int | None, *, failed: bool) -> bool:
        """Whether it selects requests for which the rule at ``place`` of ``rules`` decides (None: no rule matches)."""
        return place is not None and place >= len(self.excepted) and self.failed is failed

    def selects(self, attributes: Attributes) -> bool:
        """Whether the clause selects the request."""
        if self.failed is not (attributes.user is None):
            return False
        matched = any(no_match(rule, attributes) is None for rule in self.selected)
        return matched and all(no_match(rule, attributes) is not None for rule in self.excepted)


@dataclass(frozen=True, slots=True)
class Requirement:
    """Every request that one of ``clauses`` selects is recorded within ``bound``.

    ``because`` is why it matters, ``source`` who requires it.
    """

    id: str
    title: str
    clauses: tuple[Clause, ...]
    bound: Bound
    because: str
    source: str
    position: Position

    def selects(self, attributes: Attributes) -> bool:
        """Whether the requirement applies to the request."""
        return any(clause.selects(attributes) for clause in self.clauses)


@dataclass(frozen=True, slots=True)
class RequirementsFile:
    """A file of requirements; ``name`` is what messages and reports call it."""

    path: Path
    name: str
    title: str
    requirements: tuple[Requirement, ...]
