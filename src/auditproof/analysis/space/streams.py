"""Rules that match the long-running requests (watches and streams), which alone have an event at ResponseStarted.

A space that has them among its rules tells such requests apart from all others.
Source: is_long_running in auditproof.kube.attributes.
"""

from __future__ import annotations

from dataclasses import replace

from auditproof.audit.event import Level
from auditproof.audit.policy.load import GroupResources, PolicyRule
from auditproof.errors import Position
from auditproof.kube.attributes import LONG_RUNNING_PATHS, LONG_RUNNING_SUBRESOURCES, LONG_RUNNING_VERBS

_NOWHERE = Position("", 1, 1)
_PARTS = tuple(f"*/{part}" for part in sorted(LONG_RUNNING_SUBRESOURCES))
_ANY = PolicyRule(0, Level.NONE, (), (), (), (), (), (), frozenset(), None, _NOWHERE)
STREAMS = (
    replace(_ANY, verbs=tuple(sorted(LONG_RUNNING_VERBS))),
    replace(_ANY, resources=(GroupResources("*", _PARTS, (), _NOWHERE),)),
    replace(_ANY, non_resource_urls=(f"{LONG_RUNNING_PATHS}*",)),
)
