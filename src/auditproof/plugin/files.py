"""The report folder: what an earlier run left goes, a word that nothing is shown yet comes, then what was shown."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from auditproof.plugin.options import FORMATS, REPORT_FILES
from auditproof.report import ci
from auditproof.report.html import (
    DOCUMENT,
    EVIDENCE_FILE,
    evidence_document,
    evidence_is_apart,
    into_page,
    standalone_page,
    ticket_document,
)
from auditproof.report.junit import EMPTY, told_in_full
from auditproof.report.results import replace_file, write_results

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from auditproof.plugin.options import Options

_FORMATS = {"sarif": ci.sarif, "code-quality": ci.code_quality}


def prepare_folder(folder: Path) -> None:
    """Make the report folder and remove an earlier run's files: they must not pass for this one's.

    Raises pytest.UsageError where nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in REPORT_FILES:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        text = f"--audit-report: no report can be written to {folder}: {error.strerror}"
        raise pytest.UsageError(text) from None


def leave_word(folder: Path, document: Mapping[str, Any]) -> None:
    """Write a report of a run that has shown nothing yet: it is all that is left of a run that is killed."""
    write_results(folder / "results.json", document)
    replace_file(folder / "report.html", standalone_page(ticket_document(document), document))


def write_for_machines(options: Options, document: Mapping[str, Any], say: Callable[[str], None]) -> None:
    """Write results.json and what CI systems read."""
    if options.report is not None:
        write_results(options.report / "results.json", document)
        for name in options.formats:
            replace_file(options.report / FORMATS[name], _FORMATS[name](document))
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if not summary:
        return
    try:
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(ci.step_summary(document))
    except OSError as error:  # it is told, and changes no verdict
        say(f"auditproof: no step summary: {summary} cannot be written: {error.strerror}")


def finish_pages(config: pytest.Config, document: Mapping[str, Any]) -> None:
    """Put the ticket document on top of pytest-html's file, and places into the JUnit file: both are complete now."""
    page, junit = (Path(getattr(config.option, name, None) or "") for name in ("htmlpath", "xmlpath"))
    if page.is_file():
        if evidence_is_apart(document):  # first: the page links to it
            replace_file(page.with_name(EVIDENCE_FILE), evidence_document(document))
        text, ticket = page.read_text(encoding="utf-8"), ticket_document(document)
        # Where pytest did not get as far as to its own page, the word that was left at the beginning is still there.
        replace_file(page, standalone_page(ticket, document) if DOCUMENT in text else into_page(text, ticket))
    if getattr(config.option, "xmlpath", None):
        written = junit.read_text(encoding="utf-8") if junit.is_file() else EMPTY
        replace_file(junit, told_in_full(written, document))
