"""``auditproof diff``: the differences between two policies, and with --live their proof."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from auditproof.analysis.diff import diff, render_markdown, render_text, to_json
from auditproof.audit.policy.load import load_policy
from auditproof.cli.command import add_command, version
from auditproof.clusters.policy_files import PolicyFiles
from auditproof.clusters.profile import load_profile
from auditproof.kube.discovery import load_served
from auditproof.proof.verdict import Outcome
from auditproof.text import output

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from auditproof.analysis.diff import PolicyDiff
    from auditproof.cli.command import Commands
    from auditproof.proof.side_by_side import Shown

DIFF_EPILOG = """\
Every request that the two policies treat differently is in one of the changes: who asks, with which verbs, for what,
and which rules decide. Nothing is sampled: all requests that the policies can tell apart are compared, on what an API
server of the chosen version serves. Worst first: what is no longer recorded, what loses bodies, what starts recording
bodies, what loses stages, what starts being recorded, what gains stages, managedFields. Odd requests, such as for a
namespace called *, which only somebody sends who tries them, come last and are marked.
Each change has a witness: one such request. --live starts an API server with each policy, performs the witnesses on
both, and shows what each has recorded.

exit codes, as those of diff: 0 the policies record the same; 1 they differ;
3 with --live: a server has recorded something else, or it could not be shown what; 4 a policy cannot be used.

examples:
  auditproof diff policies/prod.yaml new.yaml
  git show main:policies/prod.yaml > old.yaml; auditproof diff old.yaml policies/prod.yaml --format markdown --live
"""


def add_diff(commands: Commands) -> None:
    """Declare the subcommand."""
    asked = add_command(commands, "diff", "tell which requests two policies record differently", DIFF_EPILOG)
    asked.add_argument("old", metavar="OLD", help="the audit policy file as it was")
    asked.add_argument("new", metavar="NEW", help="the audit policy file as it is going to be")
    asked.add_argument(
        "--kubernetes", type=version, metavar="VERSION", default="1.37", help="the Kubernetes minor (default: 1.37)"
    )
    asked.add_argument("--format", choices=["text", "json", "markdown"], default="text", help="default: text")
    asked.add_argument("--live", action="store_true", help="perform the witnesses on two API servers side by side")
    asked.set_defaults(run=_diff, unusable=4)


def _diff(options: argparse.Namespace, _rest: Sequence[str]) -> int:
    files = PolicyFiles()
    old, new = (
        load_policy(Path(path).absolute(), kubernetes=options.kubernetes, name=path, read=files.read)
        for path in (options.old, options.new)
    )
    found = diff(old, new, load_served(options.kubernetes))
    shown = _show(found, options, files) if options.live and found.differences else ()
    render = {"text": render_text, "markdown": render_markdown, "json": to_json}[options.format]
    say = output.tell_json if options.format == "json" else output.tell
    say(render(found, [str(one) for one in shown]).removesuffix("\n"))
    if any(one.outcome in (Outcome.VIOLATED, Outcome.UNPROVEN) for one in shown):
        return 3
    return 1 if found.differences else 0


def _show(found: PolicyDiff, options: argparse.Namespace, files: PolicyFiles) -> Sequence[Shown]:
    from auditproof.proof.side_by_side import show  # what starts servers is not needed for anything else here

    old, new = Path(options.old).absolute(), Path(options.new).absolute()
    return show(
        found,
        old,
        new,
        files=files,
        profile=load_profile("embedded"),
        kubernetes=options.kubernetes,
        report=output.complain,
    )
