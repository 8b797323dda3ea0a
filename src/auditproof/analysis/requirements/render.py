"""The results of requirements, as text for a terminal and as plain data for reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditproof.analysis.space.remarks import odd_text
from auditproof.audit.event import Level
from auditproof.audit.stages import in_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from auditproof.analysis.requirements.check import Checked, Violation
    from auditproof.analysis.requirements.contradictions import Contradiction
    from auditproof.analysis.requirements.requirement import RequirementsFile
    from auditproof.audit.policy.load import PolicyRule

_WIDTH = 9


def render_text(checked: Iterable[tuple[RequirementsFile, Iterable[Checked]]]) -> str:
    """A line per requirement, and below it every violation."""
    lines: list[str] = []
    for file, results in checked:
        lines += [f"{file.name}: {file.title}", ""]
        for result in results:
            lines += [*_lines(result), ""]
    return "\n".join(lines)


def _lines(result: Checked) -> Iterator[str]:
    asked = result.requirement
    state = "VIOLATED" if result.violations else "HOLDS" if result.classes else "EMPTY"
    about = f"{result.classes} classes of requests" if result.classes != 1 else "1 class of requests"
    yield f"{state} {asked.id}: {asked.title} ({asked.bound}; {about})"
    if result.violations:
        yield f"  {'because':<{_WIDTH}}{asked.because}"
        yield f"  {'source':<{_WIDTH}}{asked.source}"
    for violation in result.violations:
        yield f"  - {violation_text(violation)}"
        yield from _rows(violation)
    for violation in result.beyond:
        yield f"  - odd requests, which do not count as violations, are {violation_text(violation)}"
        yield from _rows(violation)


def _rows(violation: Violation) -> Iterator[str]:
    row = violation.row
    rows = [
        ("rule", rule_text(violation.rule)),
        ("who", row.who),
        ("verbs", row.product.verbs_text),
        ("what", row.product.what),
        ("where", row.product.where),
        ("odd", odd_text(row.odd)),
        ("request", str(violation.witness.performable or violation.witness.reason)),
    ]
    yield from (f"    {name:<{_WIDTH}}{text}" for name, text in rows if text)


def violation_text(violation: Violation) -> str:
    """How the requests are recorded instead, in words."""
    at = "" if violation.stages is None else f", with events at {', '.join(in_order(violation.stages))}"
    return level_text(violation.level) + at


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
