"""Detection rules as Markdown for a pull request: at most 60 lines, whatever their number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.detections import Feed, remedy_text
from auditproof.report.detections.fed_rules import NOT_READ
from auditproof.text.markdown import markdown, table

if TYPE_CHECKING:
    from auditproof.detections import Fed
    from auditproof.report.detections.fed_rules import FedRules

SHOWN = 30  # rows
SHOWN_NOT_READ = 5


def as_markdown(found: FedRules) -> str:
    """The result in sentences, and a table of the rules that are not fed, those that the change concerns first."""
    lines = [f"**{markdown(sentence)}**" for sentence in reversed(list(found.sentences()))]
    rows = [one for one in found.bad_first() if one.feed is not Feed.FED or one.worse]
    if rows:
        header = ["Rule", "Fed", "Before", "Loses", "Remedy"] if found.base else ["Rule", "Fed", "Loses", "Remedy"]
        lines += ["", *table(header, [_cells(one, with_base=bool(found.base)) for one in rows[:SHOWN]])]
    if len(rows) > SHOWN:
        lines += ["", f"{len(rows) - SHOWN} more: see the complete list."]
    for left in found.not_read[:SHOWN_NOT_READ]:
        lines += ["", markdown(f"{NOT_READ}: {left.title} ({left.position.path}:{left.position.line}): {left.reason}")]
    if len(found.not_read) > SHOWN_NOT_READ:
        lines += ["", f"{len(found.not_read) - SHOWN_NOT_READ} more rules are {NOT_READ}."]
    return "\n\n".join(lines[:1]) + "\n" + "\n".join(lines[1:])


def _cells(one: Fed, *, with_base: bool) -> list[str]:
    lost = one.lost[0] if one.lost else None
    more = f" and {len(one.lost) - 1} more kinds" if len(one.lost) > 1 else ""
    cells = [f"{one.detection.title} ({one.detection.pack})", str(one.feed)]
    cells += [str(one.base)] if with_base else []
    return [*cells, f"{lost.text}{more}" if lost else f"never: {one.why_never}", remedy_text(lost) if lost else ""]
