"""Findings for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from auditproof.text.printable import printable_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditproof.report.findings.linted import Linted

API_VERSION = "auditproof/v1"


def as_json(linted: Sequence[Linted], kubernetes: str) -> str:
    """One object: what was looked at, the findings, and those that comments ignore with their reasons."""
    report = json.dumps(
        {
            "apiVersion": API_VERSION,
            "kind": "LintResult",
            "kubernetes": kubernetes,
            "policies": [_policy(one) for one in linted],
        },
        indent=2,
    )
    return printable_json(report)


def _policy(linted: Linted) -> dict[str, Any]:
    return {
        "path": linted.path,
        "refused": linted.refused,
        "unreadable": linted.unreadable or None,
        "findings": [finding.to_dict() for finding in linted.examination.findings],
        "ignored": [{**one.finding.to_dict(), "reason": one.reason} for one in linted.examination.ignored],
    }
