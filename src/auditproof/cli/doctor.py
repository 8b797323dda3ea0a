"""``auditproof doctor``: what is here and what is missing for a run, with the command that mends it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from auditproof import __version__
from auditproof.cli.arguments import SEVERAL, add_format, add_kubernetes
from auditproof.cli.exit_codes import ExitCode
from auditproof.errors import AuditproofError
from auditproof.kube.versions import DEFAULT_VERSION
from auditproof.text import output

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Sequence

    from auditproof.clusters.doctor.finding import Finding

EPILOG = """\
Each line is OK, missing (a run is not possible without it) or optional (only some runs need it), and is followed by the
command that mends it. doctor starts no server, downloads nothing and changes nothing; no step takes longer than its
limit of time. A report needs no browser to be written.

What is missing for a run with --cluster kind is optional, because the default, embedded, needs no container.
With a kubeconfig, doctor also asks that server for its version, and whether its user may do what a run needs.

examples:
  auditproof doctor
  auditproof doctor --kubernetes 1.35..1.37
  auditproof doctor --kubeconfig prod.kubeconfig
"""
EXIT_CODES = {
    ExitCode.FINE: "a run on embedded is possible; with --kubeconfig also: a run on that cluster",
    ExitCode.FOUND: "something is missing",
    ExitCode.UNUSABLE: "unusable options",
}
INDENT = " " * 28
MAKES_ONE = "auditproof run POLICY"


def declare(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    text = f"versions that are to be tested, {SEVERAL} (default: {DEFAULT_VERSION})"
    add_kubernetes(parser, several=True, text=text)
    parser.add_argument("--kubeconfig", metavar="FILE", default="", help="kubeconfig of a cluster that you have")
    parser.add_argument("--context", metavar="NAME", default="", help="context (default: the kubeconfig's current one)")
    add_format(parser, ["text", "json"])


def execute(options: Namespace) -> int:
    """Examine this machine, and write what was found."""
    from dataclasses import asdict

    from auditproof.clusters.doctor.examine import examine
    from auditproof.clusters.doctor.finding import State

    found = [*examine(__version__, options.kubernetes, options.kubeconfig, options.context), _attestations()]
    missing = [one.name for one in found if one.state is State.MISSING]
    if options.format == "json":
        record = {"possible": not missing, "findings": [asdict(one) for one in found]}
        output.tell_json(json.dumps(record, indent=1, ensure_ascii=False))
    else:
        output.tell(_text(found, missing))
    return ExitCode.FOUND if missing else ExitCode.FINE


def _attestations() -> Finding:
    """Which reference cases need not be performed again, as far as nothing has changed since."""
    from auditproof.attestation import attestations
    from auditproof.clusters.doctor.finding import Finding, State

    try:
        kept = attestations()
    except AuditproofError as error:
        return Finding("attestations", State.OPTIONAL, str(error), MAKES_ONE)
    told = [f"Kubernetes {one.subject.kubernetes} on {one.made.date()}" for one in (k.attestation for k in kept) if one]
    told += [f"refused: {one.path}: {one.refused}" for one in kept if one.refused]
    if not told:
        return Finding("attestations", State.OPTIONAL, "none: the next run performs the reference cases", MAKES_ONE)
    if any(one.attestation for one in kept):
        return Finding("attestations", State.OK, "; ".join(told))
    return Finding("attestations", State.OPTIONAL, "; ".join(told), MAKES_ONE)


def _text(found: Sequence[Finding], missing: Sequence[str]) -> str:
    lines = []
    for one in found:
        lines.append(f"{one.state:9} {one.name:17} {one.text}")
        if one.command:
            lines.append(f"{INDENT}-> {one.command}")
    verdict = f"A run is not possible yet: {', '.join(missing)}." if missing else "A run is possible."
    return "\n".join([*lines, verdict])
