"""``auditproof requirements``: a policy held against requirements over the whole space, without a server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from auditproof import content
from auditproof.analysis.requirements import check, load_requirements, render_text, to_data
from auditproof.audit.policy.load import load_policy
from auditproof.cli.command import add_command, version
from auditproof.kube.discovery import load_served
from auditproof.text import output

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from auditproof.cli.command import Commands

FOLDER = content.root() / "suites" / "requirements"
EPILOG = """\
A requirement is a for-all: every request of a kind is recorded at least, at most or exactly at a level. It is checked
over all requests that the policy can tell apart, on what an API server of the chosen version serves, to honest clients;
a violation names these requests, one to try, and the rule that decides about them. Odd requests that only somebody
sends who tries them, such as for a namespace called *, violate nothing; where a requirement does not hold for them,
that is said. To have each class performed on a real API server, too: auditproof run POLICY --requirements NAME.

shipped: baseline (the default), cis, stig, secrets-hygiene, security-monitoring, compliance, troubleshooting,
access-management. They are files like yours: look at suites/requirements.

exit codes: 0 everything holds; 1 something is violated; 4 a file cannot be used.

examples:
  auditproof requirements policies/prod.yaml
  auditproof requirements policies/prod.yaml --requirements cis --requirements our-own.yaml --format json
"""


def add_requirements(commands: Commands) -> None:
    """Declare the subcommand."""
    asked = add_command(commands, "requirements", "hold a policy against requirements, without a server", EPILOG)
    asked.add_argument("policy", metavar="POLICY", help="the audit policy file")
    add_option(asked, "which requirements; may be repeated (default: baseline)")
    asked.add_argument(
        "--kubernetes", type=version, metavar="VERSION", default="1.37", help="the Kubernetes minor (default: 1.37)"
    )
    asked.add_argument("--format", choices=["text", "json"], default="text", help="default: text")
    asked.set_defaults(run=_requirements, unusable=4)


def add_option(parser: argparse.ArgumentParser, text: str) -> None:
    """The option that names requirements."""
    parser.add_argument("--requirements", metavar="NAME|FILE", action="append", default=[], help=text)


def _requirements(options: argparse.Namespace, _rest: Sequence[str]) -> int:
    policy = load_policy(options.policy, kubernetes=options.kubernetes)
    files = [load_requirements(name, FOLDER) for name in options.requirements or ["baseline"]]
    served = load_served(options.kubernetes)
    checked = [(file, [check(policy, one, served) for one in file.requirements]) for file in files]
    if options.format == "json":
        data = [{"name": file.name, "requirements": [to_data(one) for one in results]} for file, results in checked]
        head = {"apiVersion": "auditproof/v1", "kind": "RequirementsReport"}
        about = {"path": policy.path, "sha256": policy.sha256}
        output.tell_json(json.dumps({**head, "policy": about, "files": data}, indent=1, ensure_ascii=False))
    else:
        output.tell(render_text(policy, checked).removesuffix("\n"))
    return int(any(result.violations for _, results in checked for result in results))
