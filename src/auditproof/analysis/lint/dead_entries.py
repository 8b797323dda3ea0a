"""Entries of a rule that decide nothing: one user, group, verb, namespace, resource, name or path of a rule in use.

An entry decides if the rule decides a request that the entry matches. Those are read off the classes of requests that
the rule decides, so an entry without any is dead: earlier rules decide all of its requests, or there are none.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from auditproof.analysis.lint.context import named
from auditproof.analysis.lint.rule_fields import KEYS, values_of, with_values
from auditproof.analysis.lint.suggestions import full_name
from auditproof.analysis.space import PathCell
from auditproof.audit.decide import matches_path, matches_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

    from auditproof.analysis.lint.context import Subject
    from auditproof.analysis.lint.finding import Finding
    from auditproof.analysis.space import Cell, ResourceCell
    from auditproof.analysis.space.joint import JointDecision
    from auditproof.audit.policy.load import GroupResources, PolicyRule
    from auditproof.errors import Position


@dataclass(frozen=True, slots=True)
class _Entry:
    """One value of a list: a key of KEYS or ``resources`` or ``resourceNames``, and for these the item's number."""

    key: str
    value: str
    item: int = -1


@dataclass(slots=True)
class _Decided:
    """Classes of requests: cells with some of their users and their groups, both as bitmasks."""

    identities: int = 0
    groups: int = 0
    cells: dict[int, tuple[Cell, ...]] = field(default_factory=dict)

    def add(self, outcome: JointDecision, all_groups: int) -> None:
        self.identities |= outcome.identities
        self.groups |= all_groups & ~outcome.region.avoid
        self.cells[id(outcome.cells)] = outcome.cells


def check(subject: Subject, told: AbstractSet[Position]) -> Iterator[Finding]:
    """Findings about entries of rules that decide something; none at the positions ``told``, which have one already."""
    sent = {mask for mask, cells in subject.space.cells.items() if _are_sent(cells)}
    for rule in subject.policy.rules:
        outcomes = [
            one for one in subject.outcomes.get(rule.index, ()) if one.identity.honest and one.cells[0].mask in sent
        ]
        entries = [entry for entry in _entries(rule) if told.isdisjoint(_places(subject, rule, entry))]
        if outcomes and entries:
            decided, every = _Decided(), subject.space.identities.wanted[rule.index]
            for outcome in outcomes:
                decided.add(outcome, every)
            dead = _unmatched(subject, rule, entries, decided)
            yield from _findings(subject, rule, dead) if dead else ()


def _are_sent(cells: tuple[Cell, ...]) -> bool:
    return any(map(_is_sent, cells))


def _is_sent(cell: Cell) -> bool:
    """Whether ordinary clients send the requests: served ones, and any for a path, as no server lists all its paths."""
    return cell.served or (isinstance(cell, PathCell) and not cell.odd)


def _entries(rule: PolicyRule) -> list[_Entry]:
    """All values of the lists that have more than one; the only one of a list is the whole rule."""
    found = [_Entry(name, value) for name in KEYS for value in values_of(rule, name)]
    for number, item in enumerate(rule.resources):
        found += [_Entry("resources", pattern, number) for pattern in item.resources or ("",)]
        found += [_Entry("resourceNames", name, number) for name in item.resource_names]
    counts: dict[str, int] = {}
    for entry in found:
        counts[entry.key] = counts.get(entry.key, 0) + 1
    return [entry for entry in dict.fromkeys(found) if counts[entry.key] > 1]


def _places(subject: Subject, rule: PolicyRule, entry: _Entry) -> list[Position]:
    """The position of the entry, then that of the API group that it depends on."""
    if entry.item < 0:
        at = values_of(rule, entry.key).index(entry.value)
        return [subject.places.of("rules", rule.index, KEYS[entry.key], at)]
    item, base = rule.resources[entry.item], ("rules", rule.index, "resources", entry.item)
    group = subject.places.of(*base, "group")
    if entry.key == "resourceNames":
        return [subject.places.of(*base, "resourceNames", item.resource_names.index(entry.value)), group]
    if not item.resources:
        return [item.position, group]
    return [subject.places.of(*base, "resources", item.resources.index(entry.value)), group]


def _unmatched(subject: Subject, rule: PolicyRule, entries: list[_Entry], decided: _Decided) -> list[_Entry]:
    identities = subject.space.identities
    users = {name for one in identities.in_bits(decided.identities) for name in one.names}
    by_who = {"users": users, "user_groups": set(identities.names_of(decided.groups))}
    left = [entry for entry in entries if entry.value not in by_who.get(entry.key, ())]
    for cells in decided.cells.values():
        for cell in cells if left else ():
            if _is_sent(cell):
                left = [entry for entry in left if entry.key in by_who or not _matches(rule, entry, cell)]
    return left


def _matches(rule: PolicyRule, entry: _Entry, cell: Cell) -> bool:
    """Whether the entry matches any request of the cell, all of which the rule matches."""
    if entry.key == "verbs":
        return entry.value in cell.verbs
    if isinstance(cell, PathCell):
        return entry.key == "non_resource_urls" and any(matches_path(entry.value, path) for path in cell.paths)
    if entry.key == "namespaces":
        return entry.value in cell.namespaces
    return entry.item >= 0 and _item_matches(rule.resources[entry.item], entry, cell)


def _item_matches(item: GroupResources, entry: _Entry, cell: ResourceCell) -> bool:
    names = (entry.value,) if entry.key == "resourceNames" else item.resource_names
    if names and not any(name in names for name in cell.names):
        return False
    patterns = (entry.value,) if entry.key == "resources" and entry.value else item.resources
    return any(
        item.group in ("*", target.group)
        and (not patterns or any(matches_pattern(one, target.resource, target.subresource) for one in patterns))
        for target in cell.targets
    )


def _findings(subject: Subject, rule: PolicyRule, dead: list[_Entry]) -> Iterator[Finding]:
    earlier: dict[int, _Decided] = {}
    every = subject.space.identities.wanted[rule.index]
    for first in subject.deciding_instead(rule.index, ordinary=False):
        for outcome in subject.outcomes[first.index]:
            met = outcome.met >> rule.index & 1 and outcome.identity.honest and _are_sent(outcome.cells)
            if met and (not every or every & ~outcome.region.avoid):
                earlier.setdefault(first.index, _Decided()).add(outcome, every)
    for entry in dead:
        deciding = [n for n, decided in sorted(earlier.items()) if not _unmatched(subject, rule, [entry], decided)]
        yield _finding(subject, rule, entry, tuple(subject.policy.rules[n] for n in deciding))


def _finding(subject: Subject, rule: PolicyRule, entry: _Entry, deciding: tuple[PolicyRule, ...]) -> Finding:
    alone = _alone(rule, entry)
    if entry.item < 0:
        called = f'"{entry.value}" in {KEYS[entry.key]}'
    else:
        group = rule.resources[entry.item].group
        if entry.key == "resources":
            called = f'"{full_name(entry.value, group)}"' if entry.value else f'the group "{group}"'
        else:
            called = f'"{entry.value}" in resourceNames'
    what = f"{called} in rule {rule.index + 1} decides nothing"
    if deciding:
        verb = "decides" if len(deciding) == 1 else "decide"
        message = f"{what}: {named(deciding)} {verb} every request that it matches"
        advice = (
            f"Remove it, or move this rule above line {deciding[0].position.line} if its level is the one you want."
        )
    else:
        message = f"{what}: no ordinary request meets it and the other conditions of the rule"
        advice = "Remove it, or put it in a rule without the condition that excludes it."
    return subject.finding("AP206", _places(subject, rule, entry)[0], message, advice, subject.meant(alone, alone))


def _alone(rule: PolicyRule, entry: _Entry) -> PolicyRule:
    """The rule with only this entry in its list."""
    if entry.item < 0:
        return with_values(rule, entry.key, (entry.value,))
    item = rule.resources[entry.item]
    if entry.key == "resourceNames":
        return replace(rule, resources=(replace(item, resource_names=(entry.value,)),))
    return replace(rule, resources=(replace(item, resources=(entry.value,) if entry.value else ()),))
