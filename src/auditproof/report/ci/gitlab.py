"""The problems of a run as a Code Quality report of GitLab. Pure.

Source: the Code Quality report format of GitLab, a subset of the Code Climate specification.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from auditproof.proof.verdict import Outcome
from auditproof.report.ci.troubles import troubles
from auditproof.report.requirement_states import State
from auditproof.text.printable import printable, printable_lines

if TYPE_CHECKING:
    from auditproof.report.ci.troubles import FilesOf
    from auditproof.report.model import Report


def code_quality(report: Report, files: FilesOf = str) -> str:
    """A JSON list with an issue for each problem; ``files`` says what a file is called."""
    issues = [
        {
            "check_name": f"auditproof/{one.verdict.lower().replace(' ', '-')}",
            "description": printable_lines(f"{one.verdict}: {one.name}: {one.text}"),
            "fingerprint": one.fingerprint,
            "severity": "major" if one.verdict in (Outcome.UNPROVEN, State.NOT_SHOWN) else "critical",
            "location": {"path": printable(one.path), "lines": {"begin": one.line}},
        }
        for one in troubles(report, files)
    ]
    return json.dumps(issues, indent=1) + "\n"
