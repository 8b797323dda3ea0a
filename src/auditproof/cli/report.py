"""``auditproof report``: the pages of a run's report, written again from its results.json."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from auditproof.cli.exit_codes import ExitCode
from auditproof.errors import AuditproofError
from auditproof.options import option_named
from auditproof.text import output

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Collection

    from auditproof.report.model import Report

HEAD = 2000  # characters of a page in which its title is
TICKET_OPTIONS = {"title": "title", "ticket": "number", "author": "author", "reviewer": "reviewer"}  # keys of ticket
EPILOG = """\
The file is the ticket, as the report.html of the run: two printed pages.
details.html, evidence.html and the pages with the events are written next to it.

examples:
  auditproof report reports/results.json --output ticket.html
  auditproof report reports/results.json --output reports/report.html --ticket CHG-1042 --reviewer "Zoë Winter"
"""
EXIT_CODES = {
    ExitCode.FINE: "the pages are written",
    ExitCode.UNUSABLE: "unusable options, or a file cannot be read or written",
}


def declare(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("results", metavar="RESULTS", type=Path, help="results.json of a run")
    parser.add_argument(
        "--output",
        metavar="FILE",
        type=Path,
        default=Path("report.html"),
        help="file to write (default: report.html in the current folder)",
    )
    for name in TICKET_OPTIONS:
        option = option_named(name)
        parser.add_argument(f"--{name}", metavar=option.metavar, help=f"{option.help} (default: as in the run)")


def execute(options: Namespace) -> int:
    """Write the page, and print its path.

    Raises AuditproofError if one of them cannot be written, or has the name of another page.
    """
    from auditproof.report.document import replace_file
    from auditproof.report.html.file_names import TESTS
    from auditproof.report.html.page import report_pages
    from auditproof.report.read import load_report

    report, output_file = _named(load_report(options.results), options), options.output
    if not output_file.name:
        raise AuditproofError(f"--output: {output_file} is a folder; name the file to write, such as report.html")
    if output_file.name in (*report_pages(report, ticket=""), TESTS):
        raise AuditproofError(
            f"--output: {output_file.name} is the name of another page of the report; name another file"
        )
    pages = report_pages(report, ticket=output_file.name, tests=output_file.with_name(TESTS).is_file())
    path = output_file
    try:
        for name, page in pages.items():
            path = output_file.with_name(name)
            replace_file(path, page())
        _remove_evidence(output_file.parent, keep=pages)
    except OSError as error:
        raise AuditproofError(f"{path}: cannot be written: {error.strerror}") from None
    output.tell(str(options.output))
    return 0


def _remove_evidence(folder: Path, keep: Collection[str]) -> None:
    """Remove pages with evidence of another, larger run: they must not be mistaken for this run's."""
    from auditproof.report.html.file_names import EVIDENCE_TITLE, is_evidence_page

    for path in folder.iterdir():
        if is_evidence_page(path.name) and path.name not in keep:
            with path.open(encoding="utf-8", errors="replace") as file:
                ours = EVIDENCE_TITLE in file.read(HEAD)
            if ours:
                path.unlink()


def _named(report: Report, options: Namespace) -> Report:
    """The report with what the options say about the change."""
    from auditproof.audit.redact import redact_text

    given = {key: getattr(options, name) for name, key in TICKET_OPTIONS.items()}
    said = {key: redact_text(text.strip()) for key, text in given.items() if text is not None}
    return report.model_copy(update={"ticket": report.ticket.model_copy(update=said)})
