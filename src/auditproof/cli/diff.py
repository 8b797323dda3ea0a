"""``auditproof diff``: the differences between two policies; with --live, tested on two API servers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from auditproof.cli.arguments import POLICY_FORMS, add_format, add_kubernetes
from auditproof.text import output

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Sequence

    from auditproof.analysis.diff import PolicyDiff
    from auditproof.clusters.policy_files import PolicyFiles
    from auditproof.proof.side_by_side import SideBySide

EPILOG = """\
diff compares every class of requests that the two policies distinguish, not a sample, on the resources that an API
server of the chosen version serves. Each difference names the users, verbs and resources concerned, the rules that
match, and an example request (the witness).
Differences are listed by severity: no longer recorded, bodies lost, bodies newly recorded, stages lost, newly recorded,
stages gained, managedFields. Requests that only a prober sends, such as for a namespace called *, come last and are
marked.
--live starts an API server with each policy, sends every witness to both, and shows what each server recorded.

Exit codes (as for diff(1)): 0 no difference; 1 the policies differ; 3 with --live: a server recorded something else
than computed, or a check was inconclusive; 4 a policy cannot be used.

examples:
  auditproof diff policies/prod.yaml new.yaml
  auditproof diff git:main:policies/prod.yaml policies/prod.yaml --format markdown --live
"""


def declare(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("old", metavar="OLD", help=f"audit policy before the change: {POLICY_FORMS}")
    parser.add_argument("new", metavar="NEW", help="audit policy after the change, in the same forms")
    add_kubernetes(parser)
    add_format(parser, ["text", "json", "markdown"])
    parser.add_argument("--live", action="store_true", help="send the witnesses to two API servers, one per policy")
    parser.set_defaults(unusable=4)


def execute(options: Namespace) -> int:
    """Compute the differences, test them if requested, and write them."""
    from auditproof.analysis.diff import diff, render_markdown, render_text, to_json
    from auditproof.clusters.policy_files import PolicyFiles
    from auditproof.kube.discovery import load_served
    from auditproof.proof.verdict import Outcome

    files = PolicyFiles()
    sources = [files.choose(given, Path.cwd()) for given in (options.old, options.new)]
    old, new = (files.load(one.path, kubernetes=options.kubernetes, name=one.place.name) for one in sources)
    found = diff(old, new, load_served(options.kubernetes))
    shown = _show(found, options, files, *(one.path for one in sources)) if options.live and found.differences else ()
    render = {"text": render_text, "markdown": render_markdown, "json": to_json}[options.format]
    say = output.tell_json if options.format == "json" else output.tell
    say(render(found, [str(one) for one in shown]).removesuffix("\n"))
    if any(one.outcome in (Outcome.VIOLATED, Outcome.UNPROVEN) for one in shown):
        return 3
    return 1 if found.differences else 0


def _show(found: PolicyDiff, options: Namespace, files: PolicyFiles, old: Path, new: Path) -> Sequence[SideBySide]:
    from auditproof.clusters.profile import load_profile
    from auditproof.proof.run_options import RunOptions
    from auditproof.proof.side_by_side import show

    run = RunOptions(
        policy_file=new,
        policy=found.new,
        base_file=old,
        base=found.old,
        profile=load_profile("embedded"),
        kubernetes=options.kubernetes,
    )
    return show(found, run, files, output.complain)
