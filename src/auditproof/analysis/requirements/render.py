"""The results of requirements, as text for a terminal and as plain data for reports."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from auditproof.analysis.requirements.baseline import State
from auditproof.analysis.requirements.remedy import remedy_text
from auditproof.analysis.space.remarks import odd_text
from auditproof.audit.event import Level
from auditproof.audit.stages import in_order
from auditproof.text.markdown import markdown, markdown_code, written_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from auditproof.analysis.requirements.baseline import KnownUnmet, Standing, Status
    from auditproof.analysis.requirements.check import Checked, Violation
    from auditproof.analysis.requirements.contradictions import Contradiction
    from auditproof.audit.policy.load import PolicyRule

_WIDTH = 9
SHOWN, REMARKS = 20, 5  # rows and remarks in Markdown, so that a comment stays under 60 lines


STATES = {
    State.MET: "MET",
    State.FIXED: "MET (fixed)",
    State.KNOWN: "NOT MET (known)",
    State.NEW: "NOT MET (new)",
    State.UNMET: "NOT MET",
}


def status_line(status: Status) -> str:
    """How many requirements are met and how the others stand, in one sentence."""
    every = len(status.standings)
    unmet = sum(1 for one in status.standings if not one.met)
    counts = [f"{len(some)} {state}" for state in (State.NEW, State.KNOWN, State.FIXED) if (some := status.of(state))]
    which = f" ({', '.join(counts)})" if counts else ""
    if every == 1:
        return f"The requirement is {'not ' if unmet else ''}met{which}."
    if not unmet:
        return f"All {every} requirements are met{which}."
    return f"{unmet} of {every} requirements {'is' if unmet == 1 else 'are'} not met{which}."


def render_text(status: Status) -> str:
    """How the requirements stand, a line per requirement with every violation below it, and what entries lack."""
    lines = [status_line(status), ""]
    file = None
    for standing in status.standings:
        if standing.file is not file:
            file = standing.file
            lines += [f"{file.name}: {file.title}", ""]
        lines += [*_lines(standing), ""]
    lines += [*remarks(status), ""]
    return "\n".join(lines).rstrip() + "\n"


def remarks(status: Status) -> Iterator[str]:
    """What is wrong with entries of the file of acknowledged changes, with their place and what to do."""
    for entry in status.expired:
        yield f"{entry.position}: this entry ended on {entry.until}: meet {entry.requirement}, or renew the entry"
    for entry in status.unneeded:
        yield f"{entry.position}: {entry.requirement} is met, so this entry is no longer needed: remove it"
    for entry in status.unchecked:
        yield f"{entry.position}: {entry.requirement} is not checked here: name its file with --requirements"


def entry_text(entry: KnownUnmet) -> str:
    """Who approved that a requirement is not met, why, and until when."""
    until = f", until {entry.until}" if entry.until else ""
    ticket = f", {entry.ticket}" if entry.ticket else ""
    return f"{entry.approved_by}{ticket}{until}: {entry.because} ({entry.position.path}:{entry.position.line})"


def _lines(standing: Standing) -> Iterator[str]:
    result = standing.checked
    asked = result.requirement
    about = f"{result.classes} classes of requests" if result.classes != 1 else "1 class of requests"
    state = STATES[standing.state] if result.classes else "EMPTY"
    yield f"{state} {asked.id}: {asked.title} ({asked.bound}; {about})"
    if result.violations:
        yield f"  {'because':<{_WIDTH}}{asked.because}"
        yield f"  {'source':<{_WIDTH}}{asked.source}"
    if standing.by and result.violations:
        yield f"  {'known':<{_WIDTH}}{entry_text(standing.by)}"
    for violation in result.violations:
        was = " (before, too)" if violation.known else ""
        yield f"  - {violation_text(violation)}{was}"
        yield from _rows(violation, remedy_text(violation))
    for violation in result.beyond:
        yield f"  - odd requests, which do not count as violations, are {violation_text(violation)}"
        yield from _rows(violation)


def _rows(violation: Violation, remedy: str = "") -> Iterator[str]:
    row = violation.row
    rows = [
        ("rule", rule_text(violation.rule)),
        ("who", row.who),
        ("verbs", row.product.verbs_text),
        ("what", row.product.what),
        ("where", row.product.where),
        ("odd", odd_text(row.odd)),
        ("request", str(violation.witness.performable or violation.witness.reason)),
        ("remedy", remedy),
    ]
    yield from (f"    {name:<{_WIDTH}}{text}" for name, text in rows if text)


def violation_text(violation: Violation) -> str:
    """How the requests are recorded instead, in words."""
    at = "" if violation.stages is None else f", with events at {', '.join(in_order(violation.stages))}"
    lacks = f", without {' and '.join(violation.row.key.lacks)}" if violation.row.key.lacks else ""
    return level_text(violation.level) + at + lacks


def level_text(level: Level) -> str:
    """A level in words, e.g. ``recorded at Metadata``."""
    return "not recorded" if level is Level.NONE else f"recorded at {level}"


def rule_text(rule: PolicyRule | None) -> str:
    """The deciding rule, with its line."""
    return (
        "no rule matches"
        if rule is None
        else f"{rule.position.path}:{rule.position.line}: rule {rule.index + 1} decides"
    )


def render_markdown(status: Status, opposed: Sequence[Contradiction] = ()) -> str:
    """How the requirements stand, and a table of those that are not met or fixed: at most 20 rows, new ones first."""
    order = (State.NEW, State.UNMET, State.KNOWN, State.FIXED)
    shown = [standing for state in order for standing in status.of(state)]
    lines = [f"**{markdown(status_line(status))}**"]
    if shown:
        header = ["State", "Requirement", "Required", "Recorded", "Example", "Remedy", "Acknowledged"]
        lines += ["", *written_table(header, [_cells(standing) for standing in shown[:SHOWN]])]
    if (left := len(shown) - SHOWN) > 0:
        lines += ["", f"{left} more: see the complete list."]
    for found in opposed[:REMARKS]:
        names = ", ".join(one.id for one in found.requirements)
        lines += [
            "",
            markdown(f"No policy can meet these together: {names} ({found.text}, of {found.row.product.what})"),
        ]
    for remark in islice(remarks(status), REMARKS):
        lines += ["", markdown(remark)]
    return "\n".join(lines) + "\n"


def _cells(standing: Standing) -> list[str]:
    """The row of a requirement, with its worst violation."""
    asked, violations = standing.checked.requirement, standing.checked.violations
    name = f"{standing.name}: {asked.title}"
    by = markdown(entry_text(standing.by)) if standing.by else ""
    if not violations:
        return [*map(markdown, (STATES[standing.state], name, str(asked.bound))), "as required", "", "", by]
    worst = violations[0]
    more = f" (and {len(violations) - 1} more)" if violations[1:] else ""
    where = (
        f"{violation_text(worst)}: {worst.row.product.verbs_text} {worst.row.product.what} {worst.row.product.where}"
    )
    example = markdown_code(str(worst.witness.performable or worst.witness.reason))
    texts = (STATES[standing.state], name, str(asked.bound), where.rstrip() + more)
    return [*map(markdown, texts), example, markdown(remedy_text(worst)), by or "no"]


def status_data(status: Status) -> dict[str, Any]:
    """How the requirements stand as plain data: counts by state, and each file with its requirements."""
    files: dict[int, dict[str, Any]] = {}
    for standing in status.standings:
        file = files.setdefault(id(standing.file), {"name": standing.file.name, "requirements": []})
        file["requirements"].append(standing_data(standing))
    return {
        "summary": {str(state): len(status.of(state)) for state in State},
        "files": list(files.values()),
        "unneeded": [entry_data(entry) for entry in status.unneeded],
        "expired": [entry_data(entry) for entry in status.expired],
        "unchecked": [entry_data(entry) for entry in status.unchecked],
    }


def standing_data(standing: Standing) -> dict[str, Any]:
    """A requirement as plain data: its state, who acknowledged it, and its result with a remedy for each violation."""
    result = standing.checked
    data = to_data(result)
    for violation, found in zip(data["violations"], result.violations, strict=True):
        violation |= {"required": str(found.bound), "remedy": remedy_text(found), "known": found.known}
    acknowledged = entry_data(standing.by) if standing.by else None
    return {"state": str(standing.state), "acknowledged": acknowledged, **data}


def entry_data(entry: KnownUnmet) -> dict[str, Any]:
    """An entry of the file of acknowledged changes as plain data."""
    return {
        "requirement": entry.requirement,
        "because": entry.because,
        "approvedBy": entry.approved_by,
        "ticket": entry.ticket,
        "until": None if entry.until is None else str(entry.until),
        "file": entry.position.path,
        "line": entry.position.line,
    }


def contradiction_text(found: Contradiction) -> str:
    """Requirements that contradict each other, as a block of lines: which, what they want, and of which requests."""
    row = found.row
    lines = [f"CONTRADICTION {', '.join(one.id for one in found.requirements)}: no policy can meet them together"]
    lines += [f"  {one.position}: {one.id}: {one.bound} ({one.title})" for one in found.requirements]
    rows = [
        ("who", row.who),
        ("verbs", row.product.verbs_text),
        ("what", row.product.what),
        ("where", row.product.where),
        ("request", str(found.witness.performable or found.witness.reason)),
    ]
    return "\n".join([*lines, *(f"  {name:<{_WIDTH}}{text}" for name, text in rows if text)])


def contradiction_data(found: Contradiction) -> dict[str, Any]:
    """The same as plain data."""
    row, sent = found.row, found.witness.performable
    return {
        "requirements": [
            {"id": one.id, "file": one.position.path, "line": one.position.line, "level": str(one.bound)}
            for one in found.requirements
        ],
        "who": row.who,
        "verbs": row.product.verbs_text,
        "what": row.product.what,
        "where": row.product.where,
        "request": str(sent) if sent else "",
    }


def to_data(result: Checked) -> dict[str, Any]:
    """A requirement and its result as plain data; rules are counted from 0."""
    asked = result.requirement
    return {
        "id": asked.id,
        "title": asked.title,
        "level": str(asked.bound),
        "because": asked.because,
        "source": asked.source,
        "line": asked.position.line,
        "classes": result.classes,
        "violations": [_violation(violation) for violation in result.violations],
        "beyond": [_violation(violation) for violation in result.beyond],
    }


def _violation(violation: Violation) -> dict[str, Any]:
    row, sent = violation.row, violation.witness.performable
    return {
        "level": str(violation.level),
        "stages": None if violation.stages is None else list(map(str, in_order(violation.stages))),
        "rule": violation.rule.index if violation.rule else None,
        "line": violation.rule.position.line if violation.rule else None,
        "who": row.who,
        "verbs": row.product.verbs_text,
        "what": row.product.what,
        "where": row.product.where,
        "odd": list(row.odd),
        "request": str(sent) if sent else "",
    }
