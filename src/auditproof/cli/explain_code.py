"""``auditproof explain-code``: what a code of lint means, with an example and the corrected policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.cli.arguments import add_format
from auditproof.cli.exit_codes import ExitCode
from auditproof.errors import AuditproofError
from auditproof.text import output

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from auditproof.analysis.lint.explanations import Explanation

EPILOG = """\
Without a code, all of them are listed, each with its severity and a line of description.

examples:
  auditproof explain-code
  auditproof explain-code AP402
  auditproof explain-code AP201 AP402 --format markdown
"""
EXIT_CODES = {
    ExitCode.FINE: "the codes are explained",
    ExitCode.UNUSABLE: "unusable options, or there is no such code",
}


def declare(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "codes", metavar="CODE", nargs="*", help="code or name of a finding, such as AP402 or half-exec (default: all)"
    )
    add_format(parser, ["text", "markdown"])


def execute(options: Namespace) -> int:
    """Explain the codes, or list them all.

    Raises AuditproofError for an unknown one.
    """
    if options.codes:
        explained = [_explanation(code) for code in options.codes]
        texts = [one.markdown if options.format == "markdown" else one.text for one in explained]
        output.write("\n".join(texts))
    else:
        output.write(_table(markdown=options.format == "markdown"))
    return 0


def _explanation(given: str) -> Explanation:
    from auditproof.analysis.lint.catalogue import CATALOGUE
    from auditproof.analysis.lint.explanations import explanations
    from auditproof.text.suggestion import did_you_mean

    named = {code.name: code.code for code in CATALOGUE.values()}
    code = named.get(given.lower(), given.upper())
    if code not in CATALOGUE:
        known = named if "-" in given else CATALOGUE
        meant = did_you_mean(given.lower() if known is named else code, known, quote="")
        raise AuditproofError(
            f"explain-code: there is no code {given!r}{meant}\n`auditproof explain-code` lists all of them"
        )
    return explanations()[code]


def _table(*, markdown: bool) -> str:
    from auditproof.analysis.lint.catalogue import CATALOGUE, Severity

    severities = {Severity.INFO: "note"}
    rows = [(one.code, one.name, severities.get(one.severity, one.severity), one.title) for one in CATALOGUE.values()]
    if markdown:
        return "| code | name | severity | meaning |\n| --- | --- | --- | --- |\n" + "".join(
            f"| {' | '.join(row)} |\n" for row in rows
        )
    wide = max(len(name) for _, name, _, _ in rows)
    return "".join(f"{code}  {name:{wide}}  {severity:7}  {title}\n" for code, name, severity, title in rows)
