"""Detection rules as SARIF 2.1.0: a result for each rule of the policy that takes requests from a detection rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditproof.content import SITE
from auditproof.detections import Feed, needed_text, recorded_text, remedy_text, request_text
from auditproof.report.detections.fed_rules import NOT_READ
from auditproof.report.sarif_log import location, sarif_log
from auditproof.text.printable import printable_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from auditproof.detections import Fed
    from auditproof.report.ci.troubles import FilesOf
    from auditproof.report.detections.fed_rules import FedRules

_KINDS = {
    "BLIND": ("error", "A detection rule sees none of the requests that it is about."),
    "PARTLY": ("warning", "A detection rule does not see all requests that it is about."),
    "IMPOSSIBLE": ("note", "No event that an API server writes can match the condition of a detection rule."),
    "NOT_READ": ("note", "A detection rule could not be read."),
}


def as_sarif(found: FedRules, files: FilesOf = str) -> str:
    """A log with one run; each result is at the line of the policy, or of the detection rule if no line is to blame.

    ``files`` says what a file is called; one without a name keeps the one that it is shown by.
    """

    def at(path: str, **region: int) -> dict[str, Any]:
        return location(files(path) or path, **region)

    rules = [
        {"id": name, "shortDescription": {"text": text}, "helpUri": f"{SITE}/detections.html"}
        for name, (_, text) in _KINDS.items()
    ]
    results = [result for one in found.bad_first() for result in _results(one, found, at)]
    for left in found.not_read:
        text = f"{left.title} is {NOT_READ}: {left.reason}"
        results.append(_result("NOT_READ", text, at(left.position.path, startLine=left.position.line)))
    return sarif_log(rules, results, {"executionSuccessful": True}, properties={"kubernetes": found.kubernetes}) + "\n"


def _results(one: Fed, found: FedRules, at: Callable[..., dict[str, Any]]) -> Iterator[dict[str, Any]]:
    rule = one.detection
    if one.feed is Feed.IMPOSSIBLE:
        place = at(rule.position.path, startLine=rule.position.line)
        yield _result("IMPOSSIBLE", f"No event can match {rule.title} ({rule.pack}): {one.why_never}.", place)
    for lost in one.lost:
        lines = [
            f"{rule.title} ({rule.pack}) does not see {lost.text}: {recorded_text(lost)}.",
            f"It needs {needed_text(lost.needs)}.",
            f"Shown by: {request_text(lost.witness, lost.values)}.",
            f"Remedy: {remedy_text(lost)}.",
        ]
        blamed = lost.rule.position if lost.rule else None
        place = at(blamed.path, startLine=blamed.line) if blamed else at(found.policy.path)
        yield _result(str(one.feed), "\n".join(lines), place)


def _result(kind: str, text: str, place: dict[str, Any]) -> dict[str, Any]:
    level, message = _KINDS[kind][0], {"text": printable_lines(text)}
    return {"ruleId": kind, "level": level, "message": message, "locations": [place]}
