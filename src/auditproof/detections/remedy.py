"""How requests that a rule does not see are recorded, what it needs, and the least change, in words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.audit.event import Level
from auditproof.audit.stages import in_order

if TYPE_CHECKING:
    from collections.abc import Iterable

    from auditproof.audit.event import Stage
    from auditproof.audit.policy.load import PolicyRule
    from auditproof.detections.lost import Lost
    from auditproof.detections.moments import Moment

_ORDER = list(Level)


def recorded_text(lost: Lost) -> str:
    """How the requests are recorded, and the rule of the policy that decides it."""
    rule = rule_text(lost.rule)
    if lost.level is Level.NONE or not lost.stages:
        return f"not recorded{'' if lost.level is Level.NONE else ', all stages are omitted'} ({rule})"
    return f"recorded at {lost.level}, with events at {', '.join(in_order(lost.stages))} ({rule})"


def rule_text(rule: PolicyRule | None) -> str:
    """A rule of the policy with its place."""
    return f"{rule.position.path}:{rule.position.line}, rule {rule.index + 1}" if rule else "no rule matches"


def needed_text(needs: Iterable[Moment]) -> str:
    """The levels and stages of which one event has to be recorded."""
    by_stages: dict[frozenset[Stage], list[Level]] = {}
    needs = list(needs)
    for level in _ORDER:
        stages = frozenset(moment.stage for moment in needs if moment.level is level)
        if stages:
            by_stages.setdefault(stages, []).append(level)
    return "; or ".join(
        f"{' or '.join(map(str, levels))}, at {_stages(stages)}" for stages, levels in by_stages.items()
    )


def _stages(stages: Iterable[Stage]) -> str:
    return " or ".join(in_order(stages))


def remedy(lost: Lost) -> tuple[Level, frozenset[Stage]]:
    """The closest level at which the rule sees the requests, and the stages of which one must not be omitted then."""
    levels = {moment.level for moment in lost.needs}
    higher = [level for level in _ORDER if level >= lost.level and level in levels]
    level = higher[0] if higher else max(levels, key=_ORDER.index)
    return level, frozenset(moment.stage for moment in lost.needs if moment.level is level)


def remedy_text(lost: Lost) -> str:
    """The least change of the policy with which the rule sees the requests."""
    level, stages = remedy(lost)
    omitted = "" if stages & lost.stages or not lost.stages else f" and do not omit {_stages(stages)}"
    if level is lost.level:
        return f"do not omit {_stages(stages)} for these requests"
    where = f"in front of line {lost.rule.position.line}" if lost.rule else "at the end"
    return f"{where}, add a rule for these requests with level: {level}{omitted}"
