"""``auditproof diff``: the differences between two policies; with --live, tested on two API servers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from auditproof.cli.arguments import POLICY_FORMS, add_format, add_kubernetes
from auditproof.cli.exit_codes import ExitCode
from auditproof.cli.gate import OF_THE_GATE, declare_gate, through_the_gate
from auditproof.errors import AuditproofError
from auditproof.text import output

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Sequence

    from auditproof.analysis.diff import PolicyDiff
    from auditproof.clusters.policy_files import PolicyFiles
    from auditproof.clusters.policy_sources import PolicySource
    from auditproof.proof.side_by_side import SideBySide

EPILOG = """\
diff compares every class of requests that the two policies distinguish, not a sample, on the resources that an API
server of the chosen version serves. Each difference names the users, verbs and resources concerned, the rules that
match, and an example request (the witness).
Differences are listed by severity: no longer recorded, bodies lost, bodies newly recorded, stages lost, newly recorded,
stages gained, managedFields. Requests that only a prober sends, such as for a namespace called *, come last and are
marked.
With several versions, the policies are compared on each. Without NEW, the policy is compared with itself on the oldest
and on the newest of them: what it records of the requests that only one of the two serves.
--live starts an API server with each policy, sends every witness to both, and shows what each server recorded.

--forbid makes it a gate: the exit code then says whether something forbidden happens, and the first line whether the
change may go in. lost: an event, a body or a stage that was recorded is not any more (lost-events, lost-bodies and
lost-stages one by one); exposed: a body that may hold a secret is now recorded (of secrets, configmaps, token reviews,
and issued tokens); more: anything else that is newly recorded; blind, with --detections: a detection rule sees nothing
any more. --only limits it to some resources.
A change that someone approved is in a file of acknowledged changes, by default audit-changes.yaml next to NEW: it
passes, and is listed with its reason. --acknowledge writes the entries to fill in.

examples:
  auditproof diff git:main:policies/prod.yaml policies/prod.yaml --forbid lost,exposed
  auditproof diff policies/prod.yaml new.yaml --forbid lost --only secrets,pods/exec
  auditproof diff policies/prod.yaml new.yaml --forbid lost,blind --detections rules/
  auditproof diff policies/prod.yaml new.yaml
  auditproof diff policies/prod.yaml --kubernetes 1.35..1.37
  auditproof diff git:main:policies/prod.yaml policies/prod.yaml --format markdown --live
"""
EXIT_CODES = {
    ExitCode.FINE: "no difference; with --forbid: nothing forbidden is left",
    ExitCode.FOUND: (
        "the policies differ; with --forbid: something forbidden is not acknowledged; with --live also: "
        "a server recorded something else than computed, or a check was inconclusive"
    ),
    ExitCode.UNUSABLE: "unusable options, or a policy that cannot be used",
}


def declare(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("old", metavar="OLD", help=f"audit policy before the change: {POLICY_FORMS}")
    parser.add_argument(
        "new", metavar="NEW", nargs="?", help="audit policy after the change, in the same forms; absent: the same one"
    )
    add_kubernetes(parser, several=True)
    add_format(parser, ["text", "json", "markdown"])
    parser.add_argument("--live", action="store_true", help="send the witnesses to two API servers, one per policy")
    declare_gate(parser)


def execute(options: Namespace) -> int:
    """Compute the differences on each version, test them if requested, and write them.

    Raises AuditproofError without NEW, if that needs several versions, or is to be tested or forbidden anything; and
    for an option of the gate without --forbid.
    """
    from auditproof.clusters.policy_files import PolicyFiles

    if options.forbid is None and (given := [name for name in OF_THE_GATE if getattr(options, name)]):
        raise AuditproofError(f"--{given[0]} needs --forbid: say what must not happen, as in --forbid lost,exposed")
    if options.acknowledge and len(options.kubernetes) > 1:
        raise AuditproofError("--acknowledge writes the changes on one version: choose it with --kubernetes")
    if options.new is None:
        return _between(options)
    files = PolicyFiles()
    sources = [files.choose(given, Path.cwd()) for given in (options.old, options.new)]
    written = [_written(options, files, sources, version) for version in options.kubernetes]
    _tell(options, list(dict.fromkeys(text for text, _ in written)))
    return max(code for _, code in written)


def _tell(options: Namespace, texts: Sequence[str]) -> None:
    """Write the texts of all versions; several JSON objects are a list."""
    texts = [text.removesuffix("\n") for text in texts]
    if options.format == "json":
        output.tell_json(texts[0] if len(texts) == 1 else "[" + ",\n".join(texts) + "]")
    else:
        output.tell("\n\n".join(texts))


def _between(options: Namespace) -> int:
    """Compare one policy on the oldest and the newest of the versions."""
    from auditproof.analysis.diff.versions import between, between_json, render_between, render_between_markdown
    from auditproof.cli.arguments import load_given
    from auditproof.kube.discovery import load_served

    if len(options.kubernetes) < 2:
        raise AuditproofError("diff needs NEW, or several versions: auditproof diff POLICY --kubernetes 1.35..1.37")
    if options.live:
        raise AuditproofError(
            "--live needs NEW; auditproof run POLICY --kubernetes 1.35..1.37 proves it on all versions"
        )
    if options.forbid is not None:
        raise AuditproofError("--forbid needs NEW: one policy does not change")
    oldest, newest = options.kubernetes[0], options.kubernetes[-1]
    load_given(options.old, oldest)  # refused there: nothing else matters
    found = between(load_given(options.old, newest), load_served(oldest), load_served(newest))
    render = {"text": render_between, "markdown": render_between_markdown, "json": between_json}[options.format]
    _tell(options, [render(found)])
    return 1 if found.differences else 0


def _written(options: Namespace, files: PolicyFiles, sources: Sequence[PolicySource], version: str) -> tuple[str, int]:
    """The differences on one version, as text, and the exit code for them."""
    from auditproof.analysis.diff import diff, render_markdown, render_text, to_json
    from auditproof.kube.discovery import load_served
    from auditproof.proof.verdict import Outcome

    old, new = (files.load(one.path, kubernetes=version, name=one.place.name) for one in sources)
    served = load_served(version)
    gated = options.forbid is not None
    # The gate compares the policies itself, over more classes.
    found = None if gated and not options.live and options.format != "json" else diff(old, new, served)
    paths = (one.path for one in sources)
    shown = show_live(found, version, files, *paths) if options.live and found and found.differences else ()
    said = [str(one) for one in shown]
    if found is None or gated:
        text, code = through_the_gate(old, new, served, options, sources[1].folder, diff=found, live=said)
    else:
        render = {"text": render_text, "markdown": render_markdown, "json": to_json}[options.format]
        text, code = render(found, said), int(bool(found.differences))
    doubtful = any(one.outcome in (Outcome.VIOLATED, Outcome.UNPROVEN) for one in shown)
    return text, ExitCode.FOUND if doubtful else code


def show_live(found: PolicyDiff, kubernetes: str, files: PolicyFiles, old: Path, new: Path) -> Sequence[SideBySide]:
    """What two servers record of the witness of each difference, with the policies that ``files`` knows by these paths.

    Raises AuditproofError if the servers cannot be started.
    """
    from auditproof.clusters.profile import load_profile
    from auditproof.proof.run_options import RunOptions
    from auditproof.proof.side_by_side import show

    run = RunOptions(
        policy_file=new,
        policy=found.new,
        base_file=old,
        base=found.old,
        profile=load_profile("embedded"),
        kubernetes=kubernetes,
    )
    return show(found, run, files, output.complain)
