"""How much of what could go wrong in the policy its requirements would notice, as plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from auditproof.analysis.mutation import Strength, Tried


def strength_record(strength: Strength) -> dict[str, Any]:
    """How many slips were tried and noticed, and those that nothing notices."""
    return {
        "mutants": len(strength.tried),
        "noticed": len(strength.tried) - len(strength.unnoticed),
        "unnoticed": [_record(one) for one in strength.unnoticed],
    }


def _record(one: Tried) -> dict[str, Any]:
    rule = one.mutant.rule
    place = {"rule": rule.index if rule else None, "line": rule.position.line if rule else None}
    return {**place, "change": one.mutant.text}
