"""What to change in a policy so that a requirement is met, in words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.audit.event import Level
from auditproof.audit.stages import in_order

if TYPE_CHECKING:
    from collections.abc import Iterable

    from auditproof.analysis.requirements.check import Violation
    from auditproof.analysis.requirements.requirement import Bound
    from auditproof.audit.event import Stage


def remedy_text(violation: Violation, bound: Bound) -> str:
    """What the requests of a violation need: a level or stages, and the rule that has to be preceded or changed.

    A rule that selects these requests and is inserted before the one that decides now, decides instead of it.
    """
    rule = violation.rule
    before = f"insert before rule {rule.index + 1} (line {rule.position.line})" if rule else "add"
    if violation.stages is not None and bound.stages is not None:
        missing = bound.stages.least - violation.stages
        surplus = violation.stages - bound.stages.most
        needed = [
            *([f"keep {_listed(missing)}"] if missing else []),
            *([f"omit {_listed(surplus)}"] if surplus else []),
        ]
        return f"{' and '.join(needed)}: change omitStages, or {before} a rule with other omitStages for these requests"
    level = bound.nearest_level(violation.level)
    stages = f" and events at {bound.stages}" if bound.stages and level is not Level.NONE else ""
    if violation.level is Level.NONE and rule is not None and rule.level is not Level.NONE:
        return f"rule {rule.index + 1} (line {rule.position.line}) omits every stage of these requests: keep one"
    return f"{before} a rule with level: {level}{stages} for these requests"


def _listed(stages: Iterable[Stage]) -> str:
    return ", ".join(in_order(stages))
