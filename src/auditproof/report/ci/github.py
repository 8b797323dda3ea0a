"""A run as GitHub Actions shows it: a step summary in Markdown, and annotations. Pure.

Sources: the workflow commands and job summaries of GitHub Actions (packages/core/src of actions/toolkit).
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from auditproof.proof.verdict import Outcome
from auditproof.report.ci.troubles import troubles
from auditproof.report.entries import entry_remarks, entry_text
from auditproof.report.github_command import github_command
from auditproof.report.headline import COUNTS
from auditproof.report.requirement_states import State, blamed_places, requirement_reason, requirement_states
from auditproof.report.statements import FAIL, PASS, UNPROVEN, decision, statements
from auditproof.text.markdown import markdown, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.report.ci.troubles import FilesOf, Trouble
    from auditproof.report.model import GatedChange, Report, Statement

MAX_ANNOTATIONS = 10  # GitHub shows no more of a kind in a step
CHANGES, REQUIREMENTS, PROBLEMS, REMARKS = 8, 6, 6, 2  # rows, so that the summary stays under 60 lines
LONGEST = 300  # characters of a cell
_MARKS = {PASS: "✅", FAIL: "❌", UNPROVEN: "❓"}


def step_summary(report: Report, files: FilesOf = str) -> str:
    """The run as Markdown, under 60 lines: the decision, the statements, then what speaks against the run.

    ``files`` says what a file is called.
    """
    version, digest = markdown(report.cluster.kubernetes), markdown(report.policy.sha256)
    counts = [str(getattr(report.summary, name)) for name in COUNTS]
    decided, told = decision(report), statements(report)
    rows: list[tuple[str, Statement | None]] = [
        ("Faithful", told.faithful),
        ("Requirements", told.requirements),
        ("Change", told.change),
        ("Detections", told.detections),
    ]
    # GitHub lists the artifacts of a run on its page.
    url = report.run.url
    plain = url.startswith("https://") and not set(url) & set(' ()<>[]\\"`\n')
    artifacts = f". The report is among the [artifacts of this run]({url}#artifacts)" if plain else ""
    lines = [
        f"## {_MARKS[decided.word]} {markdown(decided.sentence)}",
        "",
        *table(["Statement", "Word", "What was found"], [[name, one.word, one.sentence] for name, one in rows if one]),
        "",
        *table(list(COUNTS.values()), [counts], align="---:"),
        "",
        f"Kubernetes {version}, policy SHA-256 {digest}{artifacts}",
    ]
    parts = (_changes(report), _remarks(report), _requirements(report, files), _problems(report, files))
    return "\n".join([*lines, *(line for part in parts for line in part)]) + "\n"


def _changes(report: Report) -> Iterator[str]:
    """What is lost and exposed, with the acknowledgements; then what else is recorded differently."""
    if report.gate is None:
        return
    rows = [
        [
            ", ".join(str(effect.effect) for effect in one.effects),
            one.text,
            one.who,
            " ".join(filter(None, (", ".join(one.verbs), one.what, one.where))),
            _by(one) if forbidden else "allowed",
        ]
        for forbidden, some in ((True, report.gate.forbidden), (False, report.gate.allowed))
        for one in some
    ]
    if rows:
        header = ["Effect", "Recorded", "Who", "Requests", "Acknowledged"]
        yield from ("", "### What this change does", "", *_table(header, rows, CHANGES))


def _by(one: GatedChange) -> str:
    entries = dict.fromkeys(effect.acknowledged for effect in one.effects if effect.acknowledged)
    return "; ".join(map(entry_text, entries)) + ("" if one.acknowledged else "; in part" if entries else "FORBIDDEN")


def _remarks(report: Report) -> Iterator[str]:
    """The entries of the file of acknowledged changes that have to be changed."""
    for remark in islice(entry_remarks(report), REMARKS):
        yield from ("", markdown(remark))


def _requirements(report: Report, files: FilesOf) -> Iterator[str]:
    """The requirements that are not met or not shown, by name, with the remedy."""
    rows = []
    for one in requirement_states(report):
        if one.state in (State.UNMET, State.NOT_SHOWN):
            state = f"{one.state} ({one.status})" if one.status else str(one.state)
            path, line = next(iter(blamed_places(one.record, report)), (one.record.file, one.record.line))
            by = f"Acknowledged by {entry_text(one.record.acknowledged)}. " if one.record.acknowledged else ""
            reason = f"{by}{requirement_reason(one, report)}"
            rows.append([state, one.name, f"{files(path) or path}:{line}", reason])
    if rows:
        header = ["State", "Requirement", "Place", "Why, and what is needed"]
        yield from ("", "### Requirements", "", *_table(header, rows, REQUIREMENTS))


def _problems(report: Report, files: FilesOf) -> Iterator[str]:
    """The actions that are not proven; those with the same verdict for the same reason are one row."""
    found: dict[tuple[str, str], list[Trouble]] = {}
    for one in troubles(report, files):
        if one.verdict in (Outcome.VIOLATED, Outcome.UNPROVEN):
            found.setdefault((one.verdict, one.text), []).append(one)
    rows = [
        [
            verdict,
            some[0].name + (f" and {len(some) - 1} more" if some[1:] else ""),
            f"{some[0].path}:{some[0].line}",
            text,
        ]
        for (verdict, text), some in found.items()
    ]
    if rows:
        yield from ("", "### Problems", "", *_table(["Verdict", "Action", "Place", "Reason"], rows, PROBLEMS))


def _table(header: list[str], rows: list[list[str]], most: int) -> Iterator[str]:
    """The first rows, and how many more there are."""
    yield from table(
        header,
        [[cell if len(cell) <= LONGEST else f"{cell[: LONGEST - 1]}…" for cell in cells] for cells in rows[:most]],
    )
    if len(rows) > most:
        yield from ("", f"… and {len(rows) - most} more, in the report.")


def workflow_commands(report: Report, files: FilesOf = str) -> list[str]:
    """An annotation for each problem, as many as GitHub shows; ``files`` says what a file is called."""
    return [
        github_command("error", one.text or title, file=one.path, line=one.line, title=title)
        for one in troubles(report, files)[:MAX_ANNOTATIONS]
        for title in [f"{one.verdict}: {one.name}"]
    ]
