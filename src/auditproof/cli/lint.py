"""``auditproof lint``: reads policies, examines each, and writes what was found in the form that is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.analysis.lint import examine
from auditproof.analysis.lint.lint import refused
from auditproof.audit.policy.load import load_policy
from auditproof.cli.command import add_command, version
from auditproof.errors import PolicyRefused, SourceError
from auditproof.kube.discovery import load_served
from auditproof.report.findings import FORMATS, Linted, has_failed
from auditproof.text import output

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from auditproof.cli.command import Commands

EPILOG = """\
Needs no server: what can be asked of an API server of the version is known, and every such request is looked at.
Each finding has a code, a place, a request that shows it, and what to do; docs/lint.md tells about each code.
A comment suppresses a finding of its line, or of the line or rule below it, and has to give a reason:

  # auditproof: ignore AP504 because the log is written in blocking-strict mode

exit codes: 0 nothing found, or information only; 1 an error or a warning; 2 unusable options, a file that cannot be
read, or a policy that the API server refuses (the findings about the others are written all the same).

examples:
  auditproof lint policies/*.yaml
  auditproof lint policies/prod.yaml --kubernetes 1.35 --format sarif > lint.sarif
"""


def add_lint(commands: Commands) -> None:
    """Add ``lint`` to the commands."""
    lint = add_command(commands, "lint", "find what is wrong with policies, without a server", EPILOG)
    lint.add_argument("policies", metavar="POLICY", nargs="+", help="audit policy files")
    lint.add_argument(
        "--format", choices=sorted(FORMATS), default="text", help="text (default), json, sarif 2.1.0, or for GitHub"
    )
    lint.add_argument(
        "--kubernetes", type=version, metavar="VERSION", default="1.37", help="the Kubernetes minor (default: 1.37)"
    )
    lint.set_defaults(run=_lint)


def _lint(options: argparse.Namespace, _rest: Sequence[str]) -> int:
    linted = [_examine(path, options.kubernetes) for path in options.policies]
    output.write(FORMATS[options.format](linted, options.kubernetes) + "\n")
    for one in linted:
        if one.unreadable:
            output.complain(one.unreadable)
    if any(one.unreadable or one.refused for one in linted):
        return 2
    return int(any(has_failed(one) for one in linted))


def _examine(path: str, kubernetes: str) -> Linted:
    """What there is to be said about one file."""
    try:
        policy = load_policy(path, kubernetes=kubernetes)
    except PolicyRefused as error:
        return Linted(path, refused(error), refused=True)
    except SourceError as error:
        return Linted(path, unreadable=str(error))
    return Linted(path, examine(policy, load_served(kubernetes)))
