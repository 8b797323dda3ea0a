"""fix(policy, requirements, served): a small edit of the rules with which the policy meets the requirements. Pure.

A rule that is inserted decides requests that would reach the rules behind it. So one with the conditions of the rule
that decides now, and those of the requirement, changes exactly the requests that are recorded wrong. What the
requirement excepts is kept by a copy of the deciding rule in front of it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING

from auditproof.analysis.fix.conditions import ANY, EVERYTHING, Inexpressible, both, joined, narrowed
from auditproof.analysis.fix.prune import unneeded
from auditproof.analysis.requirements.check import allows
from auditproof.analysis.requirements.requirement import Reference
from auditproof.analysis.space import ResourceCell, Space, reachable
from auditproof.analysis.space.cells import SERVED
from auditproof.analysis.space.identities import AUTHENTICATED, UNAUTHENTICATED
from auditproof.analysis.space.streams import STREAMS, emitted_by, streams_from
from auditproof.audit.decide import decided_by, matches_pattern
from auditproof.audit.effect import effect_of
from auditproof.audit.event import Level, Stage
from auditproof.audit.stages import in_order
from auditproof.kube.versions import version_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from auditproof.analysis.requirements import Bound, Clause, Requirement
    from auditproof.analysis.space import Cell, Region
    from auditproof.audit.decide import Decision
    from auditproof.audit.effect import Effect
    from auditproof.audit.policy.load import GroupResources, Policy, PolicyRule
    from auditproof.kube.discovery import Served

FEW = 3  # new rules; for more of them, another order is worth trying
LONG = 100  # rules of a policy for which that takes too long
ROUNDS = 3  # an edit for one requirement may leave another one unmet
EVERYBODY = (AUTHENTICATED, UNAUTHENTICATED)  # whoever is not a failed login has one of these groups


@dataclass(frozen=True, slots=True)
class Inserted:
    """New rules in front of the policy's rule with the index ``before``; the number of rules means: at the end."""

    before: int
    rules: tuple[PolicyRule, ...]
    requirement: Requirement


@dataclass(frozen=True, slots=True)
class Leveled:
    """The policy's rule with the index ``rule`` gets another level, and these ``omit_stages`` if it has none yet."""

    rule: int
    level: Level
    omit_stages: frozenset[Stage]
    requirement: Requirement


@dataclass(frozen=True, slots=True)
class Removed:
    """The policy's rule with the index ``rule`` goes: new rules in front of it decide all its requests."""

    rule: int


Edit = Inserted | Leveled | Removed


@dataclass(frozen=True, slots=True)
class Fix:
    """Edits, the policy with them, and why requirements are still unmet."""

    edits: tuple[Edit, ...]
    policy: Policy
    unmet: tuple[tuple[Requirement, str], ...]

    @property
    def size(self) -> int:
        """The number of rules that are new, changed or removed."""
        return sum(len(edit.rules) if isinstance(edit, Inserted) else 1 for edit in self.edits)


def fix(
    policy: Policy,
    requirements: Sequence[Requirement],
    served: Served,
    progress: Callable[[str], None] = lambda _: None,
) -> Fix:
    """Compute edits of ``policy`` with which it meets ``requirements``, on an API server that serves ``served``.

    An edit changes what is recorded of requests that violate a requirement, and of nothing else; failed logins with the
    same verb and object go with them, as they match the same rules unless these name users or groups. ``progress`` is
    called with a line of text from time to time. The requirements must not contradict each other.

    >>> from auditproof import load_policy, load_requirements, load_served
    >>> from auditproof.analysis.fix import fix
    >>> policy = load_policy("fixtures/policies/nothing.yaml")
    >>> found = fix(policy, load_requirements("cis").requirements, load_served("1.37"))
    >>> bool(found.edits), found.unmet
    (True, ())
    """
    found = _in_turn(policy, requirements, served, progress)
    if found.unmet or (found.size > FEW and len(policy.rules) <= LONG):
        # Failed logins match rules for everybody, so a rule for them has to be behind all others; and what one
        # requirement needs may be in the way of another one.
        late = [one for one, _ in found.unmet]
        first = [one for one in requirements if any(clause.failed for clause in one.clauses) or one in late]
        other = _in_turn(policy, [*first, *(one for one in requirements if one not in first)], served, progress)
        found = min(found, other, key=lambda one: (len(one.unmet), one.size))
    return found


def _in_turn(
    policy: Policy, requirements: Sequence[Requirement], served: Served, progress: Callable[[str], None]
) -> Fix:
    """The edits for one requirement after the other."""
    draft = _Draft(policy)
    unmet: dict[str, tuple[Requirement, str]] = {}
    for _ in range(ROUNDS):
        edited = False
        for number, requirement in enumerate(requirements, 1):
            progress(f"{number} of {len(requirements)} requirements: {requirement.id}")
            unmet.pop(requirement.id, None)
            try:
                while _Repair(draft, requirement, served).done():
                    edited = True
            except Inexpressible as reason:
                unmet[requirement.id] = requirement, str(reason)
        if not edited:
            break
    progress("leaving out what is not needed")
    draft.drop(unneeded(policy, draft.policy(), draft.inserted(), requirements, served))
    draft.absorb()
    if draft.inserted():
        draft.remove_dead(reachable(policy, served).keys(), reachable(draft.policy(), served).keys())
    return Fix(tuple(draft.edits()), draft.policy(), tuple(unmet.values()))


@dataclass(slots=True)
class _Slot:
    """A rule of the draft: ``original`` is its index in the policy, None for a new one; ``by`` made or changed it."""

    rule: PolicyRule
    original: int | None
    by: Requirement | None = None


class _Draft:
    """The rules while they are edited; ``repaired`` counts the edits for each requirement."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.slots = [_Slot(rule, rule.index) for rule in policy.rules]
        self.repaired = Counter[str]()

    def policy(self) -> Policy:
        """The policy with the edits so far."""
        return replace(self._policy, rules=tuple(replace(one.rule, index=n) for n, one in enumerate(self.slots)))

    def insert(self, place: int, rules: Iterable[PolicyRule], by: Requirement) -> None:
        """Put new rules in front of the one at ``place``."""
        self.slots[place:place] = [_Slot(rule, None, by) for rule in rules]

    def inserted(self) -> list[int]:
        """The places of the new rules."""
        return [place for place, slot in enumerate(self.slots) if slot.original is None]

    def drop(self, places: Collection[int]) -> None:
        """Take rules out."""
        self.slots = [slot for place, slot in enumerate(self.slots) if place not in places]

    def absorb(self) -> None:
        """Give a rule another level, instead of a new one in front of it that matches the same."""
        slots: list[_Slot] = []
        for slot in self.slots:
            new = slots[-1] if slots and slots[-1].original is None else None
            if new is not None and slot.original is not None and _is_leveled(new.rule, slot.rule):
                level, stages = new.rule.level, new.rule.omit_stages
                slot.rule, slot.by = replace(slot.rule, level=level, omit_stages=stages), new.by
                slots.pop()
            slots.append(slot)
        self.slots = slots

    def remove_dead(self, before: Collection[int | None], after: Collection[int | None]) -> None:
        """Take out the policy's rules that no request reaches ``after`` the edits, and one did ``before`` them."""
        self.drop({place for place, slot in enumerate(self.slots) if place not in after and slot.original in before})

    def usually_omitted(self) -> frozenset[Stage]:
        """The stages that most rules which record anything omit, besides those of the policy."""
        recording = [rule.omit_stages for rule in self._policy.rules if rule.level is not Level.NONE]
        counted = Counter(recording)
        return max(counted, key=lambda stages: (counted[stages], -recording.index(stages)), default=frozenset())

    def edits(self) -> Iterator[Edit]:
        """What differs from the policy: new rules and levels in the order of its rules, then what is removed."""
        place = 0
        for (new, by), slots in groupby(self.slots, lambda slot: (slot.original is None, slot.by)):
            some = list(slots)
            if new and by is not None:
                yield Inserted(place, tuple(slot.rule for slot in some), by)
            for slot in some:
                if slot.original is not None:
                    place = slot.original + 1
                    if by is not None:
                        yield Leveled(slot.original, slot.rule.level, slot.rule.omit_stages, by)
        left = {slot.original for slot in self.slots}
        yield from (Removed(rule.index) for rule in self._policy.rules if rule.index not in left)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A class of ordinary requests: the deciding rule, its decision, and the bound of the requirement, if it applies.

    ``wrong`` says whether it violates that, ``places`` are the rules that decide in the requirement's lists.
    ``matched`` is a bitmask of the rules of the space whose conditions the requests meet, apart from those on groups,
    which ``region`` may meet; ``asked`` is one of those whose conditions on verb and object they meet.
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

    def effect(self, decision: Decision | None = None) -> Effect:
        """What is recorded of it, or would be by another decision."""
        return effect_of(decision or self.decision, failed=self.failed)


@dataclass(frozen=True, slots=True, order=True)
class _Piece:
    """Selects requests as a selector of a clause of the requirement does, and as a rule of its reference, if any."""

    clause: int
    reference: int
    number: int


@dataclass(frozen=True, slots=True)
class _Target:
    """How a rule has to record."""

    level: Level
    omit_stages: frozenset[Stage]
    omit_managed_fields: bool | None

    def of(self, conditions: PolicyRule) -> PolicyRule:
        """A rule that does so."""
        return replace(
            conditions,
            level=self.level,
            omit_stages=self.omit_stages,
            omit_managed_fields=self.omit_managed_fields,
        )


def _is_leveled(new: PolicyRule, old: PolicyRule) -> bool:
    """Whether one rule is the other with another level, and with stages to omit if that has none."""

    def rest(rule: PolicyRule) -> tuple[object, ...]:
        entries = frozenset((entry.group, frozenset(entry.resources), entry.resource_names) for entry in rule.resources)
        lists = (rule.users, rule.user_groups, rule.verbs, rule.namespaces, rule.non_resource_urls)
        return entries, *map(frozenset, lists), rule.omit_managed_fields

    return rest(new) == rest(old) and (new.omit_stages == old.omit_stages or not old.omit_stages)


def _place(rule: int | None) -> int:
    """The place of a deciding rule in a list that has what no rule decides at its end."""
    return -1 if rule is None else rule


def _recording(conditions: PolicyRule, decision: Decision) -> PolicyRule:
    """A rule with these conditions that decides as another one does."""
    rule = decision.rule
    stages, fields = (rule.omit_stages, rule.omit_managed_fields) if rule else (frozenset[Stage](), None)
    return replace(conditions, level=decision.level, omit_stages=stages, omit_managed_fields=fields)


class _Repair:
    """The edits for one requirement."""

    def __init__(self, draft: _Draft, requirement: Requirement, served: Served) -> None:
        self._draft, self._requirement, self._served = draft, requirement, served
        self._any_group = version_of(served.kubernetes) >= (1, 36)
        self._policy = draft.policy()
        rules: list[PolicyRule] = []
        lists: list[tuple[int, int]] = []
        for some in (self._policy.rules, *requirement.rule_lists):
            lists.append((len(rules), len(rules) + len(some)))
            rules += some
        self._starts = [first for first, _ in lists[1:]]
        self._streams = streams_from(len(rules))
        self._decisions = [decided_by(self._policy, rule) for rule in (*self._policy.rules, None)]
        space = Space.of([*rules, *STREAMS], served)
        self._wanted = space.identities.wanted
        self._outcomes = [one for one in space.outcomes(*lists) if one.oddness[:2] == (SERVED, 0)]
        self._bounds: dict[tuple[tuple[int | None, ...], frozenset[Stage]], tuple[Bound | None, bool]] = {}

    def _judged(self, deciding: tuple[int | None, ...], emitted: frozenset[Stage]) -> tuple[Bound | None, bool]:
        """The bound of requests, None if the requirement does not apply to them, and whether they violate it."""
        key = deciding, emitted
        if key not in self._bounds:
            bound = self._requirement.bound_at(deciding[1:], emitted)
            wrong = bound is not None and not allows(bound, self._decisions[_place(deciding[0])], emitted)
            self._bounds[key] = bound, wrong
        return self._bounds[key]

    @cached_property
    def _seen(self) -> list[_Seen]:
        """All classes of ordinary requests."""
        found = []
        for outcome in self._outcomes:
            emitted = emitted_by(outcome, self._streams)
            bound, wrong = self._judged(outcome.deciding, emitted)
            first, *places = outcome.deciding
            found.append(
                _Seen(
                    rule=len(self._policy.rules) if first is None else first,
                    decision=self._decisions[_place(first)],
                    emitted=emitted,
                    bound=bound,
                    wrong=wrong,
                    places=tuple(places),
                    matched=outcome.cells[0].mask & outcome.identity.mask,
                    asked=outcome.cells[0].mask,
                    region=outcome.region,
                    failed=outcome.identity.failed,
                    cells=outcome.cells,
                )
            )
        return found

    def done(self) -> bool:
        """Edit the draft once, for all violations that there are; False if there is none.

        Raises Inexpressible if rules cannot do that, or if repeated edits have not helped.
        """
        if not any(self._judged(one.deciding, emitted_by(one, self._streams))[1] for one in self._outcomes):
            return False
        wrong = [one for one in self._seen if one.wrong]
        self._draft.repaired[self._requirement.id] += 1
        if self._draft.repaired[self._requirement.id] > 2 * ROUNDS:
            raise Inexpressible("what it needs is undone by what another requirement needs")
        deciding = sorted({one.rule for one in wrong}, reverse=True)  # from the last one, so that places stay valid
        rules = self._at_once(wrong) if len(deciding) > 1 else None
        if rules is not None and len(rules) < len(deciding) and all(map(self._is_accepted, rules)):
            self._draft.insert(deciding[-1], rules, self._requirement)
            return True
        for place in deciding:
            self._repair(place, [one for one in wrong if one.rule == place])
        return True

    def _at_once(self, wrong: list[_Seen]) -> list[PolicyRule] | None:
        """Rules in front of all that decide wrong, if they change nothing else; None if there are none.

        Nor if another rule would have no request left to decide.
        """
        pieces = self._pieces(wrong)
        rules = [
            self._made(conditions, [one for one in wrong if piece in self._pieces_of(one)])
            for piece in pieces
            if (conditions := self._conditions(piece)) is not None
        ]
        if len({(rule.level, rule.omit_stages, rule.omit_managed_fields) for rule in rules}) != 1:
            return None
        decision = decided_by(self._policy, rules[0])
        first = min(one.rule for one in wrong)
        left = {one.rule for one in self._seen if one.rule < first}
        for one in self._seen:
            if one.rule < first:
                continue
            if not any(self._meets(one, piece) for piece in pieces):
                left.add(one.rule)
            elif not one.failed:
                fixed = one.bound is not None and allows(one.bound, decision, one.emitted)
                if not fixed if one.wrong else one.effect() != one.effect(decision):
                    return None
        return None if {one.rule for one in self._seen} - left else joined(rules)

    def _made(self, conditions: PolicyRule, wrong: list[_Seen]) -> PolicyRule:
        """A rule with these conditions, as narrow as these requests allow, that records them as required."""
        cells = [cell for one in wrong for cell in one.cells if cell.served]
        verbs = {verb for cell in cells for verb in cell.verbs}
        targets = {target for cell in cells if isinstance(cell, ResourceCell) for target in cell.targets}
        return self._target(wrong).of(narrowed(conditions, verbs, targets))

    def _repair(self, place: int, wrong: list[_Seen]) -> None:
        """Give the rule at ``place`` another level, or insert rules that decide in front of it."""
        rule = self._policy.rules[place] if place < len(self._policy.rules) else EVERYTHING
        others = [one for one in self._seen if one.rule == place and not one.wrong and not one.failed]
        leveled = self._target(wrong).of(rule)
        if place < len(self._policy.rules) and _is_leveled(leveled, rule):
            decision = decided_by(self._policy, leveled)
            kept = self._kept(rule, [one for one in others if one.effect() != one.effect(decision)], None)
            if kept is not None:
                slot = self._draft.slots[place]
                slot.rule, slot.by = leveled, self._requirement
                self._draft.insert(place, kept, self._requirement)
                return
        new: list[PolicyRule] = []
        for piece in self._pieces(wrong):
            mine = [one for one in wrong if piece in self._pieces_of(one)]
            try:
                selected = self._conditions(piece)
                conditions = both(selected, rule) if selected is not None else None
            except Inexpressible:
                if (around := self._around(place, rule, piece, mine)) is None:
                    raise
                new += around
                continue
            if conditions is None:
                continue
            made = self._made(conditions, mine)
            if made.user_groups == EVERYBODY and made.level is not Level.NONE:
                made = replace(made, user_groups=())  # failed logins go with them
            decision = decided_by(self._policy, made)
            changed = [one for one in others if self._meets(one, piece) and one.effect() != one.effect(decision)]
            kept = self._kept(rule, changed, piece)
            if kept is None:
                raise Inexpressible(f"{self._name(place)} also decides requests that it does not apply to")
            new += [*kept, *self._accepted(made, rule)]
        self._draft.insert(place, joined(new), self._requirement)

    def _is_accepted(self, rule: PolicyRule) -> bool:
        """Whether the API server accepts it: before Kubernetes 1.36, no rule can name all API groups."""
        return self._any_group or all(entry.group != ANY for entry in rule.resources)

    def _accepted(self, made: PolicyRule, rule: PolicyRule) -> list[PolicyRule]:
        """``made``, in front of ``rule``, as rules that the API server accepts.

        One for all resources has no ``resources``, and a copy of ``rule`` for paths before it; of patterns for all
        groups those are named that the server itself serves.
        """
        if self._is_accepted(made):
            return [made]
        if any(entry.group == ANY and not entry.resources for entry in made.resources):
            paths = both(rule, replace(EVERYTHING, non_resource_urls=(ANY,)))
            return [*([paths] if paths else []), replace(made, resources=())]
        entries: list[GroupResources] = []
        for entry in made.resources:
            for group in sorted(self._served.groups) if entry.group == ANY else [entry.group]:
                known = [one for one in self._served.resources if one.group == group]
                patterns = tuple(
                    pattern
                    for pattern in entry.resources
                    if any(matches_pattern(pattern, one.resource, one.subresource) for one in known)
                )
                if patterns or entry.group != ANY:
                    entries.append(replace(entry, group=group, resources=patterns or entry.resources))
        return [replace(made, resources=tuple(entries))]

    def _around(self, place: int, rule: PolicyRule, piece: _Piece, wrong: list[_Seen]) -> list[PolicyRule] | None:
        """Rules for users of whom no rule can say that ``rule`` matches them; None if these change anything else.

        Others of whom the requirement speaks are caught as well, so they have to be recorded as they are now.
        """
        selected = self._conditions(piece)
        wide = None if selected is None else both(selected, replace(rule, users=(), user_groups=()))
        if wide is None:
            return []
        caught = [
            one
            for one in self._seen
            if one.rule >= place and not one.failed and one.asked >> place & 1 and self._meets(one, piece)
        ]
        later = [one for one in caught if one.rule > place and not one.wrong]
        for made in (self._made(wide, wrong), *(_recording(wide, one.decision) for one in later[:1])):
            decision = decided_by(self._policy, made)
            if any(one.bound is None or not allows(one.bound, decision, one.emitted) for one in caught if one.wrong):
                continue
            if any(one.effect() != one.effect(decision) for one in later):
                continue
            others = [one for one in caught if one.rule == place and not one.wrong]
            kept = self._kept(rule, [one for one in others if one.effect() != one.effect(decision)], piece)
            if kept is not None:
                return [*kept, *self._accepted(made, rule)]
        return None

    def _kept(self, rule: PolicyRule, changed: list[_Seen], piece: _Piece | None) -> list[PolicyRule] | None:
        """Copies of ``rule`` for requests that must not change: those that the requirement excepts; None for others.

        They may match more than these: whatever else they match, ``rule`` decides as well.
        """
        if piece is not None and self._clause(piece).failed:
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
        return joined(one for copy in copies if copy is not None for one in self._accepted(copy, copy))

    def _target(self, wrong: list[_Seen]) -> _Target:
        """How a rule has to record these requests, all of them decided alike: as now, apart from what is wrong."""
        found = [self._needed(one) for one in wrong]
        return _Target(
            max(one.level for one in found),
            frozenset.intersection(*(one.omit_stages for one in found)),
            False if any(one.omit_managed_fields is False for one in found) else found[0].omit_managed_fields,
        )

    def _needed(self, one: _Seen) -> _Target:
        bound, decision, rule = one.bound, one.decision, one.decision.rule
        assert bound is not None
        target = decision.level if bound.allows(decision.level) else bound.nearest_level(decision.level)
        records = rule is not None and rule.level is not Level.NONE
        omitted = rule.omit_stages if rule and records else self._draft.usually_omitted()
        if target is not Level.NONE:
            kept = one.emitted - omitted - self._policy.omit_stages
            needed = bound.stages.nearest(kept, one.emitted) if bound.stages else kept
            if not needed:
                needed = one.emitted - {Stage.REQUEST_RECEIVED} if len(one.emitted) > 1 else one.emitted
            panic = {Stage.PANIC} if bound.panic else set()
            omitted = (omitted | (kept - needed)) - needed - panic
            if lost := self._policy.omit_stages & (needed | panic):
                names = ", ".join(in_order(lost))
                raise Inexpressible(f"the policy omits {names} for all rules: remove it from the omitStages at the top")
        fields = rule.omit_managed_fields if rule else None
        return _Target(target, omitted, False if bound.managed_fields and decision.omit_managed_fields else fields)

    def _pieces(self, wrong: list[_Seen]) -> list[_Piece]:
        """What selects these requests, in the order in which it decides."""
        return sorted({piece for one in wrong for piece in self._pieces_of(one)})

    def _pieces_of(self, one: _Seen) -> Iterator[_Piece]:
        last = one.places[-1] if isinstance(self._requirement.bound, Reference) else None
        for number, (clause, place) in enumerate(zip(self._requirement.clauses, one.places, strict=False)):
            if place is not None and clause.selects_at(place, failed=one.failed):
                yield _Piece(number, -1 if last is None else last, place - len(clause.excepted))

    def _clause(self, piece: _Piece) -> Clause:
        return self._requirement.clauses[piece.clause]

    def _conditions(self, piece: _Piece) -> PolicyRule | None:
        """The conditions of a piece; None if no request meets them."""
        selected = self._clause(piece).selected[piece.number]
        if not isinstance(self._requirement.bound, Reference) or piece.reference < 0:
            return selected
        return both(selected, self._requirement.bound.policy.rules[piece.reference])

    def _meets(self, one: _Seen, piece: _Piece) -> bool:
        """Whether some of the requests meet the conditions of a piece."""
        numbers = [self._starts[piece.clause] + len(self._clause(piece).excepted) + piece.number]
        numbers += [self._starts[-1] + piece.reference] if piece.reference >= 0 else []
        return all(
            one.matched >> number & 1
            and (not self._wanted[number] or one.region.having(self._wanted[number]).possible())
            for number in numbers
        )

    def _name(self, place: int) -> str:
        slot = self._draft.slots[place] if place < len(self._draft.slots) else None
        if slot is None or slot.original is None:
            return "a rule that another requirement needs" if slot else "the end of the rules"
        return f"rule {slot.original + 1} (line {slot.rule.position.line})"
