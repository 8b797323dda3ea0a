"""``auditproof requirements``: checks a policy against requirements over all requests, without a server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from auditproof.cli.arguments import add_format, add_kubernetes, add_policy, add_requirements, load_given
from auditproof.text import output

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EPILOG = """\
A requirement applies to every request of a kind: it must be recorded at least, at most or exactly at a level. It is
checked for every class of requests that the policy distinguishes, on the resources that an API server of the chosen
version serves. A violation names these requests, an example, and the rule that matches them.
Requests that only a prober sends, such as for a namespace called *, are never a violation; they are reported
separately. To send one request of each class to a real API server as well: auditproof run POLICY --requirements NAME.

shipped: baseline (the default), cis, stig, secrets-hygiene, security-monitoring, compliance, troubleshooting,
access-management. The files are in suites/requirements; your own have the same form.

Exit codes: 0 everything holds; 1 a requirement is violated; 4 a file cannot be used.

examples:
  auditproof requirements policies/prod.yaml
  auditproof requirements policies/prod.yaml --requirements cis --requirements our-own.yaml --format json
"""


def declare(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    add_policy(parser)
    add_requirements(parser, "requirements to check: a shipped name or a file; may be repeated (default: baseline)")
    add_kubernetes(parser)
    add_format(parser, ["text", "json"])
    parser.set_defaults(unusable=4)


def execute(options: Namespace) -> int:
    """Check every requirement, and write the violations."""
    from auditproof.analysis.requirements import check_requirement, load_requirements, render_text, to_data
    from auditproof.kube.discovery import load_served

    policy = load_given(options.policy, options.kubernetes)
    files = [load_requirements(name) for name in options.requirements or ["baseline"]]
    served = load_served(options.kubernetes)
    checked = [(file, [check_requirement(policy, one, served) for one in file.requirements]) for file in files]
    if options.format == "json":
        data = [{"name": file.name, "requirements": [to_data(one) for one in results]} for file, results in checked]
        head = {"apiVersion": "auditproof/v1", "kind": "RequirementsReport"}
        about = {"path": policy.path, "sha256": policy.sha256}
        output.tell_json(json.dumps({**head, "policy": about, "files": data}, indent=1, ensure_ascii=False))
    else:
        output.tell(render_text(checked).removesuffix("\n"))
    return int(any(result.violations for _, results in checked for result in results))
