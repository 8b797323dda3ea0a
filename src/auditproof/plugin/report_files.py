"""The report folder: removes an earlier run's files, then writes a preliminary report, and the final one at the end."""

from __future__ import annotations

import os
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree.ElementTree import ParseError

import pytest

from auditproof.plugin.options import FORMATS, REPORT_FILES
from auditproof.report.ci import sarif
from auditproof.report.ci.github import step_summary
from auditproof.report.ci.gitlab import code_quality
from auditproof.report.ci.junit import EMPTY, told_in_full
from auditproof.report.document import replace_file
from auditproof.report.folder_lock import FolderInUse, FolderLock
from auditproof.report.html.file_names import TESTS, is_evidence_page
from auditproof.report.html.page import report_pages
from auditproof.report.model import results_parts
from auditproof.report.provenance import repository_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from auditproof.plugin.options import Options
    from auditproof.report.model import Report

_FORMATS = {"sarif": sarif.as_sarif, "code-quality": code_quality}


def _is_own_page(page: Path, folder: Path) -> bool:
    """Whether a page is one that auditproof writes to its report folder."""
    return page.name != TESTS and page.resolve().parent == folder.resolve()


def ask_for_tests_page(config: pytest.Config, folder: Path) -> bool:
    """Let pytest-html write its page to the report folder, unless an option names another place.

    Returns whether the folder gets the page.
    """
    page, asked = folder / TESTS, getattr(config.option, "htmlpath", None)
    if asked:
        return Path(asked).absolute() == page
    expanded = os.path.expandvars(page) != str(page)  # as pytest-html does: it would write elsewhere
    if expanded or not config.pluginmanager.has_plugin("html"):
        return False
    config.option.htmlpath, config.option.self_contained_html = str(page), True
    return True


def prepare_folder(folder: Path) -> FolderLock:
    """Create the report folder and remove an earlier run's files: they must not be mistaken for this run's.

    No other run writes there until the lock is released. Raises pytest.UsageError if nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FolderLock(folder)
        pages = [path.name for path in folder.iterdir() if is_evidence_page(path.name)]
        for name in (*REPORT_FILES, *pages):
            (folder / name).unlink(missing_ok=True)
        return lock
    except FolderInUse as holder:
        text = (
            f"--audit-report: {folder} is being written by another run ({holder}); wait for it, or name another folder"
        )
        raise pytest.UsageError(text) from None
    except OSError as error:
        text = f"--audit-report: no report can be written to {folder}: {error.strerror}"
        raise pytest.UsageError(text) from None


class ReportFiles:
    """Writes the files of a report; a file that cannot be written is reported, and the others are still written."""

    def __init__(self, options: Options, say: Callable[[str], None], *, tests: bool) -> None:
        """``tests``: pytest-html writes its page to the folder."""
        self._options = options
        self._say = say
        self._tests = tests
        self.lost = False

    def leave_word(self, document: Report) -> None:
        """Write a report without any result yet: a run that is killed leaves no other."""
        self._write(document, tests=False)

    def write(self, document: Report) -> None:
        """Write everything but the JUnit file, which pytest has not finished by now."""
        self._write(document, tests=self._tests)
        if self._options.report is not None:
            for name in self._options.formats:
                self._put(self._options.report / FORMATS[name], partial(self._in_format, name, document))
        self._append_summary(document)

    def _in_format(self, name: str, document: Report) -> str:
        return _FORMATS[name](document, self.file_in_repository)

    @cached_property
    def file_in_repository(self) -> Callable[[str], str]:
        """The path from the root of the repository of a file that is shown; empty if it is not in it."""
        folders = self._options.folders
        return repository_files(folders, otherwise=folders[1])

    def _write(self, document: Report, *, tests: bool) -> None:
        folder = self._options.report
        if folder is None:
            return
        self._put(folder / "results.json", lambda: results_parts(document))
        for name, page in report_pages(document, tests=tests).items():
            self._put(folder / name, page)

    def _append_summary(self, document: Report) -> None:
        summary = os.environ.get("GITHUB_STEP_SUMMARY")
        if not summary:
            return
        try:
            with Path(summary).open("a", encoding="utf-8") as file:
                file.write(step_summary(document, self.file_in_repository))
        except OSError as error:  # reported, and changes no verdict
            self._say(f"auditproof: no step summary: {summary} cannot be written: {error.strerror}")

    def not_written(self, error: OSError | UnicodeError) -> None:
        """Report that pytest, or one of its plugins, could not write a file; remove a part of pytest-html's page."""
        self.lost = True
        if self._tests and self._options.report is not None:
            (self._options.report / TESTS).unlink(missing_ok=True)
        place = getattr(error, "filename", None) or f"{self._options.report}: a file of the report"
        self._say(f"auditproof: {place} cannot be written: {getattr(error, 'strerror', error)}")

    def finish(self, config: pytest.Config, document: Report) -> None:
        """Add every verdict to the JUnit file, which is complete by now, or write a new one if it is not.

        If ``--html`` names one of auditproof's pages in this folder, auditproof's page replaces pytest-html's.
        """
        junit, page = (getattr(config.option, name, None) for name in ("xmlpath", "htmlpath"))
        if junit:
            self._put(Path(junit), lambda: self._junit(Path(junit), document))
        folder = self._options.report
        if page and folder is not None and _is_own_page(Path(page), folder):
            ours = report_pages(document, tests=self._tests).get(Path(page).name)
            if ours is not None:
                self._put(folder / Path(page).name, ours)

    def _put(self, path: Path, text: Callable[[], str | Iterable[str]]) -> bool:
        try:
            replace_file(path, text())
        except OSError as error:
            self.lost = True
            self._say(f"auditproof: {path} cannot be written: {error.strerror}")
            return False
        return True

    def _junit(self, junit: Path, document: Report) -> str:
        try:
            text = junit.read_text(encoding="utf-8") if junit.is_file() else EMPTY
            return told_in_full(text, document, self.file_in_repository)
        except (ParseError, UnicodeDecodeError):  # an incomplete file
            return told_in_full(EMPTY, document, self.file_in_repository)
