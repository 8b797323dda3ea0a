"""What is asked: an Action in Kubernetes' own words, and the HTTP Request that it becomes. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, urlencode

from auditproof.kube.attributes import METHODS
from auditproof.kube.minimal_objects import minimal_body
from auditproof.kube.resources import Resource, lookup

PATCH_TYPES = {
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}
JSON = "application/json"
_NODE = re.compile("<node>|%3Cnode%3E")
STREAMS = {"exec", "attach", "portforward", "proxy"}  # a POST to one of these has no object in its body
WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})  # the verbs that change objects
WATCH_SECONDS = 1  # the server ends the watch, so that its last event is in the log when the response ends


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request to the API server, without credentials and without Audit-ID.

    ``uri`` is path and query as they are sent; ``headers`` may repeat a name. ``upgrade`` is "websocket" or "spdy"
    where the request asks for another protocol (exec, attach, port-forward). ``client`` is empty for a client that
    waits for the answer and reads it, else one of client.misbehaving.ClientBehaviour.

    >>> from auditproof import Request
    >>> Request("GET", "/healthz").hangs_up
    False
    """

    method: str
    uri: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    upgrade: str = ""
    client: str = ""

    @property
    def hangs_up(self) -> bool:
        """Whether the client is gone before the answer is."""
        return self.client.startswith("hangsUp")

    @property
    def names_node(self) -> bool:
        """Whether its URI holds ``<node>``."""
        return _NODE.search(self.uri) is not None

    def on(self, node: str) -> Request:
        """The same request with ``<node>`` in its URI replaced by the name of a node."""
        return replace(self, uri=_NODE.sub(quote(node), self.uri))


@dataclass(frozen=True, slots=True)
class Target:
    """What an action is about: a resource, and where it applies an object and a subresource of it."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class Action:
    """A verb on a target. ``body`` is sent as JSON, ``raw`` as it is; ``patch`` is a key of PATCH_TYPES.

    ``query`` and ``headers`` are added to those that the verb implies.

    >>> from auditproof import act
    >>> action = act("get", "pods/web/log", "shop", query={"follow": "true"})
    >>> action.verb, action.target.subresource
    ('get', 'log')
    """

    verb: str
    target: Target
    body: Any = None
    raw: bytes | None = None
    patch: str = "merge"
    media_type: str = ""
    query: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    headers: tuple[tuple[str, str], ...] = ()
    upgrade: str = ""
    client: str = ""


def act(verb: str, target: str, namespace: str = "", **options: Any) -> Action:
    """Return an Action on a built-in resource; ``target`` is ``resource[.group][/name[/subresource]]``.

    ``verb`` is one of Kubernetes' own (get, list, watch, create, update, patch, delete, deletecollection), or of
    kubectl's: exec, attach, portforward, log, scale, evict, with the options ``command``, ``container`` and
    ``replicas``; ``upgrade="spdy"`` is how older clients exec. Other ``options`` are the fields of Action.

    Raises Misuse for an unknown verb, and UnknownResource (a LookupError) for other resources.

    >>> from auditproof import act
    >>> act("create", "deployments.apps/web", "shop").target.resource.api_version
    'apps/v1'
    >>> shell = act("exec", "pods/web", "shop", command=["cat", "/etc/passwd"])
    >>> shell.verb, shell.target.subresource, shell.query["command"]
    ('get', 'exec', ('cat', '/etc/passwd'))
    """
    from auditproof.kube.kubectl import action_of

    __tracebackhide__ = True
    return action_of(verb, target, namespace, **options)


def parse_target(text: str, namespace: str = "", resource: Resource | None = None) -> Target:
    """A Target out of ``resource[.group][/name[/subresource]]``.

    Raises UnknownResource where ``resource`` is not given and the name is not a built-in one.
    """
    plural, name, subresource = [*text.split("/", 2), "", ""][:3]
    return Target(resource or lookup(plural), namespace, name, subresource)


def to_request(action: Action) -> Request:
    """Return the HTTP request that a Kubernetes client sends for ``action``.

    >>> from auditproof import act, to_request
    >>> to_request(act("list", "pods", "shop")).uri
    '/api/v1/namespaces/shop/pods'
    """
    target, verb = action.target, action.verb
    # A new object has no path of its own yet; a subresource of one has.
    on_collection = verb in ("list", "watch", "deletecollection") or (verb == "create" and not target.subresource)
    path = target.resource.path(target.namespace, "" if on_collection else target.name, target.subresource)
    if action.verb == "watch":
        implied_query = {"watch": "true", "timeoutSeconds": str(WATCH_SECONDS)}
    elif action.verb == "patch" and action.patch == "apply":
        implied_query = {"fieldManager": "auditproof", "force": "true"}
    else:
        implied_query = {}
    query = query_text({**implied_query, **action.query})
    body = action.raw
    if body is None and (content := _content(action)) is not None:
        body = json.dumps(content).encode()
    usual = PATCH_TYPES[action.patch] if verb == "patch" else JSON
    media_type = action.media_type or usual
    headers = (("Content-Type", media_type),) if body is not None and media_type else ()
    uri = f"{path}?{query}" if query else path
    return Request(METHODS[verb], uri, (*headers, *action.headers), body, action.upgrade, action.client)


def query_text(query: Mapping[str, str | tuple[str, ...]]) -> str:
    """A URL's query, percent-encoded; a tuple repeats its key."""
    return urlencode(query, doseq=True, quote_via=quote)


def path_request(
    method: str,
    uri: str,
    headers: tuple[tuple[str, str], ...] = (),
    *,
    body: bytes | None = None,
    upgrade: str = "",
    client: str = "",
) -> Request:
    """Return a request for any path and query; it is sent unchanged.

    >>> from auditproof import path_request
    >>> path_request("GET", "/healthz?verbose").uri
    '/healthz?verbose'
    """
    return Request(method, uri, headers, body, upgrade, client)


def _content(action: Action) -> Any:
    """What is to be sent as JSON, or None."""
    if action.verb == "patch" and action.patch != "apply":
        if action.body is not None:
            return action.body
        # Without a body, a patch that changes only a label.
        if action.patch == "json":
            return [{"op": "add", "path": "/metadata/labels", "value": {"patched": "json"}}]
        return {"metadata": {"labels": {"patched": action.patch}}}
    writes = action.verb in ("create", "update", "patch")
    if writes and action.target.subresource.partition("/")[0] not in STREAMS:
        return _object(action)
    return action.body


def _object(action: Action) -> Any:
    """The object to send: what is given, with apiVersion, kind, name and namespace filled in from the target.

    A body that is no object, or whose metadata is none, is meant as it is: the server is to refuse it.
    """
    target = action.target
    smallest = minimal_body(target.resource.kind, target.subresource)
    given = smallest if action.body is None else action.body
    if not isinstance(given, Mapping) or not isinstance(given.get("metadata", {}), Mapping):
        return given
    metadata = dict(given.get("metadata", {}))
    if target.name and "generateName" not in metadata:
        metadata.setdefault("name", target.name)
    if target.namespace and target.resource.namespaced:
        metadata.setdefault("namespace", target.namespace)
    # A subresource may take an object of another kind, such as Scale or Eviction.
    head = {
        "apiVersion": smallest.get("apiVersion", target.resource.api_version),
        "kind": smallest.get("kind", target.resource.kind),
    }
    return {**head, **given, "metadata": metadata} if metadata else {**head, **given}
