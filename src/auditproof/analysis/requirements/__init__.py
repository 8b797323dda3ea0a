"""Requirements: minimum, maximum or exact levels for every request of a kind, checked over the whole space. Pure."""

from __future__ import annotations

from auditproof.analysis.requirements.baseline import FailOn, KnownUnmet, Standing, State, Status, status_of
from auditproof.analysis.requirements.check import Checked, Step, Violation, check_requirement, required_steps
from auditproof.analysis.requirements.contradictions import Contradiction, contradictions
from auditproof.analysis.requirements.load import load_requirements, shipped
from auditproof.analysis.requirements.render import (
    contradiction_data,
    contradiction_text,
    entry_data,
    level_text,
    render_markdown,
    render_text,
    standing_data,
    status_data,
    status_line,
    to_data,
)
from auditproof.analysis.requirements.requirement import Bound, Clause, Requirement, RequirementsFile

__all__ = [
    "Bound",
    "Checked",
    "Clause",
    "Contradiction",
    "FailOn",
    "KnownUnmet",
    "Requirement",
    "RequirementsFile",
    "Standing",
    "State",
    "Status",
    "Step",
    "Violation",
    "check_requirement",
    "contradiction_data",
    "contradiction_text",
    "contradictions",
    "entry_data",
    "level_text",
    "load_requirements",
    "render_markdown",
    "render_text",
    "required_steps",
    "shipped",
    "standing_data",
    "status_data",
    "status_line",
    "status_of",
    "to_data",
]
