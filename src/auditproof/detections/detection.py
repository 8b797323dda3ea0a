"""A detection rule as every reader returns it, and what could not be read. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.errors import AuditproofError

if TYPE_CHECKING:
    from auditproof.detections.condition import Condition
    from auditproof.errors import Position


@dataclass(frozen=True, slots=True)
class Detection:
    """A rule that reads audit events.

    ``steps`` are conditions of which each needs an event of its own, in most rules one. ``pack`` is the name of the
    set of rules it belongs to, ``position`` where it is written, ``tags`` as in the rule (``attack.t1609``), and
    ``remarks`` what was assumed in reading it. ``severity`` is the rule's own word.
    """

    id: str
    title: str
    pack: str
    steps: tuple[Condition, ...]
    position: Position
    severity: str = ""
    tags: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class NotRead:
    """A rule that could not be read in full, so that nothing is said about it, and the ``reason``."""

    id: str
    title: str
    pack: str
    position: Position
    reason: str


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of files and folders, in the order in which they were found.

    ``others`` counts the rules there that read something else than audit logs of Kubernetes.
    """

    detections: tuple[Detection, ...]
    not_read: tuple[NotRead, ...]
    others: int = 0

    def check_read(self) -> None:
        """Raise AuditproofError if a rule could not be read in full, for a caller who has to know of every rule."""
        if not self.not_read:
            return
        first, more = self.not_read[0], len(self.not_read) - 1
        others = f", and {more} more are not" if more else ""
        raise AuditproofError(
            f"{first.position}: {first.title or first.id} cannot be read in full{others}: {first.reason}"
        )
