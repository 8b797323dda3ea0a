"""What to change in a policy so that a requirement is met, in words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.audit.event import Level
from auditproof.audit.stages import in_order

if TYPE_CHECKING:
    from auditproof.analysis.requirements.check import Violation


def remedy_text(violation: Violation) -> str:
    """What the requests of a violation need: a level or stages, and the rule that has to be preceded or changed.

    A rule that selects these requests and is inserted before the one that decides now, decides instead of it.
    """
    rule, bound, broken = violation.rule, violation.bound, violation.row.key
    before = f"insert before rule {rule.index + 1} (line {rule.position.line})" if rule else "add"
    if broken.stages is not None and broken.needed is not None:
        missing, surplus = broken.needed - broken.stages, broken.stages - broken.needed
        kept = [*in_order(missing), *broken.lacks]
        needed = [
            *([f"keep {', '.join(kept)}"] if kept else []),
            *([f"omit {', '.join(in_order(surplus))}"] if surplus else []),
        ]
        return f"{' and '.join(needed)}: change the rule, or {before} another one for these requests"
    level = bound.nearest_level(violation.level)
    stages = f" and events: {bound.stages}," if bound.stages and level is not Level.NONE else ""
    if violation.level is Level.NONE and rule is not None and rule.level is not Level.NONE:
        return f"rule {rule.index + 1} (line {rule.position.line}) omits every stage of these requests: keep one"
    return f"{before} a rule with level: {level}{stages} for these requests"
