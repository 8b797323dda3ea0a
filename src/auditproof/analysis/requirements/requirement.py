"""A Requirement with its Bound, and the file that contains it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.audit.event import Level

if TYPE_CHECKING:
    from pathlib import Path

    from auditproof.audit.policy.load import PolicyRule
    from auditproof.errors import Position


@dataclass(frozen=True, slots=True)
class Bound:
    """The permitted levels: from ``least`` to ``most``, both included."""

    least: Level
    most: Level

    def allows(self, level: Level) -> bool:
        """Whether ``level`` (NONE: not recorded) is permitted."""
        return self.least <= level <= self.most

    def __str__(self) -> str:
        if self.least is self.most:
            return f"exactly {self.least}"
        if self.most is Level.REQUEST_RESPONSE:
            return f"at least {self.least}"
        return f"at most {self.most}" if self.least is Level.NONE else f"from {self.least} to {self.most}"


@dataclass(frozen=True, slots=True)
class Requirement:
    """Every request that matches one of ``selected`` and none of ``excepted`` is recorded within ``bound``.

    Of these rules only the conditions count. ``failed`` selects failed logins (401), which ``selected`` never does.
    ``because`` is why it matters, ``source`` who requires it.
    """

    id: str
    title: str
    selected: tuple[PolicyRule, ...]
    failed: tuple[PolicyRule, ...]
    excepted: tuple[PolicyRule, ...]
    bound: Bound
    because: str
    source: str
    position: Position


@dataclass(frozen=True, slots=True)
class RequirementsFile:
    """A file of requirements; ``name`` is what messages and reports call it."""

    path: Path
    name: str
    title: str
    requirements: tuple[Requirement, ...]
