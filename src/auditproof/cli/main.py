"""The command ``auditproof``: run, lint, evaluate, explain, diff, requirements.

``run`` hands over to pytest (by exec, so that signals and exit codes are pytest's own); the others are pure.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from auditproof import __version__, content
from auditproof.audit.explain import explain, render
from auditproof.audit.policy.load import load_policy
from auditproof.cli.cleanup import add_cleanup
from auditproof.cli.command import add_command, version
from auditproof.cli.diff import add_diff
from auditproof.cli.evaluate import evaluate_lines
from auditproof.cli.lint import add_lint
from auditproof.cli.mutate import add_mutate
from auditproof.cli.receive import add_receive
from auditproof.cli.requirements import add_option, add_requirements
from auditproof.cli.results import add_compare, add_report
from auditproof.errors import AuditproofError
from auditproof.kube.attributes import Attributes, UserInfo
from auditproof.kube.resources import split_resource
from auditproof.text import output

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from auditproof.cli.command import Commands

RUN_EPILOG = """\
Everything that is not an option above goes to pytest: -k, -m, -n 4, -x, --lf, -v ...
`-m standard` performs only the shipped actions that are judged by your policy's own Decisions, `-m witness` only those
that are made from your policy: with --coverage rules one that each rule decides, with conditions also, per condition of
each rule, one that meets all others and is decided elsewhere, with all one of every class that the policy tells apart.

exit codes are pytest's: 0 all proven; 1 something violated or unproven; 2 interrupted; 3 internal error;
4 unusable options or a policy that the API server refuses; 5 nothing selected.

examples:
  auditproof run policies/prod.yaml --report reports
  auditproof run policies/prod.yaml --kubernetes 1.36 -m standard -k secrets
  auditproof run policies/prod.yaml --cluster existing --kubeconfig prod.kubeconfig \\
    --log 'command:ssh cp1 tail -c +{start} /var/log/kubernetes/audit/audit.log'
  auditproof run policies/prod.yaml --no-actions --log audit.log --log audit-2026-11-23T06-17-08.714.log.gz
  auditproof run policies/new.yaml --base policies/old.yaml --report reports -m "change or witness"
  auditproof run policies/prod.yaml --backends --report reports
"""
EVALUATE_EPILOG = """\
Each input line is a JSON object with the keys user, groups, verb, namespace, apiGroup, apiVersion, resource,
subresource, name, or path for a non-resource request; absent keys are empty, "user": null is a failed authentication.
Each output line has level, rule (from 0, or null), line, omitStages, omitManagedFields.

exit codes: 0 done; 2 the policy or a request cannot be used (what is wrong stands on standard error);
141 whoever read the answers has gone, as with every command that writes to standard output.

example:
  echo '{"user":"alice","groups":["dev"],"verb":"get","resource":"secrets","namespace":"shop"}' |
    auditproof evaluate policies/prod.yaml --requests -
"""
EXPLAIN_EPILOG = """\
example:
  auditproof explain policies/prod.yaml --user alice --group dev --verb get --resource pods/log --namespace shop
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; answers the exit code."""
    parser = _parser()
    options, rest = parser.parse_known_args(argv)
    if rest and options.command != "run":
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    try:
        return output.command(lambda: int(options.run(options, rest)))
    except AuditproofError as error:
        output.complain(str(error))
        return int(getattr(options, "unusable", 2))
    except KeyboardInterrupt:
        return 130  # as a shell says it


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="auditproof", description="Proves what a Kubernetes audit policy really records, on a real API server."
    )
    parser.add_argument("--version", action="version", version=f"auditproof {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_run(commands)
    add_lint(commands)
    _add_evaluate(commands)
    _add_explain(commands)
    add_diff(commands)
    add_cleanup(commands)
    add_receive(commands)
    add_report(commands)
    add_compare(commands)
    add_requirements(commands)
    add_mutate(commands)
    return parser


def _add_run(commands: Commands) -> None:
    run = add_command(commands, "run", "prove a policy on a real API server", RUN_EPILOG)
    run.add_argument("policy", metavar="POLICY", help="the audit policy file")
    run.add_argument("--base", metavar="OLD", help="the policy that it is to replace: prove what the change does, too")
    run.add_argument("--cluster", metavar="PROFILE", help="a cluster profile: name or file (default: embedded)")
    run.add_argument("--kubernetes", metavar="VERSION", help="the Kubernetes version (default: the profile's)")
    run.add_argument("--image", metavar="IMAGE", help="the node image of a kind cluster (default: the profile's)")
    run.add_argument("--kubeconfig", metavar="FILE", help="an existing cluster (--cluster existing): who we are there")
    run.add_argument(
        "--log",
        "--audit-log",
        metavar="SPEC",
        action="append",
        default=[],
        help="where its audit log is read: a path, command:COMMAND, node:NODE/PATH, api:PATH or webhook:FOLDER; "
        "once for each API server",
    )
    run.add_argument(
        "--no-actions", action="store_true", help="start and send nothing: judge the events that the --log files hold"
    )
    run.add_argument(
        "--coverage",
        metavar="DEPTH",
        default="conditions",
        help="witnesses of the policy's own rules: rules, conditions (default), all, or none",
    )
    add_option(run, "hold the policy against these requirements, too, each class by a request; may be repeated")
    run.add_argument("--report", metavar="DIR", help="leave report.html, results.json and junit.xml in this folder")
    run.add_argument("--formats", metavar="FORMAT,...", help="write these beside it: sarif, code-quality")
    run.add_argument(
        "--backends",
        action="store_true",
        help="prove what log and webhook carry to the reader, with many flags, instead",
    )
    run.add_argument("--keep-cluster", action="store_true", help="leave the cluster running and say how to use it")
    run.add_argument(
        "--reuse-cluster",
        action="store_true",
        help="use the kind cluster of an earlier run, and leave it to later ones",
    )
    run.set_defaults(run=_run)


def _add_evaluate(commands: Commands) -> None:
    evaluate = add_command(commands, "evaluate", "answer what a policy decides about given requests", EVALUATE_EPILOG)
    evaluate.add_argument("policy", metavar="POLICY", help="the audit policy file")
    evaluate.add_argument("--requests", metavar="FILE", required=True, help="JSON lines; - is standard input")
    evaluate.add_argument(
        "--kubernetes", type=version, metavar="VERSION", default="1.37", help="the Kubernetes minor (default: 1.37)"
    )
    evaluate.set_defaults(run=_evaluate)


def _add_explain(commands: Commands) -> None:
    asked = add_command(
        commands, "explain", "explain which rule decides about a request, and why no earlier one", EXPLAIN_EPILOG
    )
    asked.add_argument("policy", metavar="POLICY", help="the audit policy file")
    who = asked.add_mutually_exclusive_group()
    who.add_argument("--user", default="", help="the user name")
    who.add_argument("--unauthenticated", action="store_true", help="a request whose authentication failed (401)")
    asked.add_argument("--group", action="append", default=[], help="a group of the user; may be repeated")
    asked.add_argument("--verb", required=True, help="the API verb (get, list, watch, create, ...)")
    what = asked.add_mutually_exclusive_group(required=True)
    what.add_argument("--resource", help="resource[.group][/subresource], e.g. pods/log or deployments.apps/scale")
    what.add_argument("--path", help="the path of a non-resource request, e.g. /healthz")
    asked.add_argument("--namespace", default="", help="the namespace; absent: cluster-scoped, or all namespaces")
    asked.add_argument("--name", default="", help="the object's name")
    asked.add_argument(
        "--kubernetes", type=version, metavar="VERSION", default="1.37", help="the Kubernetes minor (default: 1.37)"
    )
    asked.set_defaults(run=_explain)


def _run(options: argparse.Namespace, rest: Sequence[str]) -> int:
    """Replace this process by pytest on the shipped suites."""
    root = content.root()
    named = {"--audit-policy": options.policy, "--audit-base": options.base, "--audit-cluster": options.cluster}
    named |= {"--audit-kubernetes": options.kubernetes, "--audit-image": options.image}
    named |= {
        "--audit-report": options.report,
        "--audit-formats": options.formats,
        "--audit-coverage": options.coverage,
    }
    named |= {"--audit-kubeconfig": options.kubeconfig, "--audit-log": "\n".join(options.log) or None}
    named |= {"--audit-requirements": ",".join(options.requirements) or None}
    backends = root / "suites" / "backends"
    if options.no_actions and not options.log:
        raise AuditproofError("--no-actions needs --log FILE: the recorded events to judge")
    suites = (
        options.log[:1]
        if options.no_actions
        else [str(backends)]
        if options.backends
        else [str(root / "suites"), f"--ignore={backends}"]
    )
    command = [sys.executable, "-m", "pytest", *suites, f"--rootdir={root}", f"--confcutdir={root}"]
    command += ["-p", "no:hypothesispytest"]  # where it is installed, it takes two seconds to say nothing
    command += ["--import-mode=importlib", "-o", f"cache_dir={Path.cwd() / '.pytest_cache'}"]
    command += ["-o", "console_output_style=count", "-rN"]  # what is not proven is told by the summary of the proofs
    command += [f"{flag}={value}" for flag, value in named.items() if value is not None]
    command += ["--audit-no-actions"] if options.no_actions else []
    command += ["--audit-keep-cluster"] if options.keep_cluster else []
    command += ["--audit-reuse-cluster"] if options.reuse_cluster else []
    sys.stdout.flush()
    os.execv(sys.executable, [*command, *rest])  # noqa: S606 - replaces this process: no shell, no child


def _evaluate(options: argparse.Namespace, _rest: Sequence[str]) -> int:
    policy = load_policy(options.policy, kubernetes=options.kubernetes)
    name = "standard input" if options.requests == "-" else options.requests
    for answer in evaluate_lines(policy, _lines(options.requests, name), name):
        output.tell_json(answer)
    return 0


def _lines(requests: str, name: str) -> Iterator[bytes]:
    try:
        if requests == "-":
            yield from sys.stdin.buffer
        else:
            with Path(requests).open("rb") as file:
                yield from file
    except OSError as error:
        raise AuditproofError(f"{name}: cannot be read: {error.strerror}") from None


def _explain(options: argparse.Namespace, _rest: Sequence[str]) -> int:
    policy = load_policy(options.policy, kubernetes=options.kubernetes)
    user = None if options.unauthenticated else UserInfo(options.user, tuple(options.group))
    output.tell(render(explain(policy, _attributes(options, user))))
    return 0


def _attributes(options: argparse.Namespace, user: UserInfo | None) -> Attributes:
    if options.path is not None:
        return Attributes(user, options.verb, path=options.path, resource_request=False)
    group, resource, subresource = split_resource(options.resource)
    return Attributes(
        user,
        options.verb,
        namespace=options.namespace,
        api_group=group,
        resource=resource,
        subresource=subresource,
        name=options.name,
    )
