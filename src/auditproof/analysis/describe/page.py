"""A Description as the sections of a page, and as text and Markdown. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from auditproof.analysis.describe.whos import FAILED_LOGINS
from auditproof.audit.event import Level, Stage
from auditproof.audit.stages import in_order
from auditproof.text.markdown import markdown, written_table
from auditproof.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from auditproof.analysis.describe.description import Description, Line
    from auditproof.audit.effect import Effect

SHOWN = 5  # pairs of exceptions that do not add up
TITLE = "What this audit policy records"
_NOTES = {
    Level.REQUEST_RESPONSE: "With metadata, what is sent and what is returned.",
    Level.REQUEST: "With metadata and what is sent; reads send nothing.",
    Level.METADATA: "Who did what and when, without bodies.",
    Level.NONE: "",
}
_SECRETS = "secrets, configmaps, token reviews and issued tokens"


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page: remarks, then a table, of which a row may be shown as one line of text."""

    title: str
    remarks: tuple[str, ...]
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()

    @staticmethod
    def of(title: str, remarks: Iterable[str], header: Sequence[str], rows: Iterable[Sequence[str]]) -> Section:
        """A section without the columns in which nothing is."""
        columns = [(name, cells) for name, cells in zip(header, zip(*rows, strict=True), strict=False) if any(cells)]
        turned = zip(*(cells for _, cells in columns), strict=True)
        return Section(title, tuple(remarks), tuple(name for name, _ in columns), tuple(turned))


def introduction(described: Description) -> str:
    """What the page is about."""
    return (
        f"Every ordinary request to an API server of Kubernetes {described.kubernetes.removeprefix('v')}, by anybody. "
        "Each section holds for all users but those that are listed under Exceptions."
    )


def sections(described: Description) -> list[Section]:
    """The page: what is recorded by level, what is not, exceptions, and where secrets may be."""
    common = _common(described)
    found = []
    for effect, lines in groupby(described.usual, key=lambda line: line.effect):
        title = f"Recorded at {effect_text(effect, common)}" if effect.recorded else "Not recorded"
        rows = [(line.what, line.verbs, line.where) for line in lines]
        found.append(Section.of(title, filter(None, [_NOTES[effect.level]]), ("What", "Verbs", "Where"), rows))
    if common:
        found.insert(0, Section("Stages", (f"Nothing is recorded at {' and '.join(in_order(common))}.",)))
    return [*found, _exceptions(described, common), _secrets(described)]


def _common(described: Description) -> frozenset[Stage]:
    """The stages that are omitted from everything that is recorded; empty if these differ."""
    lines = (*described.usual, *(line for line in described.exceptions if line.who != FAILED_LOGINS.text))
    omitted = {frozenset(Stage) - line.effect.stages for line in lines if line.effect.recorded}
    return omitted.pop() if len(omitted) == 1 else frozenset()


def effect_text(effect: Effect, common: frozenset[Stage] = frozenset()) -> str:
    """The level, and the stages and managedFields that are omitted; ``common`` stages are said elsewhere."""
    if not effect.recorded:
        return "not recorded"
    omitted = in_order(frozenset(Stage) - effect.stages - common)
    texts = [*omitted, *(["managedFields"] if effect.omit_managed_fields else [])]
    return f"{effect.level} without {', '.join(texts)}" if texts else str(effect.level)


def _exceptions(described: Description, common: frozenset[Stage]) -> Section:
    rows = [(line.who, line.what, line.verbs, line.where, _recorded(line, common)) for line in described.exceptions]
    if not rows:
        return Section("Exceptions", ("There are none: what is recorded does not depend on the user.",))
    return Section.of("Exceptions", _together(described), ("Who", "What", "Verbs", "Where", "Recorded"), rows)


def _recorded(line: Line, common: frozenset[Stage]) -> str:
    """How the requests of a line are recorded; a failed login has one event only, so its stages say nothing."""
    failed = line.who == FAILED_LOGINS.text and line.effect.recorded
    return str(line.effect.level) if failed else effect_text(line.effect, common)


def _together(described: Description) -> Iterator[str]:
    """What is recorded of users to whom several exceptions apply."""
    if described.several:
        but = ", apart from the following pairs." if described.conflicts else "."
        yield f"All exceptions that apply to a user count{but}"
    for one, other, always in described.conflicts[:SHOWN]:
        counts = f"that of {one.text}" if always else "one or the other, depending on the request"
        yield f"Of {one.text} and {other.text}, it is {counts}."
    if (left := len(described.conflicts) - SHOWN) > 0:
        yield f"There are {left} more such pairs."


def _secrets(described: Description) -> Section:
    remarks = []
    if not described.secrets:
        remarks.append(f"Not in bodies: those of {_SECRETS} are not recorded.")
    if described.bodies:
        remarks.append("Bodies of other resources, such as pods, may hold secrets that their authors put there.")
    if described.commands:
        remarks.append("The command of an exec is in its URI, which is recorded at every level.")
    rows = [
        (one.line.what, one.line.verbs, one.line.where, one.line.who or "everybody", _BODIES[one.bodies])
        for one in described.secrets
    ]
    return Section.of("Where secrets may be in the log", remarks, ("What", "Verbs", "Where", "By", "Body"), rows)


_BODIES = {
    frozenset({"sent"}): "sent",
    frozenset({"returned"}): "returned",
    frozenset({"sent", "returned"}): "sent and returned",
}


def render_text(described: Description) -> str:
    """The page as text, a line per row."""
    lines = [TITLE, "", introduction(described)]
    for section in sections(described):
        lines += ["", section.title, *(f"  {remark}" for remark in section.remarks)]
        lines += [f"  - {' | '.join(filter(None, row))}" for row in section.rows]
    return "\n".join(map(printable, lines)) + "\n"


def render_markdown(described: Description) -> str:
    """The page as Markdown, with a table per section."""
    lines = [f"# {TITLE}", "", markdown(introduction(described))]
    for section in sections(described):
        lines += ["", f"## {markdown(section.title)}"]
        for remark in section.remarks:
            lines += ["", markdown(remark)]
        if section.rows:
            lines += ["", *written_table([*section.header], [[*map(markdown, row)] for row in section.rows])]
    return "\n".join(lines) + "\n"
