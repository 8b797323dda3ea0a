"""The stages at which the API server emits events, before any is omitted.

Source: staging/src/k8s.io/apiserver/pkg/endpoints/filters/audit.go, authn_audit.go and request_deadline.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.audit.event import Stage
from auditproof.kube.attributes import is_long_running

if TYPE_CHECKING:
    from collections.abc import Iterable

    from auditproof.kube.attributes import Attributes

_IN_ORDER = tuple(Stage)
SHORT = frozenset({Stage.REQUEST_RECEIVED, Stage.RESPONSE_COMPLETE})
LONG = SHORT | {Stage.RESPONSE_STARTED}  # of watches and streams
FAILED = frozenset({Stage.RESPONSE_STARTED})  # of a failed authentication


def emitted_stages(attributes: Attributes, status: int) -> frozenset[Stage]:
    """Return the stages of a request with the HTTP response ``status``; a failed authentication has only one."""
    if attributes.user is None or status == 401:
        return FAILED
    return LONG if is_long_running(attributes) else SHORT


def in_order(stages: Iterable[Stage]) -> list[Stage]:
    """Return the stages in chronological order."""
    given = set(stages)
    return [stage for stage in _IN_ORDER if stage in given]
