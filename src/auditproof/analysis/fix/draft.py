"""The rules of a policy while they are edited."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

from auditproof.analysis.fix.edits import Inserted, Leveled, Removed
from auditproof.audit.event import Level, Stage

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from auditproof.analysis.fix.edits import Edit
    from auditproof.analysis.requirements import Requirement
    from auditproof.audit.policy.load import Policy, PolicyRule


@dataclass(slots=True)
class Slot:
    """A rule of the draft: ``original`` is its index in the policy, None for a new one; ``by`` made or changed it."""

    rule: PolicyRule
    original: int | None
    by: Requirement | None = None


class Draft:
    """The rules while they are edited; ``repaired`` counts the edits for each requirement, by its id."""

    def __init__(self, policy: Policy) -> None:
        self._original = policy
        self._slots = [Slot(rule, rule.index) for rule in policy.rules]
        self.repaired = Counter[str]()

    def policy(self) -> Policy:
        """The policy with the edits so far."""
        return replace(self._original, rules=tuple(replace(one.rule, index=n) for n, one in enumerate(self._slots)))

    def insert(self, place: int, rules: Iterable[PolicyRule], by: Requirement) -> None:
        """Put new rules in front of the one at ``place``."""
        self._slots[place:place] = [Slot(rule, None, by) for rule in rules]

    def replace(self, place: int, rule: PolicyRule, by: Requirement) -> None:
        """Put ``rule`` in the place of the one at ``place``."""
        self._slots[place].rule, self._slots[place].by = rule, by

    def inserted(self) -> list[int]:
        """The places of the new rules."""
        return [place for place, slot in enumerate(self._slots) if slot.original is None]

    def drop(self, places: Collection[int]) -> None:
        """Take rules out."""
        self._slots = [slot for place, slot in enumerate(self._slots) if place not in places]

    def absorb(self) -> None:
        """Give a rule another level, instead of a new one in front of it that matches the same."""
        slots: list[Slot] = []
        for slot in self._slots:
            new = slots[-1] if slots and slots[-1].original is None else None
            if new is not None and slot.original is not None and is_leveled(new.rule, slot.rule):
                level, stages = new.rule.level, new.rule.omit_stages
                slot.rule, slot.by = replace(slot.rule, level=level, omit_stages=stages), new.by
                slots.pop()
            slots.append(slot)
        self._slots = slots

    def remove_dead(self, before: Collection[int | None], after: Collection[int | None]) -> None:
        """Take out the policy's rules that no request reaches ``after`` the edits, and one did ``before`` them."""
        self.drop({place for place, slot in enumerate(self._slots) if place not in after and slot.original in before})

    def usually_omitted(self) -> frozenset[Stage]:
        """The stages that most rules which record anything omit, besides those of the policy."""
        recording = [rule.omit_stages for rule in self._original.rules if rule.level is not Level.NONE]
        counted = Counter(recording)
        return max(counted, key=lambda stages: (counted[stages], -recording.index(stages)), default=frozenset())

    def name_of(self, place: int) -> str:
        """What a message calls the rule at ``place``; the number of rules means: the end."""
        if place >= len(self._slots):
            return "the end of the rules"
        slot = self._slots[place]
        if slot.original is None:
            return "a rule that another requirement needs"
        return f"rule {slot.original + 1} (line {slot.rule.position.line})"

    def edits(self) -> Iterator[Edit]:
        """What differs from the policy: new rules and levels in the order of its rules, then what is removed."""
        place = 0
        for (new, by), slots in groupby(self._slots, lambda slot: (slot.original is None, slot.by)):
            some = list(slots)
            if new and by is not None:
                yield Inserted(place, tuple(slot.rule for slot in some), by)
            for slot in some:
                if slot.original is not None:
                    place = slot.original + 1
                    if by is not None:
                        yield Leveled(slot.original, slot.rule.level, slot.rule.omit_stages, by)
        left = {slot.original for slot in self._slots}
        yield from (Removed(rule.index) for rule in self._original.rules if rule.index not in left)


def is_leveled(new: PolicyRule, old: PolicyRule) -> bool:
    """Whether one rule is the other with another level, and with stages to omit if that has none."""

    def rest(rule: PolicyRule) -> tuple[object, ...]:
        entries = frozenset((entry.group, frozenset(entry.resources), entry.resource_names) for entry in rule.resources)
        lists = (rule.users, rule.user_groups, rule.verbs, rule.namespaces, rule.non_resource_urls)
        return entries, *map(frozenset, lists), rule.omit_managed_fields

    return rest(new) == rest(old) and (new.omit_stages == old.omit_stages or not old.omit_stages)
