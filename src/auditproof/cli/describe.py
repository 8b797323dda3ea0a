"""``auditproof describe``: what a policy records, on one page for an auditor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.cli.arguments import add_format, add_kubernetes, add_policy, load_given
from auditproof.cli.exit_codes import ExitCode
from auditproof.text import output
from auditproof.text.printable import printable

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EPILOG = """\
The page says what is recorded at which level, what is not recorded, which users are exceptions, and where secrets may
be in the log. It covers every ordinary request to an API server of the chosen version; requests with forged
credentials, for what the server does not serve, or that only a prober sends are left out.

The page depends on what the policy means: it is the same however the rules are ordered, split or repeated, and has no
path, hash or line number. So it can be kept in git next to the policy, where a review sees what a change means.
--source adds path and hash of the policy.

examples:
  auditproof describe policies/prod.yaml
  auditproof describe policies/prod.yaml --format markdown > policies/prod.md
  auditproof describe policies/prod.yaml --format html --source > audit.html
  diff <(auditproof describe git:main:policies/prod.yaml) <(auditproof describe policies/prod.yaml)
"""
EXIT_CODES = {
    ExitCode.FINE: "the page is written",
    ExitCode.UNUSABLE: "unusable options, or a policy that cannot be used",
}


def declare(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    add_policy(parser)
    add_kubernetes(parser)
    add_format(parser, ["text", "markdown", "html"])
    parser.add_argument("--source", action="store_true", help="add path and SHA-256 of the policy at the end")


def execute(options: Namespace) -> int:
    """Describe the policy, and write the page."""
    from auditproof.analysis.describe import describe, render_markdown, render_text
    from auditproof.kube.discovery import load_served
    from auditproof.text.markdown import markdown

    policy = load_given(options.policy, options.kubernetes)
    described = describe(policy, load_served(options.kubernetes))
    source = f"Policy: {printable(policy.path)}, SHA-256 {policy.sha256}" if options.source else ""
    if options.format == "html":
        from auditproof.report.description import description_page

        output.write(description_page(described, source) + "\n")
    elif options.format == "markdown":
        output.tell(render_markdown(described).removesuffix("\n") + (f"\n\n{markdown(source)}" if source else ""))
    else:
        output.tell(render_text(described).removesuffix("\n") + (f"\n\n{source}" if source else ""))
    return 0
