"""Which requests prove a policy: for every rule one that it decides, for each condition a near miss. Pure."""

from __future__ import annotations

from auditproof.analysis.coverage.plan import Coverage, Depth, PlannedWitness, RuleCoverage, Unperformed, plan_coverage

__all__ = ["Coverage", "Depth", "PlannedWitness", "RuleCoverage", "Unperformed", "plan_coverage"]
