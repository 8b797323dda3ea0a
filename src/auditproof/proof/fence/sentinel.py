"""The sentinel of a fence: a harmless request that a policy certainly records. Pure.

A fence proves that an event is absent, in two steps after the actions. First a follow-up request goes out on every
connection that carried an action; the server begins it only when all events of the earlier requests were handed to the
log (an HTTP/1.1 connection serves one request at a time). Then a sentinel is sent; its event, read back, shows that the
log is this server's, live and complete up to there. The policy is not modified: the sentinel is a request that the
policy itself records. A policy that records nothing has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from auditproof.audit.decide import decide
from auditproof.audit.event import Level
from auditproof.audit.stages import emitted_stages
from auditproof.kube.action import Request
from auditproof.kube.attributes import METHODS, attributes_of
from auditproof.kube.identity import Identity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from auditproof.audit.policy.load import GroupResources, Policy, PolicyRule

NAME = "auditproof-fence"  # user, object and path segment; no object has this name
# A rule may name a user with every right, so writes are dry runs, and collections are limited to the one name.
_QUERIES = {
    "get": "",
    "list": "",
    "create": "?dryRun=All",
    "patch": "?dryRun=All",
    "update": "?dryRun=All",
    "delete": "?dryRun=All",
    "deletecollection": "?dryRun=All&fieldSelector=metadata.name%3D{name}",
    "watch": "?watch=true&timeoutSeconds=1&fieldSelector=metadata.name%3D{name}",
}


@dataclass(frozen=True, slots=True)
class Sentinel:
    """An identity and a request that together produce an event."""

    identity: Identity
    request: Request


def choose_sentinel(policy: Policy, can: Callable[[Identity], bool] = lambda _: True) -> Sentinel | None:
    """The first harmless request that ``policy`` records at some stage; None if there is none.

    It needs no rights (a refused request is recorded all the same) and names an object that does not exist. ``can``
    returns whether an identity can be used on the server.
    """
    for rule in policy.rules:
        for identity in _identities(rule) if rule.level is not Level.NONE else ():
            user = identity.user_info()
            for request in _requests(rule):
                # An earlier rule may decide this request, or every stage that it reaches may be omitted.
                attributes = attributes_of(request.method, request.uri, user)
                decision = decide(policy, attributes)
                kept = emitted_stages(attributes, 401 if user is None else 403) - decision.omit_stages
                if decision.level is not Level.NONE and kept and can(identity):
                    return Sentinel(identity, request)
    return None


def _identities(rule: PolicyRule) -> Iterator[Identity]:
    for user in filter(None, rule.users or (NAME,)):  # no user has an empty name
        for group in rule.user_groups or ("",):
            if user == "system:anonymous" or group == "system:unauthenticated":
                yield Identity.anonymous()
            else:
                yield Identity.x509(user, *([group] if group not in ("", "system:authenticated") else []))
    # For clusters that issue no certificates: the service accounts of the rule, or auditproof's own.
    for user in rule.users or (f"system:serviceaccount:{NAME}:{NAME}",):
        if len(user.split(":")) == 4 and user.startswith("system:serviceaccount:"):
            yield Identity.service_account(*user.split(":")[2:])
    if not rule.users and not rule.user_groups:
        yield Identity.bad_token()


def _requests(rule: PolicyRule) -> Iterator[Request]:
    if not rule.resources and not rule.namespaces:
        for pattern in rule.non_resource_urls or (f"/{NAME}",):
            # A sentinel must be harmless, so only paths and verbs that read are tried, and names that nothing has.
            path = quote(pattern.removesuffix("*") + NAME if pattern.endswith("*") else pattern)
            for verb in rule.verbs or ("get",):
                if verb in ("get", "head", "options"):
                    yield Request(verb.upper(), path if path.startswith("/") else f"/{path}")
    if not rule.non_resource_urls:
        for namespace in rule.namespaces or (NAME,):
            for group, resource, subresource, name in _targets(rule.resources):
                for verb in _QUERIES:
                    if not rule.verbs or verb in rule.verbs:
                        yield _resource_request(verb, namespace, group, resource, subresource, name)


def _targets(resources: tuple[GroupResources, ...]) -> Iterator[tuple[str, str, str, str]]:
    """Group, resource, subresource and object name of requests that may match one of ``resources``."""
    if not resources:
        yield "", "configmaps", "", NAME
    for entry in resources:
        group = "" if entry.group == "*" else entry.group
        # A rule with resourceNames matches these objects only; no request here changes them.
        name = next((name for name in entry.resource_names if name), NAME)
        for pattern in entry.resources or (NAME,):
            resource, _, subresource = pattern.partition("/")
            resource = NAME if resource == "*" else resource
            yield group, resource, "" if subresource == "*" else subresource, name


def _resource_request(verb: str, namespace: str, group: str, resource: str, subresource: str, name: str) -> Request:
    # A policy does not look at the version, and a version that is not served is recorded all the same.
    base = f"/apis/{group}/v1" if group else "/api/v1"
    scope = f"/namespaces/{quote(namespace)}" if namespace else ""
    on_collection = verb in ("list", "watch", "deletecollection") or (verb == "create" and not subresource)
    path = f"{base}{scope}/{quote(resource)}" + ("" if on_collection else f"/{quote(name)}")
    path += f"/{quote(subresource)}" if subresource else ""
    sends_body = verb in ("create", "patch", "update")
    media = "application/merge-patch+json" if verb == "patch" else "application/json"
    path += _QUERIES[verb].format(name=quote(name, safe=""))
    return Request(METHODS[verb], path, (("Content-Type", media),) if sends_body else (), b"{}" if sends_body else None)
