"""``auditproof requirements``: checks a policy against requirements over all requests, without a server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from auditproof.cli.arguments import add_format, add_kubernetes, add_policy, add_requirements, names_in
from auditproof.text import output

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from auditproof.audit.policy.load import Policy

EPILOG = """\
A requirement applies to every request of a kind: it must be recorded at least, at most or exactly at a level. It is
checked for every class of requests that the policy distinguishes, on the resources that an API server of the chosen
version serves. A violation names these requests, an example, and the rule that matches them.
Requests that only a prober sends, such as for a namespace called *, are never a violation; they are reported
separately. To send one request of each class to a real API server as well: auditproof run POLICY --requirements NAME.

shipped: baseline (the default), cis, stig, secrets-hygiene, security-monitoring, compliance, troubleshooting,
access-management. The files are in suites/requirements; your own have the same form.

Requirements that no policy can meet together are listed at the end, with the requests for which they contradict each
other.

Exit codes: 0 everything holds; 1 a requirement is violated; 4 a file cannot be used.

examples:
  auditproof requirements policies/prod.yaml
  auditproof requirements policies/prod.yaml --kubernetes 1.35..1.37
  auditproof requirements policies/prod.yaml --requirements cis,our-own.yaml --format json
"""


def declare(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    add_policy(parser)
    add_requirements(
        parser,
        "requirements to check: shipped names or files, separated by commas; may be repeated (default: baseline)",
    )
    add_kubernetes(parser, several=True)
    add_format(parser, ["text", "json"])
    parser.set_defaults(unusable=4)


def execute(options: Namespace) -> int:
    """Check every requirement on each version, and write the violations; what is the same on several, once."""
    from auditproof.analysis.requirements import (
        check_requirement,
        contradiction_data,
        contradiction_text,
        contradictions,
        load_requirements,
        render_text,
        to_data,
    )
    from auditproof.clusters.policy_files import PolicyFiles
    from auditproof.kube.discovery import load_served

    read = PolicyFiles()
    files = [load_requirements(name) for name in names_in(options.requirements) or ["baseline"]]
    every = [one for file in files for one in file.requirements]
    found: dict[str, list[str]] = {}  # the versions with these results
    violated = False
    for version in options.kubernetes:
        policy, served = read.load_given(options.policy, Path.cwd(), kubernetes=version), load_served(version)
        checked = [(file, [check_requirement(policy, one, served) for one in file.requirements]) for file in files]
        failed = any(result.violations for _, results in checked for result in results)
        opposed = contradictions(every, served)
        if options.format == "json":
            data = [{"name": file.name, "requirements": [to_data(one) for one in results]} for file, results in checked]
            text = json.dumps({"files": data, "contradictions": [contradiction_data(one) for one in opposed]})
        else:
            blocks = [render_text(checked).removesuffix("\n"), *map(contradiction_text, opposed)]
            text = "\n\n".join(blocks)
        found.setdefault(text, []).append(version)
        violated = violated or failed
    _tell(options, policy, found)
    return int(violated)


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
