"""decide(policy, attributes): what the API server's evaluator answers, with the rule that decided.

Source of the semantics: staging/src/k8s.io/apiserver/pkg/audit/policy/checker.go.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditproof.audit import Level, Stage
    from auditproof.policy import PolicyRule


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policy says about one request; ``rule`` is None where no rule matched (level None then)."""

    level: Level
    omit_stages: frozenset[Stage]
    omit_managed_fields: bool
    rule: PolicyRule | None
