"""Rules that match the long-running requests (watches and streams), which alone have an event at ResponseStarted.

A space that has them among its rules distinguishes such requests from all others.
Source: is_long_running in auditproof.kube.attributes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.audit.policy.load import NOWHERE, GroupResources, selector
from auditproof.audit.stages import FAILED, LONG, SHORT
from auditproof.kube.attributes import LONG_RUNNING_PATHS, LONG_RUNNING_SUBRESOURCES, LONG_RUNNING_VERBS

if TYPE_CHECKING:
    from auditproof.analysis.space.space import ClassDecision
    from auditproof.audit.event import Stage

_PARTS = tuple(f"*/{part}" for part in sorted(LONG_RUNNING_SUBRESOURCES))
STREAMS = (
    selector(verbs=tuple(sorted(LONG_RUNNING_VERBS))),
    selector(resources=(GroupResources("*", _PARTS, (), NOWHERE),)),
    selector(non_resource_urls=(f"{LONG_RUNNING_PATHS}*",)),
)


def streams_from(first: int) -> int:
    """The mask of STREAMS in a space in which they begin at the rule ``first``."""
    return ((1 << len(STREAMS)) - 1) << first


def emitted_by(outcome: ClassDecision, streams: int) -> frozenset[Stage]:
    """The stages of the requests of an outcome before any is omitted; ``streams`` is the mask of STREAMS."""
    if outcome.identity.failed:
        return FAILED
    return LONG if outcome.cells[0].mask & streams else SHORT
