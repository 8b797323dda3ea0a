"""How strong requirements and cases are: which one-step mutants of a policy they would miss. Pure."""

from __future__ import annotations

from auditproof.analysis.mutation.idle import idle_cases
from auditproof.analysis.mutation.mutants import Mutant, one_step_mutants
from auditproof.analysis.mutation.strength import Stated, Strength, Tried, strength

__all__ = ["Mutant", "Stated", "Strength", "Tried", "idle_cases", "one_step_mutants", "strength"]
