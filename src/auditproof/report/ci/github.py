"""A run as GitHub Actions shows it: a step summary in Markdown, and annotations. Pure.

Sources: the workflow commands and job summaries of GitHub Actions (packages/core/src of actions/toolkit).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.report.change import change_rows, change_sentence
from auditproof.report.ci.troubles import troubles
from auditproof.report.github_command import github_command
from auditproof.report.headline import COUNTS
from auditproof.report.statements import FAIL, PASS, UNPROVEN, decision
from auditproof.text.markdown import markdown, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.report.ci.troubles import FilesOf
    from auditproof.report.model import Report

MAX_ANNOTATIONS = 10  # GitHub shows no more of a kind in a step
MAX_ROWS = 25
_MARKS = {PASS: "✅", FAIL: "❌", UNPROVEN: "❓"}


def step_summary(report: Report, files: FilesOf = str) -> str:
    """The run as Markdown: the sentence, the counts, what the change does, and what is not proven.

    ``files`` says what a file is called.
    """
    version, digest = markdown(report.cluster.kubernetes), markdown(report.policy.sha256)
    counts = [str(getattr(report.summary, name)) for name in COUNTS]
    decided = decision(report)
    lines = [
        f"## {_MARKS[decided.word]} {markdown(decided.sentence)}",
        "",
        f"Kubernetes {version}, policy SHA-256 {digest}",
        "",
        *table(list(COUNTS.values()), [counts], align="---:"),
    ]
    return "\n".join([*lines, *_change_lines(report), *_trouble_lines(report, files)]) + "\n"


def _change_lines(report: Report) -> Iterator[str]:
    if sentence := change_sentence(report):
        yield from ("", "### What this change does", "", markdown(sentence))
    if rows := change_rows(report):
        cells = [[f"{one.kind}: {one.text}", one.who, one.verbs, f"{one.what} {one.where}"] for one in rows[:MAX_ROWS]]
        yield from ("", *table(["Change", "Who", "Verbs", "What"], cells))
        yield from _more(len(rows))


def _trouble_lines(report: Report, files: FilesOf) -> Iterator[str]:
    if found := troubles(report, files):
        cells = [[one.verdict, one.name, f"{one.path}:{one.line}", one.text] for one in found[:MAX_ROWS]]
        yield from ("", "### Problems", "", *table(["Verdict", "Action", "Place", "Reason"], cells))
        yield from _more(len(found))


def _more(count: int) -> Iterator[str]:
    if count > MAX_ROWS:
        yield from ("", f"… and {count - MAX_ROWS} more, in the report.")


def workflow_commands(report: Report, files: FilesOf = str) -> list[str]:
    """An annotation for each problem, as many as GitHub shows; ``files`` says what a file is called."""
    return [
        github_command("error", one.text or title, file=one.path, line=one.line, title=title)
        for one in troubles(report, files)[:MAX_ANNOTATIONS]
        for title in [f"{one.verdict}: {one.name}"]
    ]
