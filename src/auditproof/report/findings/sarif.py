"""Findings as SARIF 2.1.0, which code scanning understands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditproof.analysis.lint.catalogue import CATALOGUE, Severity
from auditproof.analysis.lint.explanations import explanations
from auditproof.report.sarif_log import location, sarif_log
from auditproof.text.printable import printable, printable_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditproof.analysis.lint.finding import Finding
    from auditproof.report.findings.linted import Linted

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_ORDER = {code: number for number, code in enumerate(CATALOGUE)}


def as_sarif(linted: Sequence[Linted], kubernetes: str) -> str:
    """A log with one run."""
    explained = explanations()
    unreadable = [one for one in linted if one.unreadable]
    notes = [
        {
            "level": "error",
            "message": {"text": printable_lines(one.unreadable)},
            "locations": [location(one.file or one.path)],
        }
        for one in unreadable
    ]
    return sarif_log(
        [
            {
                "id": code.code,
                "name": code.name,
                "shortDescription": {"text": f"{code.title[0].upper()}{code.title[1:]}."},
                "help": {"text": explained[code.code].text, "markdown": explained[code.code].body},
                "helpUri": explained[code.code].address,
                "defaultConfiguration": {"level": _LEVELS[code.severity]},
            }
            for code in CATALOGUE.values()
        ],
        [result for one in linted for result in _results(one)],
        {"executionSuccessful": not unreadable, "toolExecutionNotifications": notes},
        columnKind="unicodeCodePoints",
        properties={"kubernetes": kubernetes},
    )


def _results(linted: Linted) -> list[dict[str, Any]]:
    found = [_result(linted, finding) for finding in linted.examination.findings]
    for one in linted.examination.ignored:
        suppression = {"kind": "inSource", "justification": printable(one.reason)}
        found.append({**_result(linted, one.finding), "suppressions": [suppression]})
    return found


def _result(linted: Linted, finding: Finding) -> dict[str, Any]:
    position, inside = linted.in_file(finding.position)
    lines = [f"{inside}{finding.message}.", f"Shown by: {finding.shown}." if finding.shown else "", finding.advice]
    return {
        "ruleId": finding.code,
        "ruleIndex": _ORDER[finding.code],
        "level": _LEVELS[finding.severity],
        "message": {"text": printable_lines("\n".join(filter(None, lines)))},
        "locations": [location(position.path, startLine=position.line, startColumn=position.column)],
    }
