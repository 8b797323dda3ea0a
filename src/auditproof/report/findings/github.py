"""Findings as annotations of GitHub Actions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.analysis.lint.catalogue import Severity
from auditproof.report.github_command import github_command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditproof.analysis.lint.finding import Finding
    from auditproof.report.findings.linted import Linted

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def as_github(linted: Sequence[Linted], _kubernetes: str) -> str:
    """A command a line."""
    lines = [_finding(one, finding) for one in linted for finding in one.examination.findings]
    lines += [github_command("error", one.unreadable, file=one.file or one.path) for one in linted if one.unreadable]
    return "\n".join(lines)


def _finding(linted: Linted, finding: Finding) -> str:
    position, inside = linted.in_file(finding.position)
    lines = [f"{inside}{finding.message}", f"Shown by: {finding.shown}" if finding.shown else "", finding.advice]
    return github_command(
        _COMMANDS[finding.severity],
        "\n".join(filter(None, lines)),
        file=position.path,
        line=position.line,
        col=position.column,
        title=f"{finding.code} {finding.name}",
    )
