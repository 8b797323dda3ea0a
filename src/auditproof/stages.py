"""Which stages the API server emits events at, before any is omitted.

Source: staging/src/k8s.io/apiserver/pkg/endpoints/filters/audit.go and authn_audit.go; what is long-running:
pkg/controlplane/apiserver/config.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.audit import Stage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from auditproof.attributes import Attributes

_LONG_RUNNING_VERBS = {"watch", "proxy"}
_LONG_RUNNING_SUBRESOURCES = {"attach", "exec", "proxy", "log", "portforward"}
_SHORT = frozenset({Stage.REQUEST_RECEIVED, Stage.RESPONSE_COMPLETE})
_LONG = _SHORT | {Stage.RESPONSE_STARTED}


def is_long_running(attributes: Attributes) -> bool:
    """Whether the server treats the request as long-running; only verb and path count, not the answer."""
    if not attributes.resource_request:
        return attributes.path.startswith("/debug/pprof/")
    return attributes.verb in _LONG_RUNNING_VERBS or attributes.subresource in _LONG_RUNNING_SUBRESOURCES


def emitted_stages(attributes: Attributes, status: int) -> frozenset[Stage]:
    """The stages of a request that was answered with HTTP ``status``; a failed authentication has but one."""
    if attributes.user is None or status == 401:
        return frozenset({Stage.RESPONSE_STARTED})
    return _LONG if is_long_running(attributes) else _SHORT


def in_order(stages: Iterable[Stage]) -> list[Stage]:
    """Stages in the order in which they happen."""
    given = set(stages)
    return [stage for stage in Stage if stage in given]
