"""Odd requests: the values of a rule taken literally, as the API server takes them.

No object is called ``*``, yet ``GET /api/v1/namespaces/*/secrets`` is answered and recorded, a certificate may have the
common name ``*``, and ``PROPFIND /version`` has a verb. Such requests are in the space, so that its statements are
exact, but marked: no ordinary client sends them. A namespace, name, resource or subresource is any segment of a decoded
path; the verb of a path any HTTP method in lower case; a user or group any string that an issuer writes.
Source: NewRequestInfo in staging/src/k8s.io/apiserver/pkg/endpoints/request/requestinfo.go, and net/http of Go.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from auditproof.kube.attributes import is_selectable

if TYPE_CHECKING:
    from collections.abc import Collection

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_METHOD = re.compile(r"[-!#$%&'*+.^_`|~0-9a-z]+")  # a token of RFC 9110, in lower case


def segments(values: Collection[str]) -> list[str]:
    """The values that can be a segment of a URL path, without repetitions; a ``/`` splits segments, even if escaped."""
    return [value for value in dict.fromkeys(values) if value and "/" not in value]


def methods(verbs: Collection[str]) -> list[str]:
    """The values that can be an HTTP method in lower case, without repetitions."""
    return [verb for verb in dict.fromkeys(verbs) if _METHOD.fullmatch(verb)]


def is_label(name: str) -> bool:
    """Whether ``name`` is a DNS label, as a namespace's name must be."""
    return _LABEL.fullmatch(name) is not None


def is_subdomain(name: str) -> bool:
    """Whether ``name`` is a DNS subdomain, as a service account's name must be."""
    return _SUBDOMAIN.fullmatch(name) is not None


@cache
def is_odd_namespace(name: str) -> bool:
    """Whether ``name`` (not empty) is not a valid namespace name."""
    return not is_label(name)


@cache
def is_odd_name(name: str) -> bool:
    """Whether this is an unusual name for a user, a group, an object or a resource."""
    return not name.strip() or "*" in name or not name.isprintable() or not is_selectable(name) or name != name.strip()


def quoted(names: Collection[str]) -> list[str]:
    """Names in quotes, with invisible characters escaped."""
    return [
        '"' + name.encode("unicode_escape").decode() + '"' if not name.isprintable() else f'"{name}"' for name in names
    ]
