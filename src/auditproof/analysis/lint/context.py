"""A policy under lint: its space, the positions of its parts, and the queries that the checks make."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from auditproof.analysis.lint.finding import Finding, ShownRequest
from auditproof.analysis.lint.positions import Places
from auditproof.analysis.space import ResourceCell, Space
from auditproof.analysis.space.cells import ODD, UNSERVED
from auditproof.analysis.space.joint import joint_decisions
from auditproof.analysis.space.oddity import is_odd_namespace
from auditproof.audit.decide import decide
from auditproof.audit.event import Level

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from auditproof.analysis.space import Cell, ClassDecision, Region
    from auditproof.analysis.space.joint import JointDecision
    from auditproof.analysis.space.resource_targets import ResourceTarget
    from auditproof.audit.policy.load import Policy, PolicyRule
    from auditproof.errors import Position
    from auditproof.kube.attributes import Attributes, UserInfo
    from auditproof.kube.discovery import Served

_FAMILIAR = {"pods": 0, "configmaps": 1}
Asked = tuple["Attributes", bool]  # a request, and whether it is served


class Subject:
    """One policy and the discovery data of its server; repeated queries are computed once."""

    def __init__(self, policy: Policy, served: Served) -> None:
        self.policy = policy
        self.served = served
        self.places = Places(policy)
        self._answered: dict[PolicyRule, bool] = {}
        self._meant: dict[tuple[PolicyRule, PolicyRule], Asked | None] = {}
        self._lacking: dict[int, int] = {}
        self._first: dict[int | None, Asked | None] = {}
        self._parts: dict[frozenset[str], Served] = {}

    @cached_property
    def space(self) -> Space:
        """The space of all rules."""
        return Space.of(self.policy.rules, self.served)

    @cached_property
    def outcomes(self) -> dict[int | None, tuple[JointDecision, ...]]:
        """The whole space, by the index of the deciding rule (None: no rule matches)."""
        found: dict[int | None, list[JointDecision]] = {}
        for outcome in joint_decisions(self.space):
            found.setdefault(outcome.deciding, []).append(outcome)
        return {rule: tuple(some) for rule, some in found.items()}

    def finding(self, code: str, position: Position, message: str, advice: str, asked: Asked | None = None) -> Finding:
        """A Finding; ``asked`` is the request that demonstrates it, shown with the policy's Decision."""
        return Finding(code, position, message, advice, self.shown(*asked) if asked else None)

    def shown(self, attributes: Attributes, served: bool = True) -> ShownRequest:
        """The request with the policy's Decision."""
        return ShownRequest(attributes, decide(self.policy, attributes), served)

    def ordinary(self, rule: int | None) -> Iterator[JointDecision]:
        """The outcomes that the rule decides for genuine, authenticated identities; odd requests are left out."""
        for outcome in self.outcomes.get(rule, ()):
            if outcome.identity.honest and not outcome.identity.failed and outcome.cells[0].standing != ODD:
                yield outcome

    def first_request(self, rule: int | None) -> Asked | None:
        """A request that the rule decides, preferably a served one from a genuine identity; None if there is none."""
        if rule not in self._first:
            outcomes = self.outcomes.get(rule, ())
            if not outcomes:
                self._first[rule] = None
            else:
                best = min(outcomes, key=lambda outcome: outcome.oddness)
                self._first[rule] = plain(best, self.space.user(best))
        return self._first[rule]

    def is_possible(self, rule: PolicyRule) -> bool:
        """Whether the rule alone would match any served request of a genuine identity."""
        return bool(self._possible >> rule.index & 1)

    @cached_property
    def _possible(self) -> int:
        """The possible rules, as a bitmask. Who asks and what is asked are independent of each other."""
        asked = who = 0
        for mask, cells in self.space.cells.items():
            asked |= mask if any(cell.served for cell in cells) else 0
        for identity in self.space.identities.classes:
            who |= identity.mask & ~self._without_group(identity.region) if identity.honest else 0
        return asked & who

    def _without_group(self, region: Region) -> int:
        """The rules that want one of several groups, all of which the users of the region lack; as a bitmask."""
        if region.avoid not in self._lacking:
            wanted = enumerate(self.space.identities.wanted)
            self._lacking[region.avoid] = sum(1 << rule for rule, one in wanted if one and not one & ~region.avoid)
        return self._lacking[region.avoid]

    def requests_for(
        self, rule: int | None, wanted: Callable[[ResourceTarget], bool], verbs: Collection[str]
    ) -> Iterator[Attributes]:
        """Served requests of ordinary users that the rule decides, with one of ``verbs``, for a wanted target."""
        for outcome in self.ordinary(rule):
            for cell in outcome.cells:
                if isinstance(cell, ResourceCell) and cell.served:
                    shared = [verb for verb in verbs if verb in cell.verbs]
                    for target in filter(wanted, cell.targets if shared else ()):
                        user = self.space.user(outcome)
                        yield from (cell.attributes_of(user, target, verb, cell.namespaces[0]) for verb in shared)

    def answers(self, rule: PolicyRule) -> bool:
        """Whether the server serves any request that the rule would match, whoever sends it."""
        key = self._alike(_without_names(rule))
        if key not in self._answered:
            cells = Space.of([key], self._served_in(key), meeting=1).cells
            self._answered[key] = any(cell.served for some in cells.values() for cell in some)
        return self._answered[key]

    def meant(self, rule: PolicyRule, actual: PolicyRule) -> Asked | None:
        """A request that ``rule`` would match and ``actual`` does not; else any request that ``rule`` would match."""
        key = self._alike(rule), self._alike(actual)
        if key not in self._meant:
            self._meant[key] = self._first_meant(*key)
        return self._meant[key]

    def _first_meant(self, rule: PolicyRule, actual: PolicyRule) -> Asked | None:
        space = Space.of([rule, actual], self._served_in(rule), meeting=1)
        found: dict[tuple[int, ...], ClassDecision] = {}
        for outcome in space.outcomes((0, 1), (1, 2)):
            if outcome.deciding[0] == 0:
                found.setdefault((outcome.deciding[1] is not None, *outcome.oddness), outcome)
        best = found[min(found)] if found else None
        return plain(best, space.user(best)) if best else None

    def _alike(self, rule: PolicyRule) -> PolicyRule:
        """The rule reduced to its conditions, so that equal conditions compare equal."""
        where = self.policy.rules[0].position
        entries = tuple(replace(entry, position=where) for entry in rule.resources)
        bare = replace(rule, index=0, level=Level.NONE, resources=entries, omit_stages=frozenset())
        return replace(bare, omit_managed_fields=None, position=where)

    def _served_in(self, rule: PolicyRule) -> Served:
        """The discovery data of the rule's groups; resources of other groups cannot match it."""
        groups = frozenset(entry.group for entry in rule.resources)
        if not groups or "*" in groups:
            return self.served
        if groups not in self._parts:
            kept = tuple(entry for entry in self.served.resources if entry.group in groups)
            self._parts[groups] = replace(self.served, resources=kept, paths=())
        return self._parts[groups]

    def deciding_instead(self, rule: int, *, ordinary: bool = False) -> tuple[PolicyRule, ...]:
        """The earlier rules that decide about requests that the rule matches; ``ordinary``: about any usual ones."""
        taken = self._taken_from_ordinary if ordinary else self._taken
        found = sorted(first for first, met in taken.items() if first < rule and met >> rule & 1)
        return tuple(self.policy.rules[first] for first in found)

    @cached_property
    def _taken(self) -> dict[int, int]:
        """The rules that match requests which a rule decides, as a bitmask, by that rule."""
        return self._meeting(one for some in self.outcomes.values() for one in some)

    @cached_property
    def _taken_from_ordinary(self) -> dict[int, int]:
        """As ``_taken``, of served requests of genuine identities only."""
        everything = (one for some in self.outcomes.values() for one in some)
        return self._meeting(one for one in everything if one.identity.honest and one.cells[0].served)

    def _meeting(self, outcomes: Iterable[JointDecision]) -> dict[int, int]:
        found: dict[int, int] = {}
        for one in outcomes:
            if one.deciding is not None:
                matching = one.met & ~self._without_group(one.region)
                found[one.deciding] = found.get(one.deciding, 0) | matching
        return found


def _without_names(rule: PolicyRule) -> PolicyRule:
    """The rule without users, and with one name in place of all ordinary ones: the server serves them alike."""
    resources = tuple(
        replace(entry, resource_names=_ordinary_as(entry.resource_names, "something")) for entry in rule.resources
    )
    namespaces = _ordinary_as(rule.namespaces, "somewhere")
    return replace(rule, users=(), user_groups=(), namespaces=namespaces, resources=resources)


def _ordinary_as(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one if not one or is_odd_namespace(one) else name for one in names))


def plain(outcome: ClassDecision | JointDecision, user: UserInfo | None) -> Asked:
    """The request of the outcome that is easiest to read (ideally ``get pods``), and whether it is served."""
    cell = min(outcome.cells, key=_oddness)
    if not isinstance(cell, ResourceCell):
        return cell.attributes(user), cell.standing != UNSERVED
    target = min(cell.targets, key=_unfamiliarity)
    verb = min(cell.verbs, key=lambda verb: (verb not in ("get", "list"), verb in ("proxy", "")))
    return cell.attributes_of(user, target, verb, cell.namespaces[0]), cell.standing != UNSERVED


def _oddness(cell: Cell) -> tuple[int, bool, int, bool, bool]:
    if not isinstance(cell, ResourceCell):
        return cell.standing, not cell.answered, 1, True, True
    familiar = min(map(_unfamiliarity, cell.targets))
    return cell.standing, not cell.answered, familiar, "get" not in cell.verbs, not cell.namespaces[0]


def _unfamiliarity(target: ResourceTarget) -> int:
    return _FAMILIAR.get(target.text, 2 if target.known else 3)


def named(rules: tuple[PolicyRule, ...]) -> str:
    """Rules as messages name them, e.g. ``rule 3 (line 20) and rule 5 (line 41)``."""
    texts = [f"rule {rule.index + 1} (line {rule.position.line})" for rule in rules]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"
