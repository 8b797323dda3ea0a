"""The request line that the API server reads certain Attributes out of: the inverse of attributes_of. Pure.

Source of the reading: staging/src/k8s.io/apiserver/pkg/endpoints/request/requestinfo.go.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from auditproof.kube.attributes import METHODS_OF_EVERY_VERB, is_selectable

if TYPE_CHECKING:
    from auditproof.kube.attributes import Attributes

_OWN_PARTS = ("", "status", "finalize")  # what may follow a Namespace object's name and still mean the object
_VERBS_IN_PATH = ("watch", "proxy")


def request_line(attributes: Attributes) -> tuple[str, str]:
    """Method and URI (path and query, escaped) of a request that has these attributes.

    An absent API version is taken for v1. ``attributes_of`` on the answer gives the attributes back, if any request has
    them at all; where that takes empty segments, the path has them. A name with ``list`` or ``watch`` becomes a field
    selector.
    """
    if not attributes.resource_request:
        return attributes.verb.upper(), attributes.path if attributes.path == "*" else quote(attributes.path)
    version = attributes.api_version or "v1"
    base = f"/apis/{attributes.api_group}/{version}" if attributes.api_group else f"/api/{version}"
    # The path contains the verb only where nothing else can express it.
    ambiguous = not attributes.namespace and attributes.resource in _VERBS_IN_PATH
    wanted = attributes.verb == "watch" and (attributes.subresource or ambiguous or not is_selectable(attributes.name))
    legacy = [attributes.verb] if wanted or attributes.verb == "proxy" else []
    selected = attributes.verb in ("list", "watch") and not legacy
    path = "/".join([base, *legacy, *(quote(part, safe="") for part in _segments(attributes, selected))])
    query = [] if legacy or attributes.verb != "watch" else ["watch=true"]
    if selected and attributes.name:
        escaped = re.sub(r"[\\,=]", r"\\\g<0>", attributes.name)  # EscapeValue in apimachinery's pkg/fields/selector.go
        query.append(f"fieldSelector={quote(f'metadata.name={escaped}', safe='')}")
    return METHODS_OF_EVERY_VERB[attributes.verb], f"{path}?{'&'.join(query)}" if query else path


def _segments(attributes: Attributes, selected: bool) -> list[str]:
    """What follows the version: namespace, resource, name and subresource."""
    namespace, resource, name = attributes.namespace, attributes.resource, "" if selected else attributes.name
    inner = [resource, name, attributes.subresource]
    while inner and not inner[-1]:
        inner.pop()
    inner = inner or ["", "", "", "nothing"]  # the server ignores the last one
    if namespace:
        own = resource == "namespaces" and namespace == name and attributes.subresource in _OWN_PARTS
        return inner if own else ["namespaces", namespace, *inner]
    named = resource == "namespaces" and len(inner) > 1  # it would be taken for a namespace
    verb = resource in _VERBS_IN_PATH and attributes.verb not in _VERBS_IN_PATH
    return ["namespaces", "", *inner] if named or verb else inner
