"""Findings for people: a line as compilers write it, then the request that shows it and what to do."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from auditproof.analysis.lint.catalogue import Severity
from auditproof.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditproof.analysis.lint.finding import Finding
    from auditproof.report.findings.linted import Linted

_PLURALS = {Severity.ERROR: "errors", Severity.WARNING: "warnings", Severity.INFO: "notes"}
_NAMES = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def as_text(linted: Sequence[Linted], kubernetes: str) -> str:
    """All findings, and a last line that counts them."""
    findings = [finding for one in linted for finding in one.examination.findings]
    ignored = sum(len(one.examination.ignored) for one in linted)
    unreadable = sum(bool(one.unreadable) for one in linted)
    summary = _summary(findings, ignored, unreadable, len(linted), kubernetes)
    return "\n".join([*(_finding(finding) for finding in findings), summary])


def _finding(finding: Finding) -> str:
    lines = [f"{finding.position}: {_NAMES[finding.severity]} {finding.code} {finding.name}: {finding.message}"]
    lines += [f"    shown by: {finding.shown}"] if finding.shown else []
    return "\n".join(map(printable, [*lines, f"    to do: {finding.advice}"]))


def _summary(findings: Sequence[Finding], ignored: int, unreadable: int, files: int, kubernetes: str) -> str:
    counts = Counter(finding.severity for finding in findings)
    said = [f"{counts[s]} {_NAMES[s] if counts[s] == 1 else _PLURALS[s]}" for s in Severity if counts[s]]
    said += [f"{ignored} ignored by comments"] if ignored else []
    said += [f"{unreadable} cannot be read"] if unreadable else []
    where = f"{files} {'policy' if files == 1 else 'policies'} for Kubernetes {kubernetes}"
    return f"{where}: {', '.join(said) or 'nothing found'}"
