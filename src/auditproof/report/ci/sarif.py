"""The problems of a run as SARIF 2.1.0, for code scanning. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.content import SITE
from auditproof.proof.verdict import Outcome
from auditproof.report.ci.troubles import FORBIDDEN, troubles
from auditproof.report.detections.statement import BLINDED
from auditproof.report.requirement_states import State
from auditproof.report.sarif_log import location, sarif_log
from auditproof.text.printable import printable_lines

if TYPE_CHECKING:
    from auditproof.report.ci.troubles import FilesOf
    from auditproof.report.model import Report

_RULES = {  # what each says, and the page of the documentation about it
    FORBIDDEN: ("A change of the policy is forbidden, and nobody has acknowledged it.", "gate.html"),
    BLINDED: ("The change takes every request from a detection rule.", "detections.html"),
    State.UNMET: ("The policy does not meet a requirement.", "requirements.html"),
    State.NOT_SHOWN: ("Whether a requirement is met could not be shown.", "requirements.html"),
    Outcome.VIOLATED: ("An action is not recorded as expected.", "verdicts.html"),
    Outcome.UNPROVEN: ("What was recorded for an action could not be determined.", "verdicts.html"),
}


def as_sarif(report: Report, files: FilesOf = str) -> str:
    """A log with one run; a result for each problem. ``files`` says what a file is called."""
    results = [
        {
            "ruleId": _id(one.verdict),
            "level": "error",
            "message": {"text": printable_lines(f"{one.name}: {one.text}")},
            "locations": [location(one.path, startLine=one.line)],
            "partialFingerprints": {"action/v1": one.fingerprint},
        }
        for one in troubles(report, files)
    ]
    rules = [
        {"id": _id(name), "shortDescription": {"text": text}, "helpUri": f"{SITE}/{page}"}
        for name, (text, page) in _RULES.items()
    ]
    return sarif_log(rules, results, {"executionSuccessful": not report.not_performed}) + "\n"


def _id(verdict: str) -> str:
    return verdict.replace(" ", "_")
