"""Finds inserted rules that nothing needs: without them, every requirement is met and nothing else changes. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.analysis.fix.more import records_more
from auditproof.analysis.requirements.check import allows
from auditproof.analysis.space import Space
from auditproof.analysis.space.identities import AUTHENTICATED
from auditproof.analysis.space.streams import STREAMS, emitted_by, streams_from
from auditproof.audit.decide import decided_by
from auditproof.audit.effect import effect_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from auditproof.analysis.requirements import Bound, Requirement
    from auditproof.analysis.space import ClassDecision, Region
    from auditproof.audit.decide import Decision
    from auditproof.audit.event import Stage
    from auditproof.audit.policy.load import Policy, PolicyRule
    from auditproof.kube.discovery import Served

# The components of the control plane and their groups, besides those that no rule names. Sources: the certificates in
# cmd/kubeadm/app/phases/certs/certlist.go and the loopback client in pkg/server/options/serving_with_loopback.go.
OWN_GROUPS = {
    "system:apiserver": {AUTHENTICATED, "system:masters"},
    "system:kube-controller-manager": {AUTHENTICATED},
    "system:kube-scheduler": {AUTHENTICATED},
}


@dataclass(frozen=True, slots=True)
class _Class:
    """Ordinary requests: how the old policy decides, the bounds of the requirements, and which new rules may match."""

    old: Decision
    bounds: frozenset[Bound]
    emitted: frozenset[Stage]
    matched: int
    region: Region
    failed: bool
    issued: bool


def unneeded(
    old: Policy,
    new: Policy,
    inserted: Collection[int],
    requirements: Sequence[Requirement],
    served: Served,
    *,
    allow_more: bool = False,
) -> frozenset[int]:
    """Those of the rules ``inserted`` into ``new`` (by index) that can be left out all together.

    Then every requirement that ``new`` meets is still met, and no request of a credential that an issuer issues is
    recorded in another way than by ``old`` or by ``new``; with ``allow_more``, or records more than by ``old``, but no
    more bodies.
    """
    pruning = _Pruning(old, new, requirements, served, allow_more=allow_more)
    dropped: set[int] = set()
    for number in sorted(inserted, reverse=True):
        if pruning.may_drop(number, dropped):
            dropped.add(number)
    return frozenset(dropped)


class _Pruning:
    """The space of both policies and all requirements."""

    def __init__(
        self, old: Policy, new: Policy, requirements: Sequence[Requirement], served: Served, *, allow_more: bool
    ) -> None:
        self._new, self._allow_more = new, allow_more
        rules: list[PolicyRule] = []
        lists: list[tuple[int, int]] = []
        for some in (new.rules, old.rules, *(own for one in requirements for own in one.rule_lists)):
            lists.append((len(rules), len(rules) + len(some)))
            rules += some
        streams = streams_from(len(rules))
        self._space = Space.of([*rules, *STREAMS], served)
        self._decisions = [decided_by(new, rule) for rule in new.rules]
        self._nothing = decided_by(new, None)
        known: dict[_Class, None] = {}
        for outcome in self._space.outcomes(*lists[1:], ordinary=True):
            first, *places = outcome.deciding
            emitted = emitted_by(outcome, streams)
            bounds = []
            for one in requirements:
                count = len(one.rule_lists)
                bounds.append(one.bound_at(places[:count], emitted))
                places = places[count:]
            mask = outcome.cells[0].mask & outcome.identity.mask & ((1 << len(new.rules)) - 1)
            found = frozenset(bound for bound in bounds if bound is not None)
            before = decided_by(old, old.rule_at(first))
            region, failed, issued = outcome.region, outcome.identity.failed, self._is_issued(outcome)
            known[_Class(before, found, emitted, mask, region, failed, issued)] = None
        self._classes = list(known)

    def may_drop(self, number: int, dropped: Collection[int]) -> bool:
        """Whether the rules do as well without this one, if ``dropped`` are left out already."""
        bit, out = 1 << number, sum(1 << one for one in dropped)
        for one in self._classes:
            if not one.matched & bit:
                continue
            left, without = one.matched & ~out, one.matched & ~out & ~bit
            for first, region in self._space.first_matches(left, one.region, (0, len(self._new.rules))):
                if first == number:
                    for rule, _ in self._space.first_matches(without, region, (number, len(self._new.rules))):
                        decision = self._nothing if rule is None else self._decisions[number + rule]
                        if not self._is_as_good(one, self._decisions[number], decision):
                            return False
        return True

    def _is_issued(self, outcome: ClassDecision) -> bool:
        """Whether an issuer issues such a credential: components of the control plane are in no group of others."""
        own = [OWN_GROUPS.get(name) for name in outcome.identity.names]
        wanted = [set(self._space.identities.names_of(hit)) for hit in outcome.region.hits]
        return any(groups is None or all(some & groups for some in wanted) for groups in own or [None])

    def _is_as_good(self, one: _Class, decision: Decision, other: Decision) -> bool:
        """Whether another decision keeps the bounds that this one keeps, and changes nothing more."""
        for bound in one.bounds:
            if allows(bound, decision, one.emitted) and not allows(bound, other, one.emitted):
                return False
        effect, before = effect_of(other, failed=one.failed), effect_of(one.old, failed=one.failed)
        if one.failed or not one.issued or effect in (before, effect_of(decision, failed=one.failed)):
            return True
        return self._allow_more and records_more(effect, before)
