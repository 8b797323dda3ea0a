"""What the API server looks at when it consults the policy.

``Attributes`` is its authorizer.Attributes reduced to what audit rules can see. ``request_info`` computes it from the
HTTP request line as RequestInfoFactory does (staging/src/k8s.io/apiserver/pkg/endpoints/request/requestinfo.go).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UserInfo:
    """An authenticated user as the API server sees it: all groups, those that it adds itself included."""

    name: str
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Attributes:
    """One request as the audit policy sees it; ``user`` is None after a failed authentication.

    A resource request has ``resource_request`` true and an empty ``path`` is allowed; a non-resource request has only
    verb (the lower-cased HTTP method) and ``path`` (without query, percent-decoded).
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
