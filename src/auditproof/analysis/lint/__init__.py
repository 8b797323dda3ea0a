"""lint: what is wrong with a policy, found without a server. Pure.

``lint(policy, served)`` returns Findings, each with its place, a request that shows it and what to do. They are exact:
what is called unreachable is reached by no request, because the checks ask the space, which is every request.
"""

from __future__ import annotations

from auditproof.analysis.lint.catalogue import CATALOGUE, Severity
from auditproof.analysis.lint.finding import Finding, Ignored, ShownRequest
from auditproof.analysis.lint.lint import Examination, examine, lint

__all__ = ["CATALOGUE", "Examination", "Finding", "Ignored", "Severity", "ShownRequest", "examine", "lint"]
