"""The classes of requests that a policy and one requirement distinguish, and which of them violate it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from auditproof.analysis.fix.conditions import both
from auditproof.analysis.requirements.check import allows
from auditproof.analysis.requirements.requirement import Reference
from auditproof.analysis.space import Space
from auditproof.analysis.space.streams import STREAMS, emitted_by, streams_from
from auditproof.audit.decide import decided_by
from auditproof.audit.effect import effect_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from auditproof.analysis.requirements import Bound, Clause, Requirement
    from auditproof.analysis.space import Cell, Region
    from auditproof.audit.decide import Decision
    from auditproof.audit.effect import Effect
    from auditproof.audit.event import Stage
    from auditproof.audit.policy.load import Policy, PolicyRule
    from auditproof.kube.discovery import Served


@dataclass(frozen=True, slots=True)
class Judged:
    """A class of ordinary requests: the deciding rule, its decision, and the bound of the requirement, if it applies.

    ``wrong`` says whether it violates that, ``places`` are the rules that decide in the requirement's lists.
    ``matched`` is a bitmask of the rules of the space whose conditions the requests meet, apart from those on groups,
    which ``region`` may meet; ``asked`` is one of those whose conditions on verb and object they meet. ``broken`` are
    bounds of other requirements that they violate.
    """

    rule: int
    decision: Decision
    emitted: frozenset[Stage]
    bound: Bound | None
    wrong: bool
    places: tuple[int | None, ...]
    matched: int
    asked: int
    region: Region
    failed: bool
    cells: tuple[Cell, ...]
    broken: frozenset[Bound]

    def effect(self, decision: Decision | None = None) -> Effect:
        """What is recorded of it, or would be by another decision."""
        return effect_of(decision or self.decision, failed=self.failed)

    def is_fixed_by(self, decision: Decision) -> bool:
        """Whether another decision keeps the bound."""
        return self.bound is not None and allows(self.bound, decision, self.emitted)

    def keeps_bound(self, decision: Decision) -> bool:
        """Whether another decision violates no bound of the requirement, if it has one."""
        return self.bound is None or allows(self.bound, decision, self.emitted)

    def is_kept_by(self, decision: Decision) -> bool:
        """Whether another decision records the requests as they are recorded now."""
        return self.effect() == self.effect(decision)

    def is_improved_by(self, decision: Decision) -> bool:
        """Whether another decision is what other requirements want instead of the present one."""
        return bool(self.broken) and all(allows(bound, decision, self.emitted) for bound in self.broken)


@dataclass(frozen=True, slots=True, order=True)
class Piece:
    """Selects requests as a selector of a clause of the requirement does, and as a rule of its reference, if any."""

    clause: int
    reference: int  # -1 for none
    number: int


_Decided = tuple[tuple[int | None, ...], frozenset["Stage"]]  # the deciding rules of all lists, the stages reached


class JudgedRequests:
    """All classes of ordinary requests that a policy and a requirement distinguish.

    ``selected``: only of those whose verb and object the requirement selects.
    """

    def __init__(
        self,
        policy: Policy,
        requirement: Requirement,
        served: Served,
        others: Sequence[Requirement] = (),
        *,
        selected: bool = False,
    ) -> None:
        self._policy, self._requirement, self._others = policy, requirement, others
        rules: list[PolicyRule] = []
        lists: list[tuple[int, int]] = []
        for some in (policy.rules, *(own for one in (requirement, *others) for own in one.rule_lists)):
            lists.append((len(rules), len(rules) + len(some)))
            rules += some
        self._own = 1 + len(requirement.rule_lists)  # lists: of the policy, of the requirement, of others
        self._starts = [first for first, _ in lists[1 : self._own]]
        self._streams = streams_from(len(rules))
        self._decisions = [decided_by(policy, rule) for rule in (*policy.rules, None)]
        meeting = requirement.selecting(len(policy.rules)) if selected else -1
        space = Space.of([*rules, *STREAMS], served, meeting=meeting)
        self._wanted = space.identities.wanted
        self._outcomes = list(space.outcomes(*lists, ordinary=True))
        self._bounds: dict[_Decided, tuple[Bound | None, bool]] = {}
        self._broken_bounds: dict[_Decided, frozenset[Bound]] = {}

    def any_wrong(self) -> bool:
        """Whether some requests violate the requirement."""
        return any(self._bound(one.deciding[: self._own], emitted_by(one, self._streams))[1] for one in self._outcomes)

    @cached_property
    def all(self) -> list[Judged]:
        """Every class."""
        found = []
        for outcome in self._outcomes:
            emitted = emitted_by(outcome, self._streams)
            bound, wrong = self._bound(outcome.deciding[: self._own], emitted)
            first, *places = outcome.deciding[: self._own]
            found.append(
                Judged(
                    rule=len(self._policy.rules) if first is None else first,
                    decision=self._decided_by(first),
                    emitted=emitted,
                    bound=bound,
                    wrong=wrong,
                    places=tuple(places),
                    matched=outcome.cells[0].mask & outcome.identity.mask,
                    asked=outcome.cells[0].mask,
                    region=outcome.region,
                    failed=outcome.identity.failed,
                    cells=outcome.cells,
                    broken=self._broken(outcome.deciding, emitted),
                )
            )
        return found

    def _broken(self, deciding: tuple[int | None, ...], emitted: frozenset[Stage]) -> frozenset[Bound]:
        """The bounds of other requirements that the policy's decision violates."""
        key = deciding, emitted
        if key not in self._broken_bounds:
            decision = self._decided_by(deciding[0])
            places = deciding[self._own :]
            found: set[Bound] = set()
            for one in self._others:
                bound = one.bound_at(places[: len(one.rule_lists)], emitted)
                places = places[len(one.rule_lists) :]
                if bound is not None and not allows(bound, decision, emitted):
                    found.add(bound)
            self._broken_bounds[key] = frozenset(found)
        return self._broken_bounds[key]

    def _bound(self, deciding: tuple[int | None, ...], emitted: frozenset[Stage]) -> tuple[Bound | None, bool]:
        """The bound of requests, None if the requirement does not apply to them, and whether they violate it."""
        key = deciding, emitted
        if key not in self._bounds:
            bound = self._requirement.bound_at(deciding[1:], emitted)
            wrong = bound is not None and not allows(bound, self._decided_by(deciding[0]), emitted)
            self._bounds[key] = bound, wrong
        return self._bounds[key]

    def _decided_by(self, rule: int | None) -> Decision:
        return self._decisions[-1 if rule is None else rule]

    def pieces(self, some: Sequence[Judged]) -> list[Piece]:
        """What selects these requests, in the order in which it decides."""
        return sorted({piece for one in some for piece in self.pieces_of(one)})

    def pieces_of(self, one: Judged) -> Iterator[Piece]:
        """What selects a class of requests."""
        last = one.places[-1] if isinstance(self._requirement.bound, Reference) else None
        for number, (clause, place) in enumerate(zip(self._requirement.clauses, one.places, strict=False)):
            if place is not None and clause.selects_at(place, failed=one.failed):
                yield Piece(number, -1 if last is None else last, place - len(clause.excepted))

    def clause(self, piece: Piece) -> Clause:
        """The clause of a piece."""
        return self._requirement.clauses[piece.clause]

    def conditions(self, piece: Piece) -> PolicyRule | None:
        """The conditions of a piece as those of a rule; None if no request meets them. Raises Inexpressible."""
        selected = self.clause(piece).selected[piece.number]
        if not isinstance(self._requirement.bound, Reference) or piece.reference < 0:
            return selected
        return both(selected, self._requirement.bound.policy.rules[piece.reference])

    def meets(self, one: Judged, piece: Piece) -> bool:
        """Whether some of the requests meet the conditions of a piece."""
        numbers = [self._starts[piece.clause] + len(self.clause(piece).excepted) + piece.number]
        numbers += [self._starts[-1] + piece.reference] if piece.reference >= 0 else []
        return all(
            one.matched >> number & 1
            and (not self._wanted[number] or one.region.having(self._wanted[number]).possible())
            for number in numbers
        )
