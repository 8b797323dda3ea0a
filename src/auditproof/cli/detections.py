"""``auditproof detections``: whether a policy feeds the detection rules that read its log, without a server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from auditproof.cli.arguments import POLICY_FORMS, add_format, add_kubernetes, add_policy
from auditproof.cli.exit_codes import ExitCode
from auditproof.cli.progress import progress
from auditproof.errors import AuditproofError
from auditproof.text import output

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EPILOG = """\
Detection rules of Sigma, Falco (k8s_audit), Elastic and auditproof's own format are read as they are. For each rule,
detections computes which requests it is about, and at which levels and stages their events can match; then it looks
how the policy records these requests, over all classes of requests:

  FED         every request that the rule is about is recorded so that it can match
  PARTLY      some are; the others are listed, with an example, the line of the policy and the least change
  BLIND       none is: the rule never fires again
  IMPOSSIBLE  no event that an API server writes can match, whatever the policy
  NOT READ    the rule could not be read in full, so nothing is said about it

With --base, the rules that the change takes requests from come first.

examples:
  auditproof detections policies/prod.yaml --rules rules/
  auditproof detections policies/next.yaml --base policies/prod.yaml --rules falco/k8s_audit_rules.yaml --rules sigma/
  auditproof detections policies/prod.yaml --rules rules/ --format navigator > layer.json
"""
EXIT_CODES = {
    ExitCode.FINE: "nothing fails",
    ExitCode.FOUND: "a rule fails (--fail-on chooses which), or is NOT READ (unless --ignore-not-read)",
    ExitCode.UNUSABLE: "unusable options, or a file cannot be used",
    ExitCode.NOTHING_SHOWN: "every rule is NOT READ, so nothing is shown (unless --ignore-not-read)",
}


def declare(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    add_policy(parser)
    parser.add_argument(
        "--rules",
        metavar="PATH",
        nargs="+",
        action="extend",
        required=True,
        help="files, folders and globs of detection rules; may be repeated",
    )
    parser.add_argument("--base", metavar="OLD", help=f"audit policy before the change: {POLICY_FORMS}")
    parser.add_argument(
        "--fail-on",
        choices=["blind", "partly", "lost", "never"],
        help="rules that make the exit code 1: BLIND ones, also PARTLY fed ones, or those that the change takes "
        "requests from (default: lost with --base, otherwise blind)",
    )
    parser.add_argument("--ignore-not-read", action="store_true", help="do not let rules that are NOT READ matter")
    parser.add_argument("--all", action="store_true", help="list fed rules and all requests, too (format text)")
    add_format(parser, ["text", "json", "markdown", "sarif", "navigator"])
    add_kubernetes(parser)


def execute(options: Namespace) -> int:
    """Check every rule, and write the result.

    Raises AuditproofError if ``--fail-on lost`` has no policy to compare with.
    """
    from auditproof.clusters.policy_files import PolicyFiles
    from auditproof.detections import check_detections, load_rules
    from auditproof.kube.discovery import load_served
    from auditproof.report.detections import FORMATS, FedRules, Worse, as_text

    if options.fail_on == "lost" and not options.base:
        raise AuditproofError("--fail-on lost needs --base OLD, the policy before the change")
    files, here = PolicyFiles(), Path.cwd()
    policy = files.load_given(options.policy, here, kubernetes=options.kubernetes)
    base = files.load_given(options.base, here, kubernetes=options.kubernetes) if options.base else None
    rules = load_rules(options.rules)
    checked = check_detections(policy, rules.detections, load_served(options.kubernetes), base, progress)
    progress("")
    found = FedRules(policy, base, options.kubernetes, checked, rules.not_read, rules.others)
    if options.format == "text":
        text = as_text(found, every=options.all)
    elif options.format == "sarif":
        from auditproof.report.detections import as_sarif
        from auditproof.report.provenance import repository_files

        text = as_sarif(found, repository_files([here], otherwise=here))
    else:
        text = FORMATS[options.format](found)
    (output.tell_json if options.format in ("json", "navigator", "sarif") else output.tell)(text)
    fail_on = Worse(options.fail_on or ("lost" if base else "blind"))
    if found.failing(fail_on):
        return 1
    if not found.not_read or options.ignore_not_read or fail_on is Worse.NEVER:
        return ExitCode.FINE
    return ExitCode.FOUND if checked else ExitCode.NOTHING_SHOWN
