"""The report folder: what an earlier run left goes, a word that nothing is shown yet comes, then what was shown."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import ParseError

import pytest

from auditproof.plugin.options import FORMATS, REPORT_FILES
from auditproof.report.ci import troubles as ci
from auditproof.report.ci.junit import EMPTY, told_in_full
from auditproof.report.document import replace_file, results_text
from auditproof.report.html.page import (
    DOCUMENT,
    EVIDENCE_FILE,
    evidence_document,
    evidence_is_apart,
    into_page,
    standalone_page,
    ticket_document,
)

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


class ReportFiles:
    """Writes the files of a report; what cannot be written is told, and the others are written all the same."""

    def __init__(self, options: Options, say: Callable[[str], None]) -> None:
        self._options = options
        self._say = say
        self.lost = False

    def leave_word(self, document: Mapping[str, Any]) -> None:
        """Write a report of a run that has shown nothing yet: it is all that is left of a run that is killed."""
        if self._options.report is not None:
            self._put(self._options.report / "results.json", lambda: results_text(document))
            page = lambda: standalone_page(ticket_document(document), document)  # noqa: E731
            self._put(self._options.report / "report.html", page)

    def write_for_machines(self, document: Mapping[str, Any]) -> None:
        """Write results.json and what CI systems read."""
        if self._options.report is not None:
            self._put(self._options.report / "results.json", lambda: results_text(document))
            for name in self._options.formats:
                self._put(self._options.report / FORMATS[name], lambda name=name: _FORMATS[name](document))  # type: ignore[misc]
        summary = os.environ.get("GITHUB_STEP_SUMMARY")
        if not summary:
            return
        try:
            with Path(summary).open("a", encoding="utf-8") as file:
                file.write(ci.step_summary(document))
        except OSError as error:  # it is told, and changes no verdict
            self._say(f"auditproof: no step summary: {summary} cannot be written: {error.strerror}")

    def not_written(self, error: OSError | UnicodeError) -> None:
        """Tell that pytest, or a plugin of it, could not write its own file of the report."""
        self.lost = True
        place = getattr(error, "filename", None) or f"{self._options.report}: a file of the report"
        self._say(f"auditproof: {place} cannot be written: {getattr(error, 'strerror', error)}")

    def finish_pages(self, config: pytest.Config, document: Mapping[str, Any]) -> None:
        """Put the ticket document on top of pytest-html's file, and every verdict into the JUnit file.

        Both are complete by now; where pytest could not write them, or has no plugin that does, we write our own.
        """
        page, junit = (getattr(config.option, name, None) for name in ("htmlpath", "xmlpath"))
        if page:
            self._finish_page(Path(page), document)
        if junit:
            self._put(Path(junit), lambda: _junit(Path(junit), document))

    def _finish_page(self, page: Path, document: Mapping[str, Any]) -> None:
        if evidence_is_apart(document):  # first: the page links to it
            self._put(page.with_name(EVIDENCE_FILE), lambda: evidence_document(document))
        if not self._put(page, lambda: _page(page, document)):
            page.unlink(missing_ok=True)  # what is there is half a page, or pytest-html's without our document
            self._put(page, lambda: standalone_page(ticket_document(document), document))

    def _put(self, path: Path, text: Callable[[], str]) -> bool:
        try:
            replace_file(path, text())
        except OSError as error:
            self.lost = True
            self._say(f"auditproof: {path} cannot be written: {error.strerror}")
            return False
        return True


def _page(page: Path, document: Mapping[str, Any]) -> str:
    """The page with our document; ours alone where pytest did not get as far as to its own."""
    written = page.read_text(encoding="utf-8", errors="replace") if page.is_file() else ""
    ticket = ticket_document(document)
    whole = written.rstrip().endswith("</html>") and DOCUMENT not in written  # that has the word left at the beginning
    return into_page(written, ticket) if whole else standalone_page(ticket, document)


def _junit(junit: Path, document: Mapping[str, Any]) -> str:
    try:
        return told_in_full(junit.read_text(encoding="utf-8") if junit.is_file() else EMPTY, document)
    except (ParseError, UnicodeDecodeError):  # half a file
        return told_in_full(EMPTY, document)
