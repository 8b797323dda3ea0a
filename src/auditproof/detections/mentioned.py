"""What the policies of a space name, so that everything else is treated alike. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from auditproof.analysis.space import ResourceCell, Space
from auditproof.analysis.space.cells import SAME
from auditproof.analysis.space.streams import STREAMS

if TYPE_CHECKING:
    from auditproof.kube.discovery import Served


@dataclass(frozen=True, slots=True)
class Mentioned:
    """What the policies of a space name, so that everything else is treated alike."""

    users: frozenset[str]
    user_groups: frozenset[str]
    groups: frozenset[str]
    resources: frozenset[str]
    namespaces: frozenset[str]
    names: frozenset[str]
    other_namespace: str

    @staticmethod
    def of(space: Space) -> Mentioned:
        """What the rules of a space name."""
        rules = space.rules
        entries = [entry for rule in rules for entry in rule.resources]
        cells = [cell for some in space.cells.values() for cell in some if isinstance(cell, ResourceCell)]
        namespaces = frozenset(name for rule in rules for name in rule.namespaces)
        found = {name for cell in cells if cell.name != SAME for name in cell.namespaces if name} - namespaces
        known = [target for cell in cells for target in cell.targets if target.known]
        return Mentioned(
            frozenset(user for rule in rules for user in rule.users),
            frozenset(group for rule in rules for group in rule.user_groups),
            frozenset(entry.group for entry in entries) | {target.group for target in known},
            frozenset(target.resource for target in known),
            namespaces,
            frozenset(name for entry in entries for name in entry.resource_names),
            min(found, default=""),
        )


@lru_cache(maxsize=4)
def without_policy(served: Served) -> tuple[Space, Mentioned]:
    """The space of no policy, in which only watches and streams are told apart, and what it names."""
    space = Space.of(STREAMS, served)
    return space, Mentioned.of(space)
