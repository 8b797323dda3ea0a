"""The first page of the ticket: what a reviewer has to know for the decision, as much of it as fits. Pure."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.analysis.diff import ChangeKind
from auditproof.audit.event import Level
from auditproof.detections import Feed
from auditproof.proof.verdict import Outcome
from auditproof.report.change import change_rows
from auditproof.report.entries import entry_remarks, entry_text
from auditproof.report.headline import why_not_performed
from auditproof.report.html.also import also_found
from auditproof.report.html.details import problems
from auditproof.report.html.example import examples
from auditproof.report.html.fitting import HEAD, MORE, Part, clipped, fitting, lines_of
from auditproof.report.html.heading import STATE_COLOURS
from auditproof.report.log_lines import counted
from auditproof.report.requirement_states import State, remedy, requirement_states, violated_text, worst_violation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from auditproof.analysis.gate import Consequence
    from auditproof.report.change import ChangeShown
    from auditproof.report.html.example import Example
    from auditproof.report.model import AcknowledgementRecord, GatedChange, Report

WIDTH = 60.5  # em of a printed line
LONGEST = 200  # letters of a text in a row
NAMES = 3  # actions that a row names
_OPTIONAL = {"change": "allowed change", "also": "other finding"}
GAINS = {ChangeKind.STARTS_BODIES, ChangeKind.STARTS, ChangeKind.GAINS_STAGES, ChangeKind.MANAGED_FIELDS}


@dataclass(frozen=True, slots=True)
class Row:
    """An entry of a part: a label in the colour of a verdict (or none), a text in bold, and further lines."""

    label: str
    colour: str
    text: str
    more: tuple[str, ...] = ()

    @property
    def height(self) -> float:
        """How many printed lines it takes."""
        return (
            lines_of(f"{self.label}    {self.text}", WIDTH, bold=True)
            + sum(lines_of(one, WIDTH) for one in self.more)
            + 0.4
        )


@dataclass(frozen=True, slots=True)
class FirstPage:
    """What is on the page below the facts: parts by name, examples, and what is only in details.html."""

    parts: dict[str, Part[Row]]
    examples: list[Example]
    elsewhere: str


def first_page(report: Report, lines: float) -> FirstPage:
    """As many rows as fit into ``lines``, the most important ones first."""
    changes = change_rows(report)
    shown = examples(changes, report)
    differences = {"change": list(_changes(report, changes))}
    parts = {
        "forbidden": list(_forbidden(report)),
        "problems": list(_problems(report)),
        **({} if report.gate else differences),
        "requirements": list(_requirements(report)),
        "detections": list(_detections(report)),
        "acknowledged": list(_acknowledged(report)),
        "backends": list(_backends(report)),
    }
    optional = {
        **(differences if report.gate else {}),
        "also": [_row(label, "", text) for label, text in also_found(report)],
    }
    room = lines - MORE - (shown[0].height + HEAD if shown else 0)
    fitted = fitting(room, parts, _height)
    left = room - sum(part.lines(_height) for part in fitted.values())
    elsewhere = []
    for name, rows in optional.items():
        part = fitting(left, {name: rows}, _height)[name]
        fitted[name] = part if part.shown else Part()
        left -= fitted[name].lines(_height)
        if part.more and not part.shown:
            elsewhere.append(counted(part.more, _OPTIONAL[name]))
    more = itertools.takewhile(lambda height: height <= left, itertools.accumulate(one.height for one in shown[1:]))
    return FirstPage(fitted, shown[: 1 + len(list(more))], " and ".join(elsewhere))


def _height(row: Row) -> float:
    return row.height


def _row(label: str, colour: str, text: str, *more: str) -> Row:
    return Row(label, colour, clipped(text, LONGEST), tuple(clipped(one, LONGEST) for one in more if one))


def _forbidden(report: Report) -> Iterator[Row]:
    """What is lost or exposed, and nobody has acknowledged."""
    for one in report.gate.forbidden if report.gate else ():
        if not one.acknowledged:
            effects = [effect.effect for effect in one.effects if effect.acknowledged is None]
            yield _gated(one, effects, Outcome.VIOLATED)


def _gated(one: GatedChange, effects: Sequence[Consequence], colour: str) -> Row:
    texts = ", ".join(effect.text for effect in effects)
    return _row(", ".join(map(str, effects)), colour, _about(one), f"{one.text}: {texts}")


def _about(one: GatedChange) -> str:
    """Which requests a change is about."""
    verbs = ", ".join(one.verbs) or "all verbs"
    by = "" if one.who in ("", "everybody") else f"by {one.who}"
    on = f"on Kubernetes {', '.join(one.kubernetes)}" if one.kubernetes else ""
    return " ".join(filter(None, (f"{verbs} of {one.what}", one.where, by, on)))


def _acknowledged(report: Report) -> Iterator[Row]:
    """Who approved what, and entries that have to be changed."""
    for one in report.gate.forbidden if report.gate else ():
        if one.acknowledged:
            entries = dict.fromkeys(effect.acknowledged for effect in one.effects if effect.acknowledged)
            effects = ", ".join(str(effect.effect) for effect in one.effects)
            yield _row(effects, Outcome.PROVEN, _about(one), *(_approved(entry) for entry in entries))
    for record in report.requirements:
        if record.acknowledged and record.violations:
            yield _row(f"{record.id} not met", Outcome.PROVEN, record.title, _approved(record.acknowledged))
    for remark in entry_remarks(report):
        yield _row("entry", Outcome.UNPROVEN, remark)


def _approved(entry: AcknowledgementRecord) -> str:
    return f"approved by {entry_text(entry)}"


def _problems(report: Report) -> Iterator[Row]:
    """What is not proven: of which requirement or action, and why."""
    titles = {name: record.title for record in report.requirements for name in record.proofs}
    for verdict, reasons, proofs in problems(report):
        first = (reasons[0].splitlines() or [""])[0] if reasons else ""
        about = list(dict.fromkeys(titles.get(proof.id) or proof.title or proof.id for proof in proofs))
        yield _row(verdict, verdict, _some(about), first)
    for test in report.backends.tests if report.backends else ():
        if test.verdict.is_trouble:
            yield _row(test.verdict, test.verdict, test.title, test.reason)
    if missing := [*report.not_performed, *(report.backends.not_performed if report.backends else ())]:
        names = _some([name.rpartition("::")[2] for name in missing])
        yield _row(
            Outcome.UNPROVEN,
            Outcome.UNPROVEN,
            f"{counted(len(missing), 'action')} without a result: {names}",
            why_not_performed(report),
        )


def _backends(report: Report) -> Iterator[Row]:
    """What arrived at the reader, by tests of the audit backends; those that failed are among the problems."""
    for test in report.backends.tests if report.backends else ():
        if not test.verdict.is_trouble:
            counts = f"{test.recorded} recorded, {test.lost} lost, {test.unproven} unproven"
            label = test.verdict.replace("_", " ")
            yield _row(label, test.verdict, test.title, f"{counted(test.performed, 'action')}: {counts}")


def _some(names: list[str]) -> str:
    more = len(names) - NAMES
    return "; ".join(names[:NAMES]) + (f"; and {more} more" if more > 0 else "")


def _requirements(report: Report) -> Iterator[Row]:
    """Requirements that are not met, not shown or fixed; those that are met are a number in the decision."""
    for one in requirement_states(report):
        record = one.record
        if one.state in (State.UNMET, State.NOT_SHOWN) or one.status == "fixed":
            label = " ".join(filter(None, (one.status, str(one.state).lower())))
            title = f"{record.title} ({record.id}: {record.source})"
            reason = violated_text(worst_violation(record), report) if record.violations else one.reason
            more = len(one.record.violations) - 1
            further = f"; and {counted(more, 'more kind')} of requests" if more > 0 else ""
            yield _row(label, STATE_COLOURS[one.state], title, f"{reason}{further}", remedy(one, report))


def _detections(report: Report) -> Iterator[Row]:
    """The detection rules that the change takes requests from, and those that are blind, worst first."""
    rules = report.detections.rules if report.detections else ()
    told = [one for one in rules if one.worse or one.feed == Feed.BLIND]
    for one in sorted(told, key=lambda one: (not one.worse, one.feed != Feed.BLIND)):
        was = f", before {one.before}" if one.before and one.before != one.feed else ""
        lost = one.lost[0] if one.lost else None
        text = f"{lost.requests} by {lost.by}: {lost.recorded}" if lost else ""
        label = f"newly {one.feed.lower()}" if one.worse else one.feed.lower()
        colour = Outcome.VIOLATED if one.worse else ""
        yield _row(label, colour, f"{one.title} ({one.pack}{was})", text, lost.remedy if lost else "")
    if report.detections and (left := report.detections.not_read):
        names = _some([one.title for one in left])
        yield _row("not read", Outcome.UNPROVEN, f"{counted(len(left), 'rule')}: {names}", left[0].reason)


def _changes(report: Report, rows: Sequence[ChangeShown]) -> Iterator[Row]:
    """Differences that are not forbidden; all of them without a gate."""
    if report.gate:
        yield from (_gated(one, [each.effect for each in one.effects], "") for one in report.gate.allowed)
        return
    for row in rows:
        by = "" if row.who in ("", "everybody") else f", by {row.who}"
        reads = (
            "; a read sends no body"
            if row.kind == ChangeKind.STARTS_BODIES and row.text.partition(";")[0].endswith(f"→ {Level.REQUEST}")
            else ""
        )
        about = " ".join(filter(None, (f"{row.verbs} of {row.what}", row.where)))
        yield _row(row.kind, "" if row.kind in GAINS else Outcome.VIOLATED, about, f"{row.text}{by}{reads}")
