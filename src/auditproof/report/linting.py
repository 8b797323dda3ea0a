"""What lint says of the given policy, as plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from auditproof.analysis.lint import Examination


def lint_record(examination: Examination) -> dict[str, Any]:
    """Findings in the order of the file, and what comments in the policy suppress, with their reasons."""
    return {
        "findings": [
            finding.to_dict() | {"shownBy": str(finding.shown or "")}  # the request in words, for people
            for finding in examination.findings
        ],
        "ignored": [{**ignored.finding.to_dict(), "because": ignored.reason} for ignored in examination.ignored],
    }
