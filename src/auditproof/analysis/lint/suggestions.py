"""What somebody may have meant: resources, groups and verbs that are close to what is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.text.suggestion import closest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from auditproof.kube.discovery import Served

CLOSE = 0.75


def close(text: str, known: Iterable[str], cutoff: float = CLOSE) -> str:
    """The known text that is closest to ``text``, whatever the case; empty where none is close."""
    return closest(text, known, cutoff=cutoff, ignore_case=True) or ""


def full_name(resource: str, group: str) -> str:
    """As kubectl would write it: ``deployments.apps/scale``."""
    main, slash, sub = resource.partition("/")
    return f"{main}.{group}{slash}{sub}" if group else resource


def groups_with(served: Served, pattern: str) -> list[str]:
    """The API groups that serve exactly this resource."""
    return [entry.group for entry in served.resources if entry.full_name == pattern]


def resource_like(served: Served, pattern: str, group: str) -> tuple[str, str]:
    """Resource and group that may be meant by ``pattern``: in its own group first, then in any; empty if none is."""
    own = [entry.full_name for entry in served.resources if group in (entry.group, "*")]
    for wanted in (pattern, f"{pattern}s", f"{pattern}es", f"{pattern.removesuffix('y')}ies"):
        if wanted.lower() in own:
            return wanted.lower(), group
    for wanted in (pattern.lower(), f"{pattern}s".lower(), f"{pattern}es".lower()):
        if others := groups_with(served, wanted):
            return wanted, others[0]
    return close(pattern, own), group
