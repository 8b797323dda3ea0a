"""``auditproof requirements``: checks a policy against requirements over all requests, without a server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from auditproof.cli.acknowledged import add_entries, declare_acknowledged, read_acknowledged, today
from auditproof.cli.arguments import (
    POLICY_FORMS,
    add_format,
    add_kubernetes,
    add_policy,
    add_requirements,
    load_required,
)
from auditproof.cli.exit_codes import ExitCode
from auditproof.errors import AuditproofError
from auditproof.text import output

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Sequence

    from auditproof.analysis.requirements import RequirementsFile, Status
    from auditproof.audit.policy.load import Policy

EPILOG = """\
A requirement applies to every request of a kind: it must be recorded at least, at most or exactly at a level. It is
checked for every class of requests that the policy distinguishes, on the resources that an API server of the chosen
version serves. A violation names these requests, an example, the rule that matches them, and the remedy.
Requests that only a prober sends, such as for a namespace called *, are never a violation; they are reported
separately. To send one request of each class to a real API server as well: auditproof run POLICY --requirements NAME.

shipped: baseline (the default), cis, stig, secrets-hygiene, security-monitoring, compliance, troubleshooting,
access-management. The files are in suites/requirements; your own have the same form.

With --base, an unmet requirement is known if the policy before the change does not meet it for the same requests
either; it is new if more requests violate it. An entry in the list "requirements" of audit-changes.yaml makes one known
as well, with its reason, until its last day; --acknowledge writes the entries to fill in.

Requirements that no policy can meet together are listed at the end, with the requests for which they contradict each
other.

examples:
  auditproof requirements policies/prod.yaml
  auditproof requirements policies/prod.yaml --kubernetes 1.35..1.37
  auditproof requirements policies/prod.yaml --requirements cis,our-own.yaml --format json
  auditproof requirements policies/prod.yaml --requirements cis --base git:origin/main:policies/prod.yaml
"""
EXIT_CODES = {
    ExitCode.FINE: "nothing fails",
    ExitCode.FOUND: "a requirement is not met (with --base or an entry: one that is not known; --fail-on chooses)",
    ExitCode.UNUSABLE: "unusable options, or a file cannot be used",
}


def declare(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    add_policy(parser)
    add_requirements(
        parser,
        "requirements to check: shipped names or files, separated by commas; may be repeated (default: baseline)",
    )
    add_kubernetes(parser, several=True)
    add_format(parser, ["text", "json", "markdown"])
    known = parser.add_argument_group("known unmet requirements")
    known.add_argument("--base", metavar="OLD", help=f"audit policy before the change: {POLICY_FORMS}")
    declare_acknowledged(known, "POLICY", "requirement that is not met and not known")
    known.add_argument(
        "--fail-on",
        choices=["unmet", "new", "never"],
        help="requirements that make the exit code 1: every unmet one, or only new ones (default: new with --base or "
        "with an entry in the file, otherwise unmet)",
    )


def execute(options: Namespace) -> int:
    """Check every requirement on each version, and write the violations; what is the same on several, once.

    Raises AuditproofError if entries would be written for several versions.
    """
    from auditproof.analysis.requirements import FailOn, State
    from auditproof.clusters.policy_files import PolicyFiles

    if options.acknowledge and len(options.kubernetes) > 1:
        raise AuditproofError("--acknowledge writes the requirements on one version: choose it with --kubernetes")
    read = PolicyFiles()
    source = read.choose(options.policy, Path.cwd())
    base = read.choose(options.base, Path.cwd()) if options.base else None
    path, acknowledged = read_acknowledged(options, source.folder)
    default = FailOn.NEW if base or (acknowledged and acknowledged.requirements) else FailOn.UNMET
    fail_on = FailOn(options.fail_on) if options.fail_on else default
    found: dict[str, list[str]] = {}  # the versions with these results
    failed = False
    for version in options.kubernetes:
        policy = read.load(source.path, kubernetes=version, name=source.place.name)
        before = read.load(base.path, kubernetes=version, name=base.place.name) if base else None
        files = load_required(options.requirements or ["baseline"], version)
        from auditproof.analysis.requirements import check_requirement, status_of
        from auditproof.kube.discovery import load_served

        served = load_served(version)
        checked = [
            (file, [check_requirement(policy, one, served, before) for one in file.requirements]) for file in files
        ]
        status = status_of(checked, acknowledged.requirements if acknowledged else None, today())
        found.setdefault(_written(status, files, version, options.format), []).append(version)
        failed = failed or status.fails(fail_on)
    _tell(options, policy, found)
    if options.acknowledge and (unmet := status.of(State.NEW, State.UNMET)):
        from auditproof.analysis.gate import requirement_entries

        add_entries(path, "requirements", requirement_entries(unmet))
    return int(failed)


def _written(status: Status, files: Sequence[RequirementsFile], version: str, form: str) -> str:
    """The results on one version."""
    from auditproof.analysis.requirements import (
        contradiction_data,
        contradiction_text,
        contradictions,
        render_markdown,
        render_text,
        status_data,
    )
    from auditproof.kube.discovery import load_served

    opposed = contradictions([one for file in files for one in file.requirements], load_served(version))
    if form == "json":
        return json.dumps(status_data(status) | {"contradictions": [contradiction_data(one) for one in opposed]})
    if form == "markdown":
        return render_markdown(status, opposed).removesuffix("\n")
    return "\n\n".join([render_text(status).removesuffix("\n"), *map(contradiction_text, opposed)])


def _tell(options: Namespace, policy: Policy, found: dict[str, list[str]]) -> None:
    if options.format == "json":
        head = {"apiVersion": "auditproof/v1", "kind": "RequirementsReport"}
        about = {"path": policy.path, "sha256": policy.sha256}
        results = [{"kubernetes": versions, **json.loads(text)} for text, versions in found.items()]
        body = json.loads(next(iter(found))) if len(options.kubernetes) == 1 else {"versions": results}
        output.tell_json(json.dumps({**head, "policy": about, **body}, indent=1, ensure_ascii=False))
        return
    several = len(options.kubernetes) > 1
    texts = [f"On Kubernetes {', '.join(names)}:\n\n{text}" if several else text for text, names in found.items()]
    output.tell("\n\n".join(texts))
