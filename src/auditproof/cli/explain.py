"""``auditproof explain``: the rule that matches one request, and why the earlier ones do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.cli.arguments import add_kubernetes, add_policy, load_given
from auditproof.cli.exit_codes import ExitCode
from auditproof.text import output

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from auditproof.kube.attributes import Attributes

EPILOG = """\
The first rule that matches a request decides how it is recorded. explain shows this rule, why each earlier rule does
not match, and which later rules would have matched.

The user is in the groups that the API server's authentication adds: system:authenticated, and for a service account
system:serviceaccounts and system:serviceaccounts:NAMESPACE, for a node system:nodes. --exact-groups adds none, as for
the API server's own requests. A verb, resource or path that no API server serves is an error.

examples:
  auditproof explain policies/prod.yaml --user alice --group dev --verb get --resource pods/log --namespace shop
  auditproof explain policies/prod.yaml --user system:serviceaccount:ci:deployer --verb patch \\
    --resource deployments.apps/scale --namespace shop --name web
  auditproof explain policies/prod.yaml --unauthenticated --verb get --path /healthz
"""
EXIT_CODES = {
    ExitCode.FINE: "the request is explained",
    ExitCode.UNUSABLE: "unusable options, a request that nobody can send, or a policy that cannot be used",
}


def declare(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    add_policy(parser)
    who = parser.add_mutually_exclusive_group()
    who.add_argument("--user", default="", help="user name, such as alice or system:serviceaccount:shop:web")
    who.add_argument("--unauthenticated", action="store_true", help="the request failed authentication (401)")
    parser.add_argument("--group", action="append", default=[], help="group of the user; may be repeated")
    parser.add_argument(
        "--exact-groups", action="store_true", help="add no group: the user is in those given by --group and no other"
    )
    parser.add_argument("--verb", required=True, help="API verb: get, list, watch, create, update, patch, delete, ...")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--resource", help="resource[.group][/subresource], such as pods/log or deployments.apps/scale")
    what.add_argument("--path", help="path of a non-resource request, such as /healthz")
    parser.add_argument(
        "--namespace", default="", help="namespace (default: none, for cluster-scoped resources and all namespaces)"
    )
    parser.add_argument("--name", default="", help="name of the object (default: none, as in a list request)")
    add_kubernetes(parser)


def execute(options: Namespace) -> int:
    """Explain the request."""
    from auditproof.audit.explain import explain, render

    policy = load_given(options.policy, options.kubernetes)
    attributes = _attributes(options)
    output.tell(f"request: {attributes}")
    output.tell(render(explain(policy, attributes)))
    return 0


def _attributes(options: Namespace) -> Attributes:
    from auditproof.errors import AuditproofError
    from auditproof.kube.discovery import load_served
    from auditproof.kube.question import NoSuchRequest, path_question, resource_question, user_of

    user = None if options.unauthenticated else user_of(options.user, options.group, exact=options.exact_groups)
    try:
        if options.path is not None:
            return path_question(user, options.verb, options.path)
        full, _, subresource = options.resource.partition("/")
        resource, dot, group = full.partition(".")
        return resource_question(
            load_served(options.kubernetes),
            user,
            options.verb,
            resource,
            subresource,
            group if dot else None,
            namespace=options.namespace,
            name=options.name,
        )
    except NoSuchRequest as error:
        raise AuditproofError(f"explain: {error}") from None
