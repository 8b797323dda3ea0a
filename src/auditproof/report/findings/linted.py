"""One file that was looked at."""

from __future__ import annotations

from dataclasses import dataclass, field

from auditproof.analysis.lint.catalogue import Severity
from auditproof.analysis.lint.lint import Examination


@dataclass(frozen=True, slots=True)
class Linted:
    """What was found in the file at ``path``; ``refused`` by the API server, or ``unreadable`` for the reason given."""

    path: str
    examination: Examination = field(default_factory=lambda: Examination(()))
    refused: bool = False
    unreadable: str = ""


def has_failed(linted: Linted) -> bool:
    """Whether there is an error or a warning."""
    return any(finding.severity is not Severity.INFO for finding in linted.examination.findings)
