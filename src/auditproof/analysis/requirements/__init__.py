"""Requirements: minimum, maximum or exact levels for every request of a kind, checked over the whole space. Pure."""

from __future__ import annotations

from auditproof.analysis.requirements.check import Checked, Step, Violation, check_requirement, required_steps
from auditproof.analysis.requirements.contradictions import Contradiction, contradictions
from auditproof.analysis.requirements.load import load_requirements, shipped
from auditproof.analysis.requirements.render import (
    contradiction_data,
    contradiction_text,
    level_text,
    render_text,
    to_data,
)
from auditproof.analysis.requirements.requirement import Bound, Clause, Requirement, RequirementsFile

__all__ = [
    "Bound",
    "Checked",
    "Clause",
    "Contradiction",
    "Requirement",
    "RequirementsFile",
    "Step",
    "Violation",
    "check_requirement",
    "contradiction_data",
    "contradiction_text",
    "contradictions",
    "level_text",
    "load_requirements",
    "render_text",
    "required_steps",
    "shipped",
    "to_data",
]
