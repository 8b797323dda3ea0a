"""The edits of a draft with which it meets one requirement. Pure.

A rule that is inserted decides requests that would reach the rules behind it. So one with the conditions of the rule
that decides now, and those of the requirement, changes exactly the requests that are recorded wrong. What the
requirement excepts is kept by a copy of the deciding rule in front of it.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from auditproof.analysis.fix.accepted import accepted, is_accepted
from auditproof.analysis.fix.conditions import EVERYTHING, Inexpressible, both, joined, narrowed
from auditproof.analysis.fix.draft import is_leveled
from auditproof.analysis.fix.judged import JudgedRequests
from auditproof.analysis.fix.more import records_more
from auditproof.analysis.fix.target import target
from auditproof.analysis.space import ResourceCell
from auditproof.analysis.space.identities import AUTHENTICATED, UNAUTHENTICATED
from auditproof.audit.decide import decided_by
from auditproof.audit.event import Level

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditproof.analysis.fix.draft import Draft
    from auditproof.analysis.fix.judged import Judged, Piece
    from auditproof.analysis.fix.target import RuleTarget
    from auditproof.analysis.requirements import Requirement
    from auditproof.audit.decide import Decision
    from auditproof.audit.policy.load import PolicyRule
    from auditproof.kube.discovery import Served

ATTEMPTS = 6  # to edit for one requirement; what the last ones needed was undone for another requirement
EVERYBODY = (AUTHENTICATED, UNAUTHENTICATED)  # every request but a failed login has one of these groups


class Repair:
    """One step: edits of the draft, computed from its present rules."""

    def __init__(
        self,
        draft: Draft,
        requirement: Requirement,
        served: Served,
        *,
        others: Sequence[Requirement] = (),
        allow_more: bool = False,
    ) -> None:
        """``others`` are requirements to meet as well; ``allow_more``: a rule may record more than is asked for."""
        self._allow_more = allow_more
        self._draft, self._requirement, self._served, self._others = draft, requirement, served, others
        self._policy = draft.policy()

    def done(self) -> bool:
        """Edit the draft once, for all violations that there are; False if there is none.

        Raises Inexpressible if rules cannot do that, or if repeated edits have not helped.
        """
        # All other requests, and what other requirements make of them, cost much and are seldom needed.
        if not JudgedRequests(self._policy, self._requirement, self._served, selected=True).any_wrong():
            return False
        wrong = [one for one in self._requests.all if one.wrong]
        self._draft.repaired[self._requirement.id] += 1
        if self._draft.repaired[self._requirement.id] > ATTEMPTS:
            raise Inexpressible("what it needs is undone by what another requirement needs")
        deciding = sorted({one.rule for one in wrong}, reverse=True)  # from the last one, so that places stay valid
        rules = self._at_once(wrong) if len(deciding) > 1 else None
        if rules is not None and len(rules) < len(deciding) and all(is_accepted(one, self._served) for one in rules):
            self._draft.insert(deciding[-1], rules, self._requirement)
            return True
        for place in deciding:
            self._repair(place, [one for one in wrong if one.rule == place])
        return True

    @cached_property
    def _requests(self) -> JudgedRequests:
        return JudgedRequests(self._policy, self._requirement, self._served, self._others)

    def _at_once(self, wrong: list[Judged]) -> list[PolicyRule] | None:
        """Rules in front of all that decide wrong, if they change nothing else; None if there are none.

        Nor if another rule would have no request left to decide.
        """
        requests = self._requests
        pieces = requests.pieces(wrong)
        rules = [
            self._made(conditions, [one for one in wrong if piece in requests.pieces_of(one)])
            for piece in pieces
            if (conditions := requests.conditions(piece)) is not None
        ]
        if len({(rule.level, rule.omit_stages, rule.omit_managed_fields) for rule in rules}) != 1:
            return None
        decision = decided_by(self._policy, rules[0])
        first = min(one.rule for one in wrong)
        left = {one.rule for one in requests.all if one.rule < first}
        for one in requests.all:
            if one.rule < first:
                continue
            if not any(requests.meets(one, piece) for piece in pieces):
                left.add(one.rule)
            elif not one.failed and not self._is_served_by(decision, one):
                return None
        return None if {one.rule for one in requests.all} - left else joined(rules)

    def _is_served_by(self, decision: Decision, one: Judged) -> bool:
        """Whether ``decision`` may be in the place of the present one, for this requirement and for others."""
        if one.wrong:
            return one.is_fixed_by(decision)
        if one.is_kept_by(decision) or one.is_improved_by(decision):
            return True
        return self._allow_more and records_more(one.effect(decision), one.effect()) and one.keeps_bound(decision)

    def _repair(self, place: int, wrong: list[Judged]) -> None:
        """Give the rule at ``place`` another level, or insert rules that decide in front of it."""
        rule = self._policy.rules[place] if place < len(self._policy.rules) else EVERYTHING
        others = [one for one in self._requests.all if one.rule == place and not one.wrong and not one.failed]
        leveled = self._target(wrong).of(rule)
        if place < len(self._policy.rules) and is_leveled(leveled, rule):
            kept = self._kept(rule, others, decided_by(self._policy, leveled))
            if kept is not None:
                self._draft.replace(place, leveled, self._requirement)
                self._draft.insert(place, kept, self._requirement)
                return
        new: list[PolicyRule] = []
        for piece in self._requests.pieces(wrong):
            mine = [one for one in wrong if piece in self._requests.pieces_of(one)]
            try:
                new += self._narrow(place, rule, piece, mine, others)
            except Inexpressible:
                if (wide := self._wide(place, rule, piece, mine)) is None:
                    raise
                new += wide
        self._draft.insert(place, joined(new), self._requirement)

    def _narrow(
        self, place: int, rule: PolicyRule, piece: Piece, wrong: list[Judged], others: list[Judged]
    ) -> list[PolicyRule]:
        """Rules for what both ``piece`` and ``rule`` match. Raises Inexpressible."""
        selected = self._requests.conditions(piece)
        conditions = None if selected is None else both(selected, rule)
        if conditions is None:
            return []
        made = self._made(conditions, wrong)
        if made.user_groups == EVERYBODY and made.level is not Level.NONE:
            made = replace(made, user_groups=())  # failed logins go with them
        met = [one for one in others if self._requests.meets(one, piece)]
        kept = self._kept(rule, met, decided_by(self._policy, made), piece)
        if kept is None:
            raise Inexpressible(f"{self._draft.name_of(place)} also decides requests that it does not apply to")
        return [*kept, *accepted(made, rule, self._served)]

    def _wide(self, place: int, rule: PolicyRule, piece: Piece, wrong: list[Judged]) -> list[PolicyRule] | None:
        """Rules for users of whom no rule can say that ``rule`` matches them; None if these change anything else.

        Others of whom the requirement speaks are caught as well, so they have to be recorded as they are now.
        """
        selected = self._requests.conditions(piece)
        conditions = None if selected is None else both(selected, replace(rule, users=(), user_groups=()))
        if conditions is None:
            return []
        caught = [
            one
            for one in self._requests.all
            if one.rule >= place and not one.failed and one.asked >> place & 1 and self._requests.meets(one, piece)
        ]
        others = [one for one in caught if one.rule == place and not one.wrong]
        later = [one for one in caught if one.rule > place and not one.wrong]
        for made in (self._made(conditions, wrong), *(_recording(conditions, one.decision) for one in later[:1])):
            decision = decided_by(self._policy, made)
            if not all(one.is_fixed_by(decision) for one in caught if one.wrong):
                continue
            if not all(one.is_kept_by(decision) for one in later):
                continue
            kept = self._kept(rule, others, decision, piece)
            if kept is not None:
                return [*kept, *accepted(made, rule, self._served)]
        return None

    def _made(self, conditions: PolicyRule, wrong: list[Judged]) -> PolicyRule:
        """A rule with these conditions, as narrow as these requests allow, that records them as required."""
        cells = [cell for one in wrong for cell in one.cells if cell.served]
        verbs = {verb for cell in cells for verb in cell.verbs}
        targets = {one for cell in cells if isinstance(cell, ResourceCell) for one in cell.targets}
        return self._target(wrong).of(narrowed(conditions, verbs, targets))

    def _target(self, wrong: list[Judged]) -> RuleTarget:
        return target(wrong, self._policy.omit_stages, self._draft.usually_omitted())

    def _kept(
        self, rule: PolicyRule, others: Sequence[Judged], decision: Decision, piece: Piece | None = None
    ) -> list[PolicyRule] | None:
        """Copies of ``rule`` for what ``decision`` changes of ``others``; None if the requirement does not except it.

        They may match more than these: whatever else they match, ``rule`` decides as well.
        """
        changed = [one for one in others if not one.is_kept_by(decision)]
        if piece is not None and self._requests.clause(piece).failed:
            return [replace(rule, user_groups=EVERYBODY)] if changed else []
        exceptions: dict[PolicyRule, None] = {}
        for one in changed:
            found = [
                clause.excepted[place]
                for clause, place in zip(self._requirement.clauses, one.places, strict=False)
                if place is not None and place < len(clause.excepted)
            ]
            if not found:
                return None
            exceptions[found[0]] = None
        copies = (both(rule, exception) for exception in exceptions)
        return joined(one for copy in copies if copy is not None for one in accepted(copy, copy, self._served))


def _recording(conditions: PolicyRule, decision: Decision) -> PolicyRule:
    """A rule with these conditions that decides as another one does."""
    rule = decision.rule
    stages, fields = (rule.omit_stages, rule.omit_managed_fields) if rule else (frozenset(), None)
    return replace(conditions, level=decision.level, omit_stages=stages, omit_managed_fields=fields)
