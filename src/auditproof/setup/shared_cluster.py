"""What an action needs on a cluster that is shared with other teams, so that nothing there is harmed. Pure.

A shared cluster gives rights only in namespaces that the run itself has made. Elsewhere an action is performed without
rights, which a policy does not mind: it is consulted before anybody is authorized. What would change something outside
those namespaces is not performed at all, whatever rights its user may happen to have there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditproof.kube.identity import UNAUTHENTICATED_KINDS, IdentityKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from auditproof.cases.expectation import Expectation
    from auditproof.kube.action import Request
    from auditproof.kube.attributes import Attributes
    from auditproof.kube.identity import Identity

_READS = ("GET", "HEAD", "OPTIONS")
_ANSWERED_ONLY = ("authentication.k8s.io", "authorization.k8s.io")  # reviews: nothing is stored


def needs_cluster_rights(
    identity: Identity,
    request: Request,
    attributes: Attributes,
    expectation: Expectation,
    given: Iterable[Mapping[str, Any]],
    states_more: bool = False,
) -> bool:
    """Whether the action needs a cluster that may be changed outside the namespaces that are ``given``.

    ``states_more``: more is expected than what the policy decides, which may depend on the answer.
    """
    states_more = states_more or expectation.status is not None
    states_more |= expectation.watcher is not None
    states_more |= bool(expectation.present or expectation.event or expectation.stages)
    objects = tuple(given)
    own = {str(each["metadata"]["name"]) for each in objects if each["kind"] == "Namespace"}
    if any(each["kind"] != "Namespace" and each["metadata"].get("namespace") not in own for each in objects):
        return True
    if attributes.resource_request and attributes.namespace in own:
        return identity.impersonates is not None and _has_rights(identity) and states_more
    reads = request.method in _READS or attributes.api_group in _ANSWERED_ONLY or "dryRun=All" in request.uri
    return not reads or (_has_rights(identity) and states_more)


def _has_rights(identity: Identity) -> bool:
    """Whether the case means it to be allowed what it asks for."""
    nobody = identity.kind is IdentityKind.ANONYMOUS or identity.kind in UNAUTHENTICATED_KINDS
    return not nobody and not identity.without_rights
