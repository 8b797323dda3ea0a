"""``auditproof lint``: examines policies without a server, and writes the findings in the requested format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.cli.arguments import add_format, add_kubernetes
from auditproof.errors import PolicyRefused, SourceError
from auditproof.text import output

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from auditproof.report.findings import Linted

EPILOG = """\
lint knows which requests an API server of the chosen version accepts, and examines all of them; no server is started.
Each finding has a code, a position, an example request and a fix. docs/lint.md describes each code.

A comment suppresses findings on its line, the next line or the rule below; a reason is required:

  # auditproof: ignore AP504 because the log is written in blocking-strict mode

Exit codes: 0 no finding, or only informational ones; 1 an error or a warning; 2 unusable options, a file that cannot
be read, or a policy that the API server rejects (findings in the other files are still written).

examples:
  auditproof lint policies/*.yaml
  auditproof lint policies/prod.yaml --kubernetes 1.35 --format sarif > lint.sarif
"""


def declare(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("policies", metavar="POLICY", nargs="+", help="audit policy files")
    add_format(parser, ["text", "json", "sarif", "github"])
    add_kubernetes(parser)


def execute(options: Namespace) -> int:
    """Examine each file, and write all findings as one document."""
    from auditproof.report.findings import FORMATS, has_failed

    linted = [_examine(path, options.kubernetes) for path in options.policies]
    output.write(FORMATS[options.format](linted, options.kubernetes) + "\n")
    for one in linted:
        if one.unreadable:
            output.complain(one.unreadable)
    if any(one.unreadable or one.refused for one in linted):
        return 2
    return int(any(has_failed(one) for one in linted))


def _examine(path: str, kubernetes: str) -> Linted:
    """The findings in one file, or why it could not be examined."""
    from auditproof.analysis.lint import examine
    from auditproof.analysis.lint.lint import refused
    from auditproof.audit.policy.load import load_policy
    from auditproof.kube.discovery import load_served
    from auditproof.report.findings import Linted

    try:
        policy = load_policy(path, kubernetes=kubernetes)
    except PolicyRefused as error:
        return Linted(path, refused(error), refused=True)
    except SourceError as error:
        return Linted(path, unreadable=str(error))
    return Linted(path, examine(policy, load_served(kubernetes)))
