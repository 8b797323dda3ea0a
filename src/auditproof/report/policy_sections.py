"""What lint and the mutation test find about the given policy, as sections of the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.report.model import LintFinding, LintRecord, StrengthRecord, Unnoticed

if TYPE_CHECKING:
    from auditproof.analysis.lint import Examination
    from auditproof.analysis.lint.finding import Finding
    from auditproof.analysis.mutation import Strength


def lint_record(examination: Examination) -> LintRecord:
    """Findings in the order of the file, and what comments in the policy suppress, with their reasons."""
    return LintRecord(
        findings=tuple(_finding(finding) for finding in examination.findings),
        ignored=tuple(
            _finding(one.finding).model_copy(update={"because": one.reason, "shown_by": ""})
            for one in examination.ignored
        ),
    )


def _finding(finding: Finding) -> LintFinding:
    return LintFinding.model_validate(finding.to_dict() | {"shownBy": str(finding.shown or "")})


def strength_record(strength: Strength) -> StrengthRecord:
    """How many mutants of the policy the requirements notice, and those that they do not."""
    return StrengthRecord(
        mutants=len(strength.tried),
        noticed=len(strength.tried) - len(strength.unnoticed),
        unnoticed=tuple(
            Unnoticed(
                rule=one.mutant.rule.index if one.mutant.rule else None,
                line=one.mutant.rule.position.line if one.mutant.rule else None,
                change=one.mutant.text,
            )
            for one in strength.unnoticed
        ),
    )
