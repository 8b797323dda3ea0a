"""What the API server looks at when it consults the policy.

``Attributes`` is its authorizer.Attributes reduced to what audit rules can see. ``request_info`` computes it from the
HTTP request line as RequestInfoFactory does (staging/src/k8s.io/apiserver/pkg/endpoints/request/requestinfo.go).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import parse_qs, unquote


@dataclass(frozen=True, slots=True)
class UserInfo:
    """An authenticated user as the API server sees it: ``groups`` include those that it adds itself.

    >>> from auditproof import UserInfo
    >>> UserInfo("alice", ("developers", "system:authenticated")).name
    'alice'
    """

    name: str
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Attributes:
    """One request as the audit policy sees it; ``user`` is None after a failed authentication.

    A resource request has ``resource_request`` true and an empty ``path`` is allowed; a non-resource request has only
    verb (the lower-cased HTTP method) and ``path`` (without query, percent-decoded).

    >>> from auditproof import Attributes, UserInfo
    >>> Attributes(UserInfo("alice"), "get", path="/healthz", resource_request=False).resource
    ''
    """

    user: UserInfo | None
    verb: str
    namespace: str = ""
    api_group: str = ""
    api_version: str = ""
    resource: str = ""
    subresource: str = ""
    name: str = ""
    path: str = ""
    resource_request: bool = True

    def __str__(self) -> str:
        """One line, e.g. ``get pods/log web in namespace shop by alice (dev, system:authenticated)``."""
        if self.resource_request:
            plural = f"{self.resource}.{self.api_group}" if self.api_group else self.resource
            what = f"{plural}/{self.subresource}" if self.subresource else plural
            what += f" {self.name}" if self.name else ""
            what += f" in namespace {self.namespace}" if self.namespace else ""
        else:
            what = self.path
        if self.user is None:
            return f"{self.verb} {what} after a failed authentication"
        return f"{self.verb} {what} by {self.user.name or 'a user'} ({', '.join(self.user.groups) or 'in no group'})"


class NotAudited(ValueError):
    """The API server cannot parse this path: it returns 500 before it consults the policy, and records nothing."""


# Request verbs and the HTTP methods by which clients ask for them. A GET of a collection is a list or a watch, a DELETE
# of one a deletecollection; verbs of the path (proxy) go with any method, and any other method has the verb "".
METHODS = {
    "get": "GET",
    "list": "GET",
    "watch": "GET",
    "create": "POST",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
    "deletecollection": "DELETE",
}
METHODS_OF_EVERY_VERB = {**METHODS, "proxy": "GET", "": "OPTIONS"}
_VERBS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_LEGACY_VERBS = {"watch", "proxy"}
_NAMESPACE_SUBRESOURCES = {"status", "finalize"}
_UNSAFE_NAME = ("/", "%")
_TERM = re.compile(r"(?:[^\\,]|\\.|\\\Z)+", re.DOTALL)  # of a field selector; a backslash escapes a comma
_OPERATION = re.compile(r"(.*?)(!=|==|=)((?:[^\\,=]|\\[\\,=])*)", re.DOTALL)
LONG_RUNNING_VERBS = {"watch", "proxy"}
LONG_RUNNING_SUBRESOURCES = {"attach", "exec", "proxy", "log", "portforward"}
LONG_RUNNING_PATHS = "/debug/pprof/"
_DURATION = re.compile(r"[-+]?(0|((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)", re.ASCII)  # time.ParseDuration of Go


def attributes_of(method: str, uri: str, user: UserInfo | None) -> Attributes:
    """Return what the audit policy sees of a request; ``uri`` is path and query as they are sent.

    >>> from auditproof import attributes_of
    >>> attributes = attributes_of("POST", "/api/v1/namespaces/shop/pods/web/exec?command=sh", None)
    >>> attributes.verb, attributes.resource, attributes.subresource, attributes.name
    ('create', 'pods', 'exec', 'web')

    Source: RequestInfoFactory.NewRequestInfo in staging/src/k8s.io/apiserver/pkg/endpoints/request/requestinfo.go.
    A ``timeout`` that is no duration is refused before anybody is authenticated, so that there is no user
    (pkg/endpoints/filters/request_deadline.go), but not where a request is long-running.
    Raises NotAudited where the API server cannot parse the path.
    """
    found = _attributes_of(method, uri, user)
    query = uri.partition("?")[2]
    named = "timeout" in query or "%" in query  # it may be escaped
    timeout = parse_qs(query).get("timeout", [""])[0] if named else ""
    refused = timeout and _DURATION.fullmatch(timeout) is None and not is_long_running(found)
    return replace(found, user=None) if refused else found


def is_long_running(attributes: Attributes) -> bool:
    """Return whether the server treats the request as long-running; only verb and path count, not the response.

    A verb counts on any path: the HTTP method PROXY on /metrics is long-running.
    Source: BuildGenericConfig in pkg/controlplane/apiserver/config.go, BasicLongRunningRequestCheck in
    staging/src/k8s.io/apiserver/pkg/server/filters/longrunning.go.
    """
    if attributes.verb in LONG_RUNNING_VERBS:
        return True
    if attributes.resource_request:
        return attributes.subresource in LONG_RUNNING_SUBRESOURCES
    return attributes.path.startswith(LONG_RUNNING_PATHS)


def _attributes_of(method: str, uri: str, user: UserInfo | None) -> Attributes:
    raw_path, _, query = uri.partition("?")
    path = unquote(raw_path)
    parts = path.strip("/").split("/") if path.strip("/") else []
    # A path of the discovery, such as /apis/apps/v1, names no resource.
    if len(parts) < 3 or parts[0] not in ("api", "apis") or (parts[0] == "apis" and len(parts) < 4):
        return Attributes(user, method.lower(), path=path, resource_request=False)
    group, parts = (parts[1], parts[2:]) if parts[0] == "apis" else ("", parts[1:])
    return _resource_attributes(method, parts, query, Attributes(user, "", api_group=group, path=path))


def _resource_attributes(method: str, parts: list[str], query: str, base: Attributes) -> Attributes:
    version, parts = parts[0], parts[1:]
    verb = _VERBS.get(method, "")
    # The old paths name the verb: /api/v1/watch/pods, /api/v1/proxy/nodes/NAME.
    if parts[0] in _LEGACY_VERBS:
        if len(parts) < 2:
            raise NotAudited(f"unable to determine kind and namespace from url: {base.path}")
        verb, parts = parts[0], parts[1:]
    namespace, parts = _namespace(parts)
    resource = parts[0]
    name = parts[1] if len(parts) > 1 else ""
    # After a proxied object, everything is the path of the proxied server (specialVerbsNoSubresources).
    subresource = parts[2] if len(parts) > 2 and verb != "proxy" else ""
    if not name and verb == "get":
        verb, name = _list_or_watch(query)
    elif not name and verb == "delete":
        verb = "deletecollection"
    return Attributes(base.user, verb, namespace, base.api_group, version, resource, subresource, name, base.path)


def _namespace(parts: list[str]) -> tuple[str, list[str]]:
    """The namespace, and what is left; an operation on a Namespace object keeps its parts."""
    if parts[0] != "namespaces" or len(parts) < 2:
        return "", parts
    # /namespaces/NAME/status is a subresource of the Namespace, and no resource in it.
    inner = parts[2:] if len(parts) > 2 and parts[2] not in _NAMESPACE_SUBRESOURCES else parts
    return parts[1], inner


def _list_or_watch(query: str) -> tuple[str, str]:
    """Verb and name of a GET on a collection, out of its list options."""
    if not query:
        return "list", ""
    options = parse_qs(query, keep_blank_values=True)
    # Any other value, even none, means true (Convert_Slice_string_To_bool in apimachinery pkg/runtime/conversion.go).
    watch = "watch" in options and options["watch"][0].lower() not in ("0", "false")
    # Where the server cannot decode the list options, it takes none but watch from them.
    numbers = (options[key][0] for key in ("limit", "timeoutSeconds") if key in options)
    decodable = all(re.fullmatch(r"[-+]?[0-9]+", number) for number in numbers if number)
    return "watch" if watch else "list", _selected_name(options) if decodable else ""


def _selected_name(options: dict[str, list[str]]) -> str:
    """The object name that a field selector pins exactly, or an empty text.

    Source: ParseSelector and RequiresExactMatch in staging/src/k8s.io/apimachinery/pkg/fields/selector.go.
    """
    # Sorted as by parseSelector, so that the same term comes first.
    terms = [_term(term) for term in sorted(_TERM.findall(options.get("fieldSelector", [""])[0])) if term]
    if None in terms:
        return ""  # the selector cannot be parsed
    names = (term[2] for term in terms if term and term[0] == "metadata.name" and term[1] != "!=")
    name = next(names, "")
    return name if is_selectable(name) else ""


def is_selectable(name: str) -> bool:
    """Whether a field selector can pin this name (IsPathSegmentName in apimachinery's pkg/api/validate/content)."""
    return name not in (".", "..") and not any(mark in name for mark in _UNSAFE_NAME)


def _term(term: str) -> tuple[str, str, str] | None:
    """Field, operator and value of a selector's term; None where it is none, or its value is not well escaped."""
    found = _OPERATION.fullmatch(term)
    return (found[1], found[2], re.sub(r"\\(.)", r"\1", found[3])) if found else None
