"""``auditproof compare``: the differences between two runs, from their results.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from auditproof.cli.arguments import add_format
from auditproof.cli.exit_codes import ExitCode
from auditproof.text import output

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EPILOG = """\
Checks are matched by id. Those generated from the tested policy are matched even if the policy file was renamed.

examples:
  compare two Kubernetes versions
    auditproof compare 1.36/results.json 1.37/results.json
  for a pull request
    auditproof compare before/results.json after/results.json --format markdown
"""
EXIT_CODES = {
    ExitCode.FINE: "both runs have the same results",
    ExitCode.FOUND: "they differ",
    ExitCode.UNUSABLE: "unusable options, or a file cannot be used",
}


def declare(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("first", metavar="FIRST", type=Path, help="results.json of one run")
    parser.add_argument("second", metavar="SECOND", type=Path, help="results.json of the other run")
    add_format(parser, ["text", "json", "markdown"])


def execute(options: Namespace) -> int:
    """Compare, and write the differences."""
    from auditproof.report.compare import compare, render_markdown, render_text, to_record
    from auditproof.report.read import load_report

    found = compare(load_report(options.first), load_report(options.second))
    if options.format == "json":
        output.tell_json(json.dumps(to_record(found), indent=1, ensure_ascii=False))
    else:
        output.tell((render_markdown(found) if options.format == "markdown" else render_text(found)).removesuffix("\n"))
    return 0 if found.same else 1
