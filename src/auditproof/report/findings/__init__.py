"""The forms in which findings are written: for people, for programs, for code scanning and for GitHub. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.report.findings.github import as_github
from auditproof.report.findings.json_text import as_json
from auditproof.report.findings.linted import Linted, has_any
from auditproof.report.findings.sarif import as_sarif
from auditproof.report.findings.text import as_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Each takes what was found in every file and the Kubernetes version, and returns a text without a newline at its end.
FORMATS: dict[str, Callable[[Sequence[Linted], str], str]] = {
    "text": as_text,
    "json": as_json,
    "sarif": as_sarif,
    "github": as_github,
}

__all__ = ["FORMATS", "Linted", "as_text", "has_any"]
