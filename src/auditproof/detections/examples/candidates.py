"""Requests that a rule may be about, independently of any policy, the simplest and most harmless first. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from auditproof.analysis.space.identities import ACCOUNT, ANONYMOUS, UNAUTHENTICATED, account_groups, service_account
from auditproof.analysis.space.resource_targets import NAMESPACES
from auditproof.cases.expectation import NODE
from auditproof.detections.condition import tests_of
from auditproof.detections.members import Members
from auditproof.detections.mentioned import without_policy
from auditproof.kube.attributes import Attributes, UserInfo
from auditproof.kube.resources import RESOURCES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.analysis.space.resource_targets import ResourceTarget
    from auditproof.detections.condition import Condition
    from auditproof.detections.members import Member
    from auditproof.detections.mentioned import Mentioned
    from auditproof.kube.discovery import Served

NAMESPACE, NAME, USER = "auditproof-detections", "auditproof-example", "auditproof-someone"
RUNNING = "running"  # a Pod that a kubelet runs, or a stand-in serves
OF_RUNNING = frozenset({"exec", "attach", "portforward", "log", "proxy"})
SYSTEM_NAMESPACES = frozenset({"kube-system", "kube-public", "kube-node-lease", "default"})
_WRITES_FIRST = ("create", "patch", "update", "delete", "get", "list", "deletecollection", "watch")
_READS_FIRST = ("get", "list", "create", "patch", "update", "delete", "deletecollection", "watch")
_PLAIN = ("pods", "deployments", "configmaps", "secrets", "services", "serviceaccounts", "roles", "namespaces")
_STREAMS = ("", "exec", "attach", "portforward")
_PUBLIC = ("/version", "/healthz")  # what anybody may read (ClusterRole system:public-info-viewer)
TARGETS = 12  # of one part of a class


def candidates(condition: Condition, served: Served) -> list[Attributes]:
    """The requests that may meet a condition, as far as it tells them apart; those to be tried first come first.

    Where the condition does not care, they are about objects of auditproof's own in a namespace of its own.
    """
    space, mentioned = without_policy(served)
    members = Members(condition, space, mentioned)
    bodies = any(test.field.top in ("requestObject", "responseObject") for test in tests_of(condition))
    found: dict[Attributes, tuple[object, ...]] = {}
    for outcome in space.outcomes((0, 0)):
        if not outcome.identity.honest:
            continue
        for cell in space.cells[outcome.cells[0].mask]:
            if not cell.served:
                continue
            for member in members.of_cell(cell):
                for user, _ in members.users(outcome.identity, outcome.region):
                    for asked in _concrete(member, user, mentioned):
                        found.setdefault(asked, (*_rank(asked, bodies=bodies), len(found)))
    for path in _PUBLIC:
        for user in (None, UserInfo(ANONYMOUS, (UNAUTHENTICATED,))):
            asked = Attributes(user, "get", path=path, resource_request=False)
            found.setdefault(asked, (*_rank(asked, bodies=bodies), len(found)))
    return sorted(found, key=found.__getitem__)


def _concrete(member: Member, user: UserInfo | None, mentioned: Mentioned) -> Iterator[Attributes]:
    """The request for some targets of the member, with names of auditproof's own in place of made-up ones."""
    asked = replace(member.attributes, user=_own(user, mentioned))
    if not asked.resource_request:
        yield asked
        return
    namespace = NAMESPACE if asked.namespace == mentioned.other_namespace else asked.namespace
    name = asked.name
    if asked.resource == NAMESPACES and name == asked.namespace:
        name = namespace
    elif name == "something":
        name = NAME
    for target in sorted(member.targets, key=_plainness)[:TARGETS]:
        if target.resource == "nodes" and target.subresource == "proxy" and name == NAME:
            name = NODE
        runs = target.resource == "pods" and target.subresource in OF_RUNNING
        yield replace(
            asked,
            api_group=target.group,
            api_version=target.version,
            resource=target.resource,
            subresource=target.subresource,
            namespace=namespace,
            name=RUNNING if runs and name == NAME else name,
        )


def own_account(user: UserInfo | None) -> str:
    """The name of the service account in auditproof's own namespace that the user is; empty if it is none."""
    head, _, name = user.name.rpartition(":") if user else ("", "", "")
    return name if head == f"{ACCOUNT}{NAMESPACE}" else ""


def _own(user: UserInfo | None, mentioned: Mentioned) -> UserInfo | None:
    if user is None:
        return None
    if user.name == "someone":
        return replace(user, name=USER)
    account = service_account(user.name)
    if account and account[0] == mentioned.other_namespace:
        name = f"{ACCOUNT}{NAMESPACE}:{account[1]}"
        return UserInfo(name, account_groups(name))
    return user


def _plainness(target: ResourceTarget) -> tuple[bool, int]:
    built_in = (target.group, target.resource) in RESOURCES
    return not built_in, _PLAIN.index(target.resource) if target.resource in _PLAIN else len(_PLAIN)


def _rank(asked: Attributes, *, bodies: bool) -> tuple[object, ...]:
    """Sort key: what a person would try first, outside system namespaces."""
    verbs = _WRITES_FIRST if bodies else _READS_FIRST
    user = asked.user
    nobody = user is None or user.name == ANONYMOUS
    return (
        nobody,
        asked.namespace in SYSTEM_NAMESPACES,
        asked.name not in ("", NAME, RUNNING, NAMESPACE, NODE),
        (_PUBLIC.index(asked.path) if asked.path in _PUBLIC else len(_PUBLIC))
        if nobody
        else not asked.resource_request,
        user is not None and user.name != USER,
        _STREAMS.index(asked.subresource) if asked.subresource in _STREAMS else len(_STREAMS),
        (asked.api_group, asked.resource) not in RESOURCES,
        verbs.index(asked.verb) if asked.verb in verbs else len(verbs),
        _PLAIN.index(asked.resource) if asked.resource in _PLAIN else len(_PLAIN),
        not asked.namespace,
    )
