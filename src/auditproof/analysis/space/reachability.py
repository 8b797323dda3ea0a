"""Which rules are reached, each with a request that reaches it: the witness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.analysis.space.space import Space

if TYPE_CHECKING:
    from auditproof.analysis.space.space import ClassDecision
    from auditproof.audit.policy.load import Policy
    from auditproof.kube.attributes import Attributes
    from auditproof.kube.discovery import Served


@dataclass(frozen=True, slots=True)
class Witness:
    """A concrete request of a class.

    ``served``: ordinary clients send it and the server serves it; ``honest``: its credential has no odd name or group,
    and none that only the server assigns.
    """

    attributes: Attributes
    served: bool
    honest: bool

    @property
    def ordinary(self) -> bool:
        """Whether an ordinary client might send it."""
        return self.served and self.honest


def reachable(policy: Policy, served: Served) -> dict[int | None, Witness]:
    """The most ordinary request that each rule decides, by rule index; None is no rule. Unreached rules are absent."""
    space = Space.of(policy.rules, served)
    best: dict[int | None, ClassDecision] = {}
    for outcome in space.outcomes():
        known = best.get(outcome.deciding[0])
        if known is None or outcome.oddness < known.oddness:
            best[outcome.deciding[0]] = outcome
    return {rule: witness_of(space, outcome) for rule, outcome in best.items()}


def witness_of(space: Space, outcome: ClassDecision) -> Witness:
    """One request of the outcome."""
    cell = outcome.cells[0]
    return Witness(cell.attributes(space.user(outcome)), cell.served, outcome.identity.honest)
