"""A request of a class as something that a client can really send: who, with which credential, and which HTTP request.

Whatever it names, nothing is changed by it: the identity gets no rights, what would write is a dry run, and objects are
called by names that nothing has. An answer of 401, 403, 404 or 405 is recorded by the same rule as any other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from auditproof.analysis.space.identities import (
    ANONYMOUS,
    AUTHENTICATED,
    UNAUTHENTICATED,
    account_groups,
    service_account,
)
from auditproof.kube.action import WATCH_SECONDS, Request
from auditproof.kube.attributes import NotAudited, attributes_of
from auditproof.kube.identity import MASTERS, Identity, IdentityKind
from auditproof.kube.request_line import request_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from auditproof.kube.attributes import Attributes, UserInfo

_MEDIA = {"POST": "application/json", "PUT": "application/json", "PATCH": "application/merge-patch+json"}
_WRITES = ("POST", "PUT", "PATCH", "DELETE")
_PROFILES = "/debug/pprof/"
TRIED = 64  # requests of a class: where none of them can be sent, the next cannot either


class NotPerformable(ValueError):
    """No client can send this request; the message says why."""


@dataclass(frozen=True, slots=True)
class Performable:
    """A request as the policy sees it, with who sends what."""

    attributes: Attributes
    identity: Identity
    request: Request

    def __str__(self) -> str:
        return f"{self.identity}: {self.request.method} {self.request.uri}"


@dataclass(frozen=True, slots=True)
class Witnessed:
    """A request that stands for its class; ``performable`` is None where no client can send it, for the ``reason``."""

    attributes: Attributes
    performable: Performable | None
    reason: str = ""


def asked_text(attributes: Attributes) -> str:
    """A request in a few words: ``get secrets db in shop by alice``."""
    user = attributes.user
    by = "" if user is None else f" by {user.name}" + (f" in {', '.join(user.groups)}" if _groups_matter(user) else "")
    if not attributes.resource_request:
        return f"{attributes.verb} {attributes.path}{by}"
    full = f"{attributes.resource}.{attributes.api_group}" if attributes.api_group else attributes.resource
    what = f"{full}/{attributes.subresource}" if attributes.subresource else full
    name = f" {attributes.name}" if attributes.name else ""
    where = f" in {attributes.namespace}" if attributes.namespace and attributes.namespace != attributes.name else ""
    return f"{attributes.verb or 'OPTIONS'} {what}{name}{where}{by}"


def _groups_matter(user: UserInfo) -> bool:
    """Whether the user has other groups than its name says."""
    account = service_account(user.name)
    own = set(account_groups(user.name)) if account else {UNAUTHENTICATED if user.name == ANONYMOUS else AUTHENTICATED}
    return set(user.groups) != own


def performable(attributes: Attributes) -> Performable:
    """How a client performs the request.

    Raises NotPerformable where no credential or no URL comes to it.
    """
    identity = identity_of(attributes.user)
    request = _request(attributes)
    _check(attributes, identity, request)
    return Performable(attributes, identity, request)


def most_performable(
    requests: Iterable[Attributes], wanted: Callable[[Attributes], bool] = lambda _: True
) -> Witnessed:
    """The first of ``requests`` that is ``wanted`` and can be performed, or else the first of all and why not.

    Raises ValueError where there is none at all.
    """
    failed: list[Witnessed] = []
    other: Witnessed | None = None
    for attributes in requests:
        if not wanted(attributes):
            other = other or Witnessed(attributes, None, "none of these requests shows it in its level or stages")
            continue
        try:
            return Witnessed(attributes, performable(attributes))
        except NotPerformable as no:
            failed.append(Witnessed(attributes, None, str(no)))
            if len(failed) >= TRIED:
                break
    found = failed[0] if failed else other
    if found is None:
        raise ValueError("a class without a request")
    return found


def identity_of(user: UserInfo | None) -> Identity:
    """The identity, without any rights, that the server's authentication makes ``user`` of.

    Raises NotPerformable where no credential has this name and these groups.
    """
    if user is None:
        return Identity.bad_token()
    if not user.name:
        raise NotPerformable("a certificate makes nobody a user without a name; a file of static tokens could")
    if user.name == ANONYMOUS and set(user.groups) == {UNAUTHENTICATED}:
        return Identity.anonymous()
    account = service_account(user.name)
    if account and set(user.groups) == set(account_groups(user.name)):
        return Identity(IdentityKind.SERVICE_ACCOUNT, user.name, without_rights=True)
    added = user.name != ANONYMOUS and UNAUTHENTICATED not in user.groups  # by the server, to every other credential
    groups = tuple(group for group in user.groups if group != AUTHENTICATED or not added)
    identity = Identity(IdentityKind.X509, user.name, groups, without_rights=True)
    found = identity.user_info()
    if found is None or set(found.groups) != set(user.groups):
        raise NotPerformable(f"no credential makes {user.name} a member of just {', '.join(user.groups) or 'no group'}")
    return identity


def _request(attributes: Attributes) -> Request:
    """The request that asks for no more than the policy has to see."""
    try:
        method, uri = request_line(attributes)
    except KeyError:
        raise NotPerformable(f"no request for a resource has the verb {attributes.verb!r}") from None
    headers = (("Content-Type", _MEDIA[method]),) if attributes.resource_request and method in _MEDIA else ()
    query = _query(attributes, method)
    uri = f"{uri}{'&' if '?' in uri else '?'}{query}" if query else uri
    # What keeps connections in a pool takes nothing but a path: `GET *` goes over one of its own.
    return Request(method, uri, headers, b"{}" if headers else None, client="" if uri.startswith("/") else "stays")


def _query(attributes: Attributes, method: str) -> str:
    """What keeps the request from changing anything, or from lasting."""
    if not attributes.resource_request:
        return "seconds=1" if attributes.path.startswith(_PROFILES) else ""  # else a profile takes half a minute
    if attributes.verb == "watch":
        return f"timeoutSeconds={WATCH_SECONDS}"
    return "dryRun=All" if method in _WRITES else ""


def _check(attributes: Attributes, identity: Identity, request: Request) -> None:
    """Whether the server would see just what is wanted."""
    try:
        seen = attributes_of(request.method, request.uri, attributes.user)
    except NotAudited as error:
        raise NotPerformable(str(error)) from None
    wanted = replace(attributes, path="", api_version="")
    if replace(seen, path="", api_version="") != wanted or (attributes.path and seen.path != attributes.path):
        raise NotPerformable(f"no URL asks for this: {request.method} {request.uri} is read as another request")
    if MASTERS in identity.groups and request.method == "DELETE" and request.uri.startswith("/metrics"):
        raise NotPerformable("it would set the server's counters back, which the proofs need")
