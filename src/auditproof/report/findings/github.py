"""Findings as workflow commands of GitHub Actions, which become annotations of the file.

Source of the form and its escapes: packages/core/src/command.ts of actions/toolkit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.analysis.lint.catalogue import Severity
from auditproof.text.printable import printable, printable_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditproof.analysis.lint.finding import Finding
    from auditproof.report.findings.linted import Linted

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def as_github(linted: Sequence[Linted], _kubernetes: str) -> str:
    """A command a line."""
    lines = [_finding(finding) for one in linted for finding in one.examination.findings]
    lines += [f"::error file={_property(one.path)}::{_data(one.unreadable)}" for one in linted if one.unreadable]
    return "\n".join(lines)


def _finding(finding: Finding) -> str:
    position = finding.position
    properties = {
        "file": position.path,
        "line": str(position.line),
        "col": str(position.column),
        "title": f"{finding.code} {finding.name}",
    }
    named = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    lines = [finding.message, f"Shown by: {finding.shown}" if finding.shown else "", finding.advice]
    return f"::{_COMMANDS[finding.severity]} {named}::{_data(chr(10).join(filter(None, lines)))}"


def _data(text: str) -> str:
    return printable_lines(text).replace("%", "%25").replace("\n", "%0A")


def _property(text: str) -> str:
    return printable(text).replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
