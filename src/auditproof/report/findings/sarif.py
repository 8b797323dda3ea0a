"""Findings as SARIF 2.1.0, which code scanning understands.

Source: Static Analysis Results Interchange Format (SARIF) Version 2.1.0, OASIS Standard.
"""

from __future__ import annotations

import json
import os
from pathlib import PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from auditproof import __version__
from auditproof.analysis.lint.catalogue import CATALOGUE, Severity
from auditproof.text.printable import printable, printable_json, printable_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditproof.analysis.lint.catalogue import Code
    from auditproof.analysis.lint.finding import Finding
    from auditproof.report.findings.linted import Linted

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_ORDER = {code: number for number, code in enumerate(CATALOGUE)}


def as_sarif(linted: Sequence[Linted], kubernetes: str) -> str:
    """A log with one run."""
    driver = {
        "name": "auditproof",
        "semanticVersion": __version__,
        "rules": [_rule(code) for code in CATALOGUE.values()],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(linted)],
        "results": [result for one in linted for result in _results(one)],
        "properties": {"kubernetes": kubernetes},
    }
    return printable_json(json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2))


def _rule(code: Code) -> dict[str, Any]:
    return {
        "id": code.code,
        "name": code.name,
        "shortDescription": {"text": f"{code.title[0].upper()}{code.title[1:]}."},
        "defaultConfiguration": {"level": _LEVELS[code.severity]},
    }


def _invocation(linted: Sequence[Linted]) -> dict[str, Any]:
    """Successful where every file could be read."""
    unreadable = [one for one in linted if one.unreadable]
    notes = [
        {
            "level": "error",
            "message": {"text": printable_lines(one.unreadable)},
            "locations": [{"physicalLocation": {"artifactLocation": {"uri": _uri(one.path)}}}],
        }
        for one in unreadable
    ]
    return {"executionSuccessful": not unreadable, "toolExecutionNotifications": notes}


def _results(linted: Linted) -> list[dict[str, Any]]:
    found = [_result(finding) for finding in linted.examination.findings]
    for one in linted.examination.ignored:
        suppression = {"kind": "inSource", "justification": printable(one.reason)}
        found.append({**_result(one.finding), "suppressions": [suppression]})
    return found


def _result(finding: Finding) -> dict[str, Any]:
    position = finding.position
    region = {"startLine": position.line, "startColumn": position.column}
    place = {"artifactLocation": {"uri": _uri(position.path)}, "region": region}
    lines = [f"{finding.message}.", f"Shown by: {finding.shown}." if finding.shown else "", finding.advice]
    return {
        "ruleId": finding.code,
        "ruleIndex": _ORDER[finding.code],
        "level": _LEVELS[finding.severity],
        "message": {"text": printable_lines("\n".join(filter(None, lines)))},
        "locations": [{"physicalLocation": place}],
    }


def _uri(path: str) -> str:
    """A relative reference or, of an absolute path, a file URI."""
    pure = PurePath(path)
    return pure.as_uri() if pure.is_absolute() else quote(os.fsencode(pure.as_posix()))
