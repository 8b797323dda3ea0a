"""Turns a request of a class into one that a client can send: an identity with a credential, and the HTTP request.

The request changes nothing: the identity has no rights, writes are dry runs, and object names are unused ones. The same
rule records it, whether the response is 401, 403, 404, 405 or any other. Bodies are the exception: see body_request.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from auditproof.analysis.space.identities import (
    ANONYMOUS,
    AUTHENTICATED,
    UNAUTHENTICATED,
    account_groups,
    service_account,
)
from auditproof.kube.action import WATCH_SECONDS, Request
from auditproof.kube.attributes import Attributes, NotAudited, UserInfo, attributes_of
from auditproof.kube.identity import MASTERS, Identity, IdentityKind
from auditproof.kube.request_line import request_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_MEDIA = {"POST": "application/json", "PUT": "application/json", "PATCH": "application/merge-patch+json"}
_WRITES = ("POST", "PUT", "PATCH", "DELETE")
_PROFILES = "/debug/pprof/"
TRIED = 64  # requests tried per class: if none of these can be sent, no further one can
_REMEMBERED = 4096  # users, and requests apart from their user: neighbouring classes of a space share them
_ANYBODY = UserInfo("anybody")
_APART_FROM_USER = attrgetter(*(field.name for field in fields(Attributes)[1:]))


class NotPerformable(ValueError):
    """No client can send this request; the message says why."""


@dataclass(frozen=True, slots=True)
class Performable:
    """A request as the policy sees it, with the identity and the HTTP request that produce it.

    ``in_namespace`` is a namespace that has to exist, so that the server accepts the request; empty for none.
    """

    attributes: Attributes
    identity: Identity
    request: Request
    in_namespace: str = ""

    def __str__(self) -> str:
        return f"{self.identity}: {self.request.method} {self.request.uri}"


@dataclass(frozen=True, slots=True)
class Witnessed:
    """A request that represents its class; ``performable`` is None if no client can send it, ``reason`` says why."""

    attributes: Attributes
    performable: Performable | None
    reason: str = ""


def asked_text(attributes: Attributes) -> str:
    """A request in a few words, e.g. ``get secrets db in shop by alice``."""
    by = "" if attributes.user is None else f" by {_user_text(attributes.user)}"
    if not attributes.resource_request:
        return f"{attributes.verb} {attributes.path}{by}"
    full = f"{attributes.resource}.{attributes.api_group}" if attributes.api_group else attributes.resource
    what = f"{full}/{attributes.subresource}" if attributes.subresource else full
    name = f" {attributes.name}" if attributes.name else ""
    where = f" in {attributes.namespace}" if attributes.namespace and attributes.namespace != attributes.name else ""
    return f"{attributes.verb or 'OPTIONS'} {what}{name}{where}{by}"


@lru_cache(maxsize=_REMEMBERED)
def _user_text(user: UserInfo) -> str:
    """The user's name, and its groups if they differ from those that the name implies."""
    account = service_account(user.name)
    own = set(account_groups(user.name)) if account else {UNAUTHENTICATED if user.name == ANONYMOUS else AUTHENTICATED}
    return user.name if set(user.groups) == own else f"{user.name} in {', '.join(user.groups)}"


def performable(attributes: Attributes) -> Performable:
    """How a client performs the request.

    Raises NotPerformable if no credential or no URL produces these attributes.
    """
    identity = identity_of(attributes.user)
    request = _request_of_anybody(_APART_FROM_USER(attributes))
    if MASTERS in identity.groups and request.method == "DELETE" and request.uri.startswith("/metrics"):
        raise NotPerformable("it would reset the server's counters, which the proofs need")
    return Performable(attributes, identity, request)


def most_performable(
    requests: Iterable[Attributes], wanted: Callable[[Attributes], bool] = lambda _: True
) -> Witnessed:
    """The first of ``requests`` that is ``wanted`` and can be sent; else the first request, with the reason.

    Raises ValueError if ``requests`` is empty.
    """
    failed: list[Witnessed] = []
    other: Witnessed | None = None
    for attributes in requests:
        if not wanted(attributes):
            other = other or Witnessed(attributes, None, "no request of this class differs in level or stages")
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


@lru_cache(maxsize=_REMEMBERED)
def identity_of(user: UserInfo | None) -> Identity:
    """The identity without rights that the server authenticates as ``user``.

    Raises NotPerformable if no credential has this name and these groups.
    """
    if user is None:
        return Identity.bad_token()
    if not user.name:
        raise NotPerformable("no certificate authenticates a user with an empty name; a static token file could")
    if user.name == ANONYMOUS and set(user.groups) == {UNAUTHENTICATED}:
        return Identity.anonymous()
    account = service_account(user.name)
    if account and set(user.groups) == set(account_groups(user.name)):
        return Identity(IdentityKind.SERVICE_ACCOUNT, user.name, without_rights=True)
    added = (
        user.name != ANONYMOUS and UNAUTHENTICATED not in user.groups
    )  # the server adds it to every other credential
    groups = tuple(group for group in user.groups if group != AUTHENTICATED or not added)
    identity = Identity(IdentityKind.X509, user.name, groups, without_rights=True)
    found = identity.user_info()
    if found is None or set(found.groups) != set(user.groups):
        raise NotPerformable(
            f"no credential gives {user.name} exactly these groups: {', '.join(user.groups) or 'none'}"
        )
    return identity


@lru_cache(maxsize=_REMEMBERED)
def _request_of_anybody(apart_from_user: tuple[Any, ...]) -> Request:
    """The minimal request with these attributes; who sends it makes no difference to it.

    Raises NotPerformable if the server would compute others.
    """
    attributes = Attributes(_ANYBODY, *apart_from_user)
    request = _request(attributes)
    try:
        seen = attributes_of(request.method, request.uri, attributes.user)
    except NotAudited as error:
        raise NotPerformable(str(error)) from None
    wanted = replace(attributes, path="", api_version="")
    if replace(seen, path="", api_version="") != wanted or (attributes.path and seen.path != attributes.path):
        raise NotPerformable(f"no URL produces this request: {request.method} {request.uri} is read as a different one")
    return request


def _request(attributes: Attributes) -> Request:
    try:
        method, uri = request_line(attributes)
    except KeyError:
        raise NotPerformable(f"no request for a resource has the verb {attributes.verb!r}") from None
    headers = (("Content-Type", _MEDIA[method]),) if attributes.resource_request and method in _MEDIA else ()
    query = _query(attributes, method)
    uri = f"{uri}{'&' if '?' in uri else '?'}{query}" if query else uri
    # A connection pool accepts only paths: `GET *` is sent on a separate connection.
    return Request(method, uri, headers, b"{}" if headers else None, client="" if uri.startswith("/") else "stays")


def _query(attributes: Attributes, method: str) -> str:
    """The query that keeps the request from changing anything, or from lasting."""
    if not attributes.resource_request:
        return "seconds=1" if attributes.path.startswith(_PROFILES) else ""  # otherwise a profile takes 30 s
    if attributes.verb == "watch":
        return f"timeoutSeconds={WATCH_SECONDS}"
    return "dryRun=All" if method in _WRITES else ""
