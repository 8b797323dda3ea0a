"""``auditproof report``: the HTML report of a run, written again from its results.json."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from auditproof.errors import AuditproofError
from auditproof.text import output

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EPILOG = """\
The page is the report.html of the run.
If there is a lot of evidence, it is written to evidence.html in the same folder.

Exit codes: 0 done; 4 a file cannot be read or written.

example:
  auditproof report reports/results.json --output ticket.html
"""


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
    parser.set_defaults(unusable=4)


def execute(options: Namespace) -> int:
    """Write the page, and print its path.

    Raises AuditproofError if it cannot be written.
    """
    from auditproof.report.document import replace_file
    from auditproof.report.html.page import EVIDENCE_FILE, evidence_is_apart, evidence_page, report_page
    from auditproof.report.read import load_report

    report = load_report(options.results)
    try:
        if evidence_is_apart(report):  # first: the page links to it
            replace_file(options.output.with_name(EVIDENCE_FILE), evidence_page(report))
        replace_file(options.output, report_page(report))
    except OSError as error:
        raise AuditproofError(f"{options.output}: cannot be written: {error.strerror}") from None
    output.tell(str(options.output))
    return 0
