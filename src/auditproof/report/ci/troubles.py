"""A run in the forms that CI systems show: step summary, annotations, SARIF and Code Quality. Pure.

Sources: the workflow commands and job summaries of GitHub Actions (packages/core/src of actions/toolkit); Static
Analysis Results Interchange Format (SARIF) 2.1.0, OASIS Standard; the Code Quality report format of GitLab, a subset
of the Code Climate specification.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from auditproof import __version__
from auditproof.report.backends import backend_troubles
from auditproof.report.change import change_rows, change_sentence
from auditproof.report.headline import is_trouble, verdict_sentence, verdict_word, why_not_performed, worst_first
from auditproof.text.markdown import markdown, row
from auditproof.text.printable import printable, printable_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_ANNOTATIONS = 10  # GitHub shows no more of a kind in a step
MAX_ROWS = 25
SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"
_RULES = {
    "VIOLATED": "An action is not recorded as expected.",
    "UNPROVEN": "What is recorded of an action could not be shown.",
}
_COUNTS = ("planned", "performed", "proven", "violated", "unproven", "notSupported")


@dataclass(frozen=True, slots=True)
class Trouble:
    """An action that is not proven, at the line of the policy that decides about it, or else of its case."""

    id: str
    verdict: str
    path: str
    line: int
    title: str
    text: str


def troubles(report: Mapping[str, Any]) -> list[Trouble]:
    """Everything VIOLATED or UNPROVEN, worst first; then the tests of backends."""
    found = [_trouble(proof, report) for proof in worst_first(report["proofs"]) if is_trouble(proof)]
    reason = why_not_performed(report)
    path = str(report["policy"]["path"])
    found += [Trouble(name, "UNPROVEN", path, 1, name, reason) for name in report["notPerformed"]]
    return found + [
        Trouble(test["id"], test["verdict"], test["suite"], test["line"], test["title"], test["reason"])
        for test in backend_troubles(report)
    ]


def _trouble(proof: Mapping[str, Any], report: Mapping[str, Any]) -> Trouble:
    line = proof["expected"]["line"]
    own = proof["policy"]["sha256"] == report["policy"]["sha256"]
    place = (proof["policy"]["path"], line) if own and line else (proof["suite"], proof["line"])
    text = "\n".join(proof["reasons"])
    return Trouble(proof["id"], proof["verdict"], str(place[0]), max(1, int(place[1])), proof["title"], text)


def step_summary(report: Mapping[str, Any]) -> str:
    """The run as Markdown: the sentence, the counts, what the change does, and what is not proven."""
    mark = {"PROVEN": "✅", "VIOLATED": "❌", "UNPROVEN": "❓"}[verdict_word(report)]
    lines = [f"## {mark} {markdown(verdict_sentence(report))}", ""]
    version, digest = markdown(report["cluster"]["kubernetes"]), markdown(report["policy"]["sha256"])
    lines += [f"Kubernetes {version}, policy SHA-256 {digest}", ""]
    lines += [row(list(_COUNTS)), row(["---:"] * len(_COUNTS)), row([str(report["summary"][key]) for key in _COUNTS])]
    return "\n".join([*lines, *_change_lines(report), *_trouble_lines(report)]) + "\n"


def _change_lines(report: Mapping[str, Any]) -> Iterator[str]:
    if sentence := change_sentence(report):
        yield from ("", "### What this change does", "", markdown(sentence))
    if rows := change_rows(report):
        yield from ("", row(["Change", "Who", "Verbs", "What"]), row(["---"] * 4))
        yield from (row([f"{r.kind}: {r.text}", r.who, r.verbs, f"{r.what} {r.where}"]) for r in rows[:MAX_ROWS])
        yield from _more(len(rows))


def _trouble_lines(report: Mapping[str, Any]) -> Iterator[str]:
    if found := troubles(report):
        yield from ("", "### What is not proven", "", row(["Verdict", "Action", "Place", "Why"]), row(["---"] * 4))
        yield from (row([t.verdict, t.title, f"{t.path}:{t.line}", t.text]) for t in found[:MAX_ROWS])
        yield from _more(len(found))


def _more(count: int) -> Iterator[str]:
    if count > MAX_ROWS:
        yield from ("", f"… and {count - MAX_ROWS} more, in the report.")


def workflow_commands(report: Mapping[str, Any]) -> list[str]:
    """Workflow commands for what is not proven, so many as GitHub shows."""
    return [_command(trouble) for trouble in troubles(report)[:MAX_ANNOTATIONS]]


def _command(trouble: Trouble) -> str:
    title = f"{trouble.verdict}: {trouble.title}"
    properties = {"file": trouble.path, "line": str(trouble.line), "title": title}
    named = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::error {named}::{_data(trouble.text or title)}"


def _data(text: str) -> str:
    return printable_lines(text).replace("%", "%25").replace("\n", "%0A")


def _property(text: str) -> str:
    return printable(text).replace("%", "%25").replace(":", "%3A").replace(",", "%2C")


def sarif(report: Mapping[str, Any]) -> str:
    """What is not proven as SARIF, for code scanning."""
    rules = [{"id": name, "shortDescription": {"text": text}} for name, text in _RULES.items()]
    run = {
        "tool": {"driver": {"name": "auditproof", "semanticVersion": __version__, "rules": rules}},
        "invocations": [{"executionSuccessful": not report["notPerformed"]}],
        "results": [_sarif_result(trouble) for trouble in troubles(report)],
    }
    return json.dumps({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def _sarif_result(trouble: Trouble) -> dict[str, Any]:
    place = {"artifactLocation": {"uri": quote(os.fsencode(trouble.path))}, "region": {"startLine": trouble.line}}
    return {
        "ruleId": trouble.verdict,
        "level": "error",
        "message": {"text": printable_lines(f"{trouble.title}: {trouble.text}")},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {"action/v1": _fingerprint(trouble)},
    }


def code_quality(report: Mapping[str, Any]) -> str:
    """What is not proven as a Code Quality report."""
    return json.dumps([_issue(trouble) for trouble in troubles(report)], indent=1) + "\n"


def _issue(trouble: Trouble) -> dict[str, Any]:
    return {
        "check_name": f"auditproof/{trouble.verdict.lower()}",
        "description": printable_lines(f"{trouble.verdict}: {trouble.title}: {trouble.text}"),
        "fingerprint": _fingerprint(trouble),
        "severity": "critical" if trouble.verdict == "VIOLATED" else "major",
        "location": {"path": printable(trouble.path), "lines": {"begin": trouble.line}},
    }


def _fingerprint(trouble: Trouble) -> str:
    """The same for the same action in every run."""
    return hashlib.sha256(f"{trouble.verdict} {trouble.id}".encode()).hexdigest()[:32]
