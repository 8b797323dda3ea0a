"""How a request that triggers a rule is sent: URI, body and headers, out of attributes, a response and values. Pure.

Writes are dry runs, so nothing is changed. A dry run is recorded like any other request; its URI has ``dryRun=All``.
Sources: staging/src/k8s.io/apiserver/pkg/endpoints/handlers and pkg/registry/core/pod/rest/subresources.go.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from auditproof.analysis.space.identities import ACCOUNT, ANONYMOUS, service_account
from auditproof.detections.examples.body import NotBuilt, body_of, with_values
from auditproof.detections.examples.candidates import NAME, NAMESPACE, RUNNING
from auditproof.detections.examples.forecast import Answer, Draft
from auditproof.detections.fields import Field
from auditproof.kube.action import STREAMS, WATCH_SECONDS, WRITES, query_text
from auditproof.kube.attributes import METHODS_OF_EVERY_VERB, NotAudited, attributes_of
from auditproof.kube.identity import Impersonation
from auditproof.kube.request_line import request_line
from auditproof.kube.resources import RESOURCES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from auditproof.kube.attributes import Attributes, UserInfo

URI_FIELD, AGENT_FIELD, NAME_FIELD = Field.at("requestURI"), Field.at("userAgent"), Field.at("objectRef.name")
UPGRADED = STREAMS - {"proxy"}
AS_FIELD, AS_GROUPS_FIELD = Field.at("impersonatedUser.username"), Field.at("impersonatedUser.groups.*")
AS = "auditproof-impersonated"
NEW_NAME, ABSENT = f"{NAME}-new", f"{NAME}-absent"  # what is created by dry run, and what nobody creates
Values = dict[Field, tuple[Any, ...]]
_WITH_BODY = frozenset({"create", "update", "patch"})
_FIND = frozenset({"get", "patch", "delete"})
_PUBLIC = ("/version", "/healthz", "/livez", "/readyz")
_KNOWN_PATHS = ("/api", "/openapi", "/metrics", "/.well-known")
_STREAM_QUERY: dict[str, dict[str, str | tuple[str, ...]]] = {
    "exec": {"command": "id", "container": "main", "stdout": "true"},
    "attach": {"container": "main", "stdout": "true"},
    "portforward": {"ports": "80"},
}


def sends_body(asked: Attributes) -> bool:
    """Whether a client sends an object with the request."""
    return asked.resource_request and asked.verb in _WITH_BODY and asked.subresource not in STREAMS


def answers(asked: Attributes) -> tuple[Answer, ...]:
    """The responses that a request can get, those first that show most."""
    if asked.user is None:
        return (Answer.REFUSED,)
    anonymous = asked.user.name == "system:anonymous"
    if not asked.resource_request:
        public = asked.path in _PUBLIC
        accepted = public or (asked.path.startswith(_KNOWN_PATHS) and not anonymous)
        return (*((Answer.ACCEPTED,) if accepted else ()), *(() if public else (Answer.FORBIDDEN,)))
    if anonymous:
        return (Answer.FORBIDDEN,)
    if (asked.api_group, asked.resource) not in RESOURCES:
        return (Answer.NOT_FOUND, Answer.FORBIDDEN)
    # Not an update: of many resources it creates what does not exist (AllowCreateOnUpdate of their strategies).
    named = asked.verb in _FIND and asked.name and asked.resource != "namespaces"
    new = asked.verb == "create" and not asked.subresource and not _is_review(asked)
    return (
        Answer.ACCEPTED,
        *((Answer.NOT_FOUND,) if named else ()),
        *((Answer.CONFLICT,) if new else ()),
        Answer.FORBIDDEN,
    )


def draft_of(
    asked: Attributes,
    answer: Answer,
    values: Mapping[Field, tuple[Any, ...]],
    *,
    dry: bool = True,
    renamed: bool = True,
) -> Draft:
    """The request with these values; with ``dry``, a write is a dry run.

    ``renamed``: who is to be refused has a name of its own, since other examples may give rights to the usual one.

    Raises NotBuilt where it cannot have one of the values, or would change something outside the run's own namespace.
    """
    if not dry and not (asked.verb == "create" and asked.namespace == NAMESPACE and not asked.subresource):
        raise NotBuilt("the rule leaves out dry runs, and only an object in a namespace of its own is created really")
    if answer is Answer.FORBIDDEN and asked.user is not None and renamed:
        asked = replace(asked, user=_stranger(asked.user))
    if answer is Answer.NOT_FOUND and asked.name in (NAME, RUNNING):
        asked = replace(asked, name=ABSENT)
    body = _body(asked, answer, values, dry=dry) if sends_body(asked) else None
    uri = _uri(asked, values, dry=dry)
    if not _is_read_as(asked, uri):
        raise NotBuilt(f"no URL is read as this request: {asked}")
    other = str(_first(values, AS_FIELD))
    groups = values.get(AS_GROUPS_FIELD, ())
    return Draft(
        asked,
        answer,
        uri,
        body,
        str(_first(values, AGENT_FIELD)),
        Impersonation(other or AS, tuple(map(str, groups))) if other or groups else None,
    )


def method_of(asked: Attributes) -> str:
    """The HTTP method of a request."""
    return METHODS_OF_EVERY_VERB[asked.verb] if asked.resource_request else asked.verb.upper()


def _is_read_as(asked: Attributes, uri: str) -> bool:
    try:
        seen = attributes_of(method_of(asked), uri, asked.user)
    except NotAudited:
        return False
    return replace(seen, path="") == replace(asked, path="") and (asked.resource_request or seen.path == asked.path)


def _stranger(user: UserInfo) -> UserInfo:
    if user.name == ANONYMOUS:
        return user
    account = service_account(user.name)
    return replace(user, name=f"{ACCOUNT}{account[0]}:stranger" if account else f"{user.name}-stranger")


def _first(values: Mapping[Field, tuple[Any, ...]], field: Field) -> Any:
    return next(iter(values.get(field, ())), "")


def _body(asked: Attributes, answer: Answer, values: Mapping[Field, tuple[Any, ...]], *, dry: bool) -> dict[str, Any]:
    resource = RESOURCES.get((asked.api_group, asked.resource))
    kind = resource.kind if resource else ""
    if asked.verb == "patch":
        body: dict[str, Any] = {}
        with_values(body, kind, values)
        return body or {"metadata": {"labels": {"example": "patched"}}}
    new = NAME if answer is Answer.CONFLICT else NEW_NAME
    if not dry:
        new = f"{NAME}-{hashlib.sha256(repr(sorted(map(str, values.items()))).encode()).hexdigest()[:8]}"
    name = str(_first(values, NAME_FIELD)) or asked.name or new
    body = body_of(kind, asked.subresource, values, "" if _is_review(asked) else name)
    version = f"{asked.api_group}/{asked.api_version}" if asked.api_group else asked.api_version
    body = {"apiVersion": version, "kind": kind, **body}
    if asked.namespace and asked.resource != "namespaces" and not _is_review(asked):
        body["metadata"].setdefault("namespace", asked.namespace)
    if kind == "Pod" and not dry:
        body["spec"].setdefault("schedulerName", "nobody")
    return body


def _uri(asked: Attributes, values: Mapping[Field, tuple[Any, ...]], *, dry: bool) -> str:
    """The URI that the rule asks for, with what keeps the request from changing something, or from lasting."""
    given = str(_first(values, URI_FIELD))
    uri = given or request_line(asked)[1]
    there = uri.partition("?")[2]
    query = {key: value for key, value in _query(asked, dry=dry) if f"{key}=" not in there}
    return f"{uri}{'&' if '?' in uri else '?'}{query_text(query)}" if query else uri


def _query(asked: Attributes, *, dry: bool) -> Iterator[tuple[str, str | tuple[str, ...]]]:
    if not asked.resource_request:
        return
    if asked.subresource in UPGRADED:
        yield from _STREAM_QUERY[asked.subresource].items()
    elif asked.verb in WRITES and dry and asked.subresource not in STREAMS:
        yield "dryRun", "All"
    if asked.verb == "deletecollection":
        yield "labelSelector", "auditproof=nothing"
    if asked.verb == "watch":
        yield "timeoutSeconds", str(WATCH_SECONDS)


def _is_review(asked: Attributes) -> bool:
    resource = RESOURCES.get((asked.api_group, asked.resource))
    return resource is not None and resource.kind.endswith("Review")


def with_name(asked: Attributes, name: str) -> Attributes:
    """The request about an object of another name."""
    both = asked.resource == "namespaces" and asked.namespace == asked.name
    return replace(asked, name=name, namespace=name if both else asked.namespace)
