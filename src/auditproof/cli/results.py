"""``auditproof report`` and ``auditproof compare``: what can be done with results.json after the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from auditproof.cli.command import add_command
from auditproof.errors import AuditproofError
from auditproof.report.compare import compare, render_markdown, render_text, to_record
from auditproof.report.document import replace_file
from auditproof.report.html.page import (
    EVIDENCE_FILE,
    evidence_document,
    evidence_is_apart,
    standalone_page,
    ticket_document,
)
from auditproof.report.read import read_results
from auditproof.text import output

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from auditproof.cli.command import Commands

REPORT_EPILOG = """\
The page is the ticket document of the run's report.html, without the table that pytest-html draws below it.
Where there is much evidence, evidence.html is written beside it.

exit codes: 0 done; 4 the file cannot be used.

example:
  auditproof report reports/results.json --output ticket.html
"""
COMPARE_EPILOG = """\
Actions are known by their ids; those made out of the given policy are compared whatever the policy's file is called.

exit codes, as those of diff: 0 both runs have shown the same; 1 they have not; 4 a file cannot be used.

examples:
  auditproof compare 1.36/results.json 1.37/results.json
  auditproof compare before/results.json after/results.json --format markdown
"""
COMPARE_FORMATS = ("text", "json", "markdown")


def add_report(commands: Commands) -> None:
    """Declare the subcommand."""
    asked = add_command(commands, "report", "write the HTML document of a results.json again", REPORT_EPILOG)
    asked.add_argument("results", metavar="RESULTS", type=Path, help="the results.json of a run")
    asked.add_argument(
        "--output", metavar="FILE", type=Path, default=Path("report.html"), help="default: report.html, here"
    )
    asked.set_defaults(run=_report, unusable=4)


def add_compare(commands: Commands) -> None:
    """Declare the subcommand."""
    asked = add_command(commands, "compare", "tell two runs apart by their results.json", COMPARE_EPILOG)
    asked.add_argument("first", metavar="FIRST", type=Path, help="the results.json of one run")
    asked.add_argument("second", metavar="SECOND", type=Path, help="the results.json of another one")
    asked.add_argument("--format", choices=COMPARE_FORMATS, default="text", help="default: text")
    asked.set_defaults(run=_compare, unusable=4)


def _report(options: argparse.Namespace, _rest: Sequence[str]) -> int:
    report = read_results(options.results)
    try:
        if evidence_is_apart(report):  # first: the page links to it
            replace_file(options.output.with_name(EVIDENCE_FILE), evidence_document(report))
        replace_file(options.output, standalone_page(ticket_document(report), report))
    except OSError as error:
        raise AuditproofError(f"{options.output}: cannot be written: {error.strerror}") from None
    output.tell(str(options.output))
    return 0


def _compare(options: argparse.Namespace, _rest: Sequence[str]) -> int:
    found = compare(read_results(options.first), read_results(options.second))
    if options.format == "json":
        output.tell_json(json.dumps(to_record(found), indent=1, ensure_ascii=False))
    else:
        output.tell((render_markdown(found) if options.format == "markdown" else render_text(found)).removesuffix("\n"))
    return 0 if found.same else 1
