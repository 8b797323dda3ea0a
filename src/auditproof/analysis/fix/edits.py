"""What a fix consists of: rules that are inserted, get another level, or are removed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditproof.analysis.requirements import Requirement
    from auditproof.audit.event import Level, Stage
    from auditproof.audit.policy.load import Policy, PolicyRule


@dataclass(frozen=True, slots=True)
class Inserted:
    """New rules in front of the policy's rule with the index ``before``; the number of rules means: at the end."""

    before: int
    rules: tuple[PolicyRule, ...]
    requirement: Requirement


@dataclass(frozen=True, slots=True)
class Leveled:
    """The policy's rule with the index ``rule`` gets another level, and these ``omit_stages`` if it has none yet."""

    rule: int
    level: Level
    omit_stages: frozenset[Stage]
    requirement: Requirement


@dataclass(frozen=True, slots=True)
class Removed:
    """The policy's rule with the index ``rule`` is removed: new rules in front of it decide all its requests."""

    rule: int


Edit = Inserted | Leveled | Removed


@dataclass(frozen=True, slots=True)
class Fix:
    """Edits, the policy with them, and the requirements that it still does not meet, each with the reason."""

    edits: tuple[Edit, ...]
    policy: Policy
    unmet: tuple[tuple[Requirement, str], ...]

    @property
    def size(self) -> int:
        """The number of rules that are new, changed or removed."""
        return sum(len(edit.rules) if isinstance(edit, Inserted) else 1 for edit in self.edits)
