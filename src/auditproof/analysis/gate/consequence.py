"""What a change of a policy does to what the log holds about one class of requests: lost, exposed, newly recorded."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from auditproof.audit.effect import WITH_BODIES
from auditproof.errors import AuditproofError
from auditproof.text.suggestion import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from auditproof.analysis.gate.bodies import Bodies
    from auditproof.audit.effect import Effect


class Consequence(StrEnum):
    """One way in which the log changes, worst first."""

    LOST_EVENTS = "lost-events"
    LOST_BODIES = "lost-bodies"
    LOST_STAGES = "lost-stages"
    EXPOSED = "exposed"
    MORE = "more"

    @property
    def text(self) -> str:
        """What happens to the requests of a class, as a clause."""
        return _TEXTS[self]


_TEXTS = {
    Consequence.LOST_EVENTS: "no longer recorded",
    Consequence.LOST_BODIES: "a body is no longer recorded",
    Consequence.LOST_STAGES: "a stage is no longer recorded",
    Consequence.EXPOSED: "a body that may hold a secret is now recorded",
    Consequence.MORE: "more is recorded",
}
LOST = frozenset({Consequence.LOST_EVENTS, Consequence.LOST_BODIES, Consequence.LOST_STAGES})
FORBIDDEN = LOST | {Consequence.EXPOSED}  # by default where a policy is compared with its base
GROUPS = {"lost": LOST, **{str(one): frozenset({one}) for one in Consequence}}


def consequences_named(names: Iterable[str]) -> frozenset[Consequence]:
    """The consequences that words such as ``lost`` (all three of them), ``lost-bodies`` or ``exposed`` stand for.

    Raises AuditproofError for another word.

    >>> from auditproof.analysis.gate import consequences_named
    >>> sorted(consequences_named(["lost"]))
    ['lost-bodies', 'lost-events', 'lost-stages']
    """
    found: set[Consequence] = set()
    for name in names:
        if name not in GROUPS:
            raise AuditproofError(f'unknown effect "{name}"{did_you_mean(name, GROUPS)} (one of {", ".join(GROUPS)})')
        found |= GROUPS[name]
    return frozenset(found)


class Relation(StrEnum):
    """How much a policy records, compared with the one before, over all requests."""

    EQUIVALENT = "equivalent"
    MORE = "records more"
    LESS = "records less"
    INCOMPARABLE = "incomparable"

    @staticmethod
    def of(*, gains: bool, loses: bool) -> Relation:
        """The relation of two policies, of which the new one records more of some requests, or less of some."""
        if gains and loses:
            return Relation.INCOMPARABLE
        return Relation.MORE if gains else Relation.LESS if loses else Relation.EQUIVALENT


def consequences(old: Effect, new: Effect, bodies: Bodies) -> frozenset[Consequence]:
    """What changes for requests with these ``bodies`` if they were recorded as ``old`` and are now as ``new``."""
    before, after = bodies.recorded(old), bodies.recorded(new)
    lost_events = old.recorded and not new.recorded
    happened = {
        Consequence.LOST_EVENTS: lost_events,
        Consequence.LOST_BODIES: not lost_events and bool(before - after),
        Consequence.LOST_STAGES: not lost_events and bool(old.stages - new.stages),
        Consequence.EXPOSED: bool((after - before) & bodies.secret),
        Consequence.MORE: gains(old, new),
    }
    return frozenset(one for one, holds in happened.items() if holds)


def gains(old: Effect, new: Effect) -> bool:
    """Whether events, a level, a stage or managedFields come to the log that were not in it."""
    fields = old.omit_managed_fields and not new.omit_managed_fields and new.level in WITH_BODIES
    return bool(new.stages - old.stages) or (new.recorded and new.level > old.level) or fields
