"""How a rule has to record requests that violate a requirement: as now, apart from what is wrong. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from auditproof.analysis.fix.conditions import Inexpressible
from auditproof.audit.event import Level, Stage
from auditproof.audit.stages import in_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditproof.analysis.fix.judged import Judged
    from auditproof.audit.policy.load import PolicyRule

Stages = frozenset[Stage]


@dataclass(frozen=True, slots=True)
class RuleTarget:
    """What a rule says apart from its conditions."""

    level: Level
    omit_stages: Stages
    omit_managed_fields: bool | None

    def of(self, conditions: PolicyRule) -> PolicyRule:
        """The rule with these conditions."""
        return replace(
            conditions,
            level=self.level,
            omit_stages=self.omit_stages,
            omit_managed_fields=self.omit_managed_fields,
        )


def target(wrong: Sequence[Judged], always_omitted: Stages, usually_omitted: Stages) -> RuleTarget:
    """How to record requests that one rule decides now.

    ``always_omitted`` are the stages that the policy omits for all rules, ``usually_omitted`` those of a rule for
    requests that are not recorded yet. Raises Inexpressible if a stage is needed that the policy always omits.
    """
    found = [_target(one, always_omitted, usually_omitted) for one in wrong]
    return RuleTarget(
        max(one.level for one in found),
        frozenset.intersection(*(one.omit_stages for one in found)),
        False if any(one.omit_managed_fields is False for one in found) else found[0].omit_managed_fields,
    )


def _target(one: Judged, always_omitted: Stages, usually_omitted: Stages) -> RuleTarget:
    bound, decision, rule = one.bound, one.decision, one.decision.rule
    assert bound is not None
    level = decision.level if bound.allows(decision.level) else bound.nearest_level(decision.level)
    records = rule is not None and rule.level is not Level.NONE
    omitted = rule.omit_stages if rule and records else usually_omitted
    if level is not Level.NONE:
        kept = one.emitted - omitted - always_omitted
        needed = bound.stages.nearest(kept, one.emitted) if bound.stages else kept
        if not needed:
            needed = one.emitted - {Stage.REQUEST_RECEIVED} if len(one.emitted) > 1 else one.emitted
        panic = {Stage.PANIC} if bound.panic else set()
        omitted = (omitted | (kept - needed)) - needed - panic
        if lost := always_omitted & (needed | panic):
            names = ", ".join(in_order(lost))
            raise Inexpressible(f"the policy omits {names} for all rules: remove it from the omitStages at the top")
    fields = rule.omit_managed_fields if rule else None
    return RuleTarget(level, omitted, False if bound.managed_fields and decision.omit_managed_fields else fields)
