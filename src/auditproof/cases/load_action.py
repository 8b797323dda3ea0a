"""Converts the ``do`` of a case into a Request. Pure."""

from __future__ import annotations

import base64
from typing import Any

from auditproof.cases.schema import DoModel
from auditproof.client.misbehaving import NEEDS_BODY
from auditproof.errors import Misuse
from auditproof.kube.action import Action, Request, parse_target, path_request, query_text, to_request
from auditproof.kube.attributes import METHODS
from auditproof.kube.kubectl import APPLIES, KUBECTL_VERBS, sent_by_kubectl
from auditproof.kube.resources import Resource, UnknownResource, lookup

_OF_MANY = {"list", "watch", "deletecollection"}
_FIELDS = {"list": "list_"}
_VERBS = (*METHODS, *KUBECTL_VERBS)
_OF_KUBECTL = {"command", "container", "replicas"}  # keys of its verbs alone
# What its verbs imply, so that a case cannot state it.
_IMPLIED = ("object", "type", "body", "base64", "content_type", "method", "field_selector", "label_selector")


class BadAction(ValueError):
    """An invalid ``do``; ``key`` is the offending key, the message says what is wrong and what was expected."""

    def __init__(self, key: str, message: str) -> None:
        self.key = key
        super().__init__(message)


def request_of(do: DoModel) -> Request:
    """Return the request that ``do`` describes.

    Raises BadAction if it describes none.
    """
    kinds = [key for key in (*_VERBS, "path", "request") if getattr(do, _FIELDS.get(key, key))]
    if len(kinds) != 1:
        given = f"both {' and '.join(kinds)}" if kinds else "none of them"
        raise BadAction("", f"an action needs exactly one of {', '.join(_VERBS)}, path and request; found {given}")
    request = _request(do, kinds[0])
    if do.client in NEEDS_BODY and not request.body:
        raise BadAction("client", f"a client that {do.client} sends a part of a body, so the action needs a body")
    return request


def _request(do: DoModel, key: str) -> Request:
    if key in KUBECTL_VERBS:
        return to_request(_action_of_kubectl(do, key))
    for own in sorted(_OF_KUBECTL & do.model_fields_set):
        raise BadAction(own, f"{own} applies only to {', '.join(APPLIES[own])}, not to {key}")
    return to_request(_action(do, key)) if key in METHODS else _raw_request(do, key)


def _action_of_kubectl(do: DoModel, verb: str) -> Action:
    text = getattr(do, verb)
    target = parse_target(text, do.in_, _resource(do, verb, text))
    for key in _IMPLIED:
        if key in do.model_fields_set:
            name = DoModel.model_fields[key].alias or key
            raise BadAction(name, f"{name} does not apply to {verb}, which says everything that is sent")
    _check_scope(do, verb, target.resource, named=bool(target.name))
    own = {key: getattr(do, key) for key in sorted(_OF_KUBECTL & do.model_fields_set)}
    try:
        return sent_by_kubectl(
            verb,
            target,
            upgrade=do.upgrade,
            query=_query(do),
            headers=tuple(do.headers.items()),
            client=do.client,
            **own,
        )
    except Misuse as misuse:
        key = next((key for key in (*own, "upgrade") if str(misuse).startswith(key)), verb)
        raise BadAction(key, str(misuse)) from None


def _raw_request(do: DoModel, key: str) -> Request:
    for field, value in (("in", do.in_), ("object", do.object), ("version", do.version)):
        if value:
            raise BadAction(field, f"{field} applies only to verbs such as get, not to {key}")
    if do.method and key == "request":
        raise BadAction("method", "method applies only to path; request begins with its method")
    # The request goes out as it is written: nothing is added to it but what the case says.
    method, _, uri = do.request.partition(" ") if key == "request" else (do.method or "GET", "", do.path)
    query = query_text(_query(do))
    body = _sent_as_it_is(do)
    if body is None and do.body is not None:
        raise BadAction("body", "the body of a path or request must be text; it is sent unchanged")
    headers = {"Content-Type": do.content_type} if do.content_type else {}
    uri = f"{uri}{'&' if '?' in uri else '?'}{query}" if query else uri
    return path_request(
        method, uri, tuple({**headers, **do.headers}.items()), body=body, upgrade=do.upgrade, client=do.client
    )


def _sent_as_it_is(do: DoModel) -> bytes | None:
    """The body if it is given as text or bytes, else None."""
    if not do.base64:
        return do.body.encode() if isinstance(do.body, str) else None
    if do.body is not None or do.object is not None:
        raise BadAction("base64", "use only one of object, body and base64")
    try:
        return base64.b64decode(do.base64, validate=True)
    except ValueError as error:
        raise BadAction("base64", f"not valid base64: {error}") from None


def _action(do: DoModel, verb: str) -> Action:
    text = getattr(do, _FIELDS.get(verb, verb))
    resource = _resource(do, verb, text)
    target = parse_target(text, do.in_, resource)
    _check_scope(do, verb, resource, named=bool(target.name))
    _check_content(do, verb, resource)
    raw = _sent_as_it_is(do)
    return Action(
        verb,
        target,
        body=do.object if do.object is not None else do.body if raw is None else None,
        raw=raw,
        patch=do.type,
        media_type=do.content_type,
        query=_query(do),
        headers=tuple(do.headers.items()),
        upgrade=do.upgrade,
        client=do.client,
    )


def _resource(do: DoModel, verb: str, text: str) -> Resource:
    name = text.partition("/")[0]
    if not do.version:
        try:
            return lookup(name)
        except UnknownResource as unknown:
            raise BadAction(verb, str(unknown)) from None
    plural, _, group = name.partition(".")
    kind = do.kind or str((do.object or {}).get("kind", ""))
    return Resource(group, do.version, plural, kind, not do.cluster_scoped)


def _check_scope(do: DoModel, verb: str, resource: Resource, *, named: bool) -> None:
    if do.in_ and not resource.namespaced:
        raise BadAction("in", f"{resource.plural} are cluster-scoped: remove in:")
    if verb not in _OF_MANY and resource.namespaced and not do.in_:
        raise BadAction(verb, f"{resource.plural} are namespaced: name the namespace with in:")
    if named and verb in _OF_MANY:
        raise BadAction(verb, f"{verb} applies to all {resource.plural} and takes no name (use fieldSelector)")
    # The name is in the body or generated by the server, or there is none (reviews).
    if (
        not named
        and verb not in _OF_MANY
        and not (
            verb == "create"
            and bool(do.object is not None or do.body is not None or do.base64 or resource.kind.endswith("Review"))
        )
    ):
        raise BadAction(verb, f"{verb} needs a name: {resource.plural}/<name>")


def _check_content(do: DoModel, verb: str, resource: Resource) -> None:
    if do.object is not None and verb not in ("create", "update") and not (verb == "patch" and do.type == "apply"):
        raise BadAction("object", f"object applies only to create, update and an apply patch, not to {verb}")
    if do.object is not None and do.body is not None:
        raise BadAction("body", "use only one of object and body")
    if "type" in do.model_fields_set and verb != "patch":
        raise BadAction("type", f"type applies only to patch, not to {verb}")
    if verb in ("create", "update") and not resource.kind and do.body is None and not do.base64:
        raise BadAction(verb, "a custom resource needs kind: to create an object")
    if do.method:
        raise BadAction("method", f"method applies only to path, not to {verb}")


def _query(do: DoModel) -> dict[str, str | tuple[str, ...]]:
    named = {"fieldSelector": do.field_selector, "labelSelector": do.label_selector}
    query: dict[str, str | tuple[str, ...]] = {key: value for key, value in named.items() if value}
    if do.dry_run:
        query["dryRun"] = "All"
    return query | {
        key: (tuple(_value(key, item) for item in value) if isinstance(value, list) else _value(key, value))
        for key, value in do.query.items()
    }


def _value(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        raise BadAction("query", f"{key} must be a string, a number, a boolean or a list of these")
    return str(value)
