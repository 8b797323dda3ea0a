"""Changes that someone has approved, read from a file next to the policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date

    from auditproof.analysis.gate.consequence import Consequence
    from auditproof.audit.policy.load import PolicyRule
    from auditproof.errors import Position


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """One entry: what may happen (``effects``) to which requests.

    ``requests`` are selectors, as rules of which only the conditions count.
    ``until`` is the last day on which it applies, None for no end.
    """

    requests: tuple[PolicyRule, ...]
    effects: frozenset[Consequence]
    because: str
    approved_by: str
    ticket: str
    until: date | None
    position: Position
