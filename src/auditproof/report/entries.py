"""Entries of the file of acknowledged changes: what they let pass, and which of them have to be changed. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.report.gate import forbidden_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.report.model import AcknowledgementRecord, Report


def entry_text(entry: AcknowledgementRecord) -> str:
    """Who approved it, why, and until when, with its place."""
    until = f", until {entry.until}" if entry.until else ""
    ticket = f", {entry.ticket}" if entry.ticket else ""
    return f"{entry.approved_by}{ticket}{until}: {entry.because} ({entry.file}:{entry.line})"


def acknowledged_lines(report: Report) -> Iterator[str]:
    """The forbidden changes and the unmet requirements that someone has acknowledged, each with the entry."""
    for one in report.gate.forbidden if report.gate else ():
        for entry in dict.fromkeys(effect.acknowledged for effect in one.effects if effect.acknowledged):
            yield f"acknowledged {forbidden_text(one)}: {entry_text(entry)}"
    for record in report.requirements:
        if record.acknowledged and record.violations:
            yield f"acknowledged {record.id} is not met: {entry_text(record.acknowledged)}"


def entry_remarks(report: Report) -> Iterator[str]:
    """The entries that have to be changed: those that are over, and those that cover nothing any more."""
    for one in report.gate.expired if report.gate else ():
        yield f"{_at(one)}: this acknowledgement ended on {one.until}: renew it, or remove it"
    for one in report.gate.unused if report.gate else ():
        yield f"{_at(one)}: this acknowledgement covers nothing that is forbidden: remove it"
    for entry in report.requirement_entries.expired:
        yield f"{_at(entry)}: this entry ended on {entry.until}: meet {entry.requirement}, or renew the entry"
    for entry in report.requirement_entries.unneeded:
        yield f"{_at(entry)}: {entry.requirement} is met, so this entry is no longer needed: remove it"
    for entry in report.requirement_entries.unchecked:
        yield f"{_at(entry)}: {entry.requirement} is not checked in this run"


def _at(entry: AcknowledgementRecord) -> str:
    return f"{entry.file}:{entry.line}"
