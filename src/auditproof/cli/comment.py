"""``auditproof comment``: the summary of a run as the one comment of a pull or merge request."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from auditproof.cli.exit_codes import ExitCode
from auditproof.errors import AuditproofError
from auditproof.text import output

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EPILOG = """\
The comment is the summary that a run writes for GitHub Actions: the decision, the statements, and what speaks against
the change. The next run replaces it: it begins with a marker that no reader sees, one for each policy.

Which pull or merge request it is, and where, is in the variables that the CI system sets. The token is GITHUB_TOKEN,
with the permission pull-requests: write, or GITLAB_TOKEN, a project access token with the scope api. Outside of a pull
or merge request, nothing is sent. --print sends nothing anywhere, and prints the comment.

examples:
  auditproof comment reports/results.json
  auditproof comment reports/results.json --link "$CI_JOB_URL/artifacts/file/reports/report.html"
  auditproof comment reports/results.json --print
"""
EXIT_CODES = {
    ExitCode.FINE: "the comment is there, or there is nothing to comment on",
    ExitCode.UNUSABLE: "the results cannot be read, or the comment cannot be written",
}


def declare(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("results", metavar="RESULTS", type=Path, help="results.json of a run")
    parser.add_argument("--link", metavar="URL", default="", help="where the whole report is")
    parser.add_argument("--print", action="store_true", dest="only_print", help="print the comment, and send nothing")


def execute(options: Namespace) -> int:
    """Write the comment.

    Raises AuditproofError if the results cannot be read, if a variable is missing, and if the host refuses.
    """
    import os

    from auditproof.report.ci.comment import comment, marker
    from auditproof.report.ci.hosts import host_of
    from auditproof.report.provenance import repository_files
    from auditproof.report.read import load_report

    report, here = load_report(options.results), Path.cwd()
    try:
        text = comment(report, repository_files([here], otherwise=here), options.link)
    except ValueError as error:
        raise AuditproofError(f"--link: {error}") from None
    if options.only_print:
        output.tell(text.removesuffix("\n"))
        return ExitCode.FINE
    host = host_of(os.environ)
    if host is None:
        output.tell("no comment: this job is about no pull or merge request")
    else:
        output.tell(f"comment {host.put(marker(report), text)} on {host.name}")
    return ExitCode.FINE
