"""Which requests to send so that every rule is proven, or every condition, or the whole space."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from itertools import cycle, islice
from typing import TYPE_CHECKING, TypeVar

from auditproof.analysis.coverage.near_miss import near_misses, relaxed_rules
from auditproof.analysis.space import Space
from auditproof.analysis.space.bitmask import bits
from auditproof.analysis.space.client_request import NotPerformable, asked_text, most_performable, performable
from auditproof.analysis.space.who import listed, who_text
from auditproof.audit.decide import decide

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from auditproof.analysis.space import ClassDecision
    from auditproof.analysis.space.client_request import Performable
    from auditproof.audit.policy.load import Policy, PolicyRule
    from auditproof.kube.discovery import Served


T = TypeVar("T")


class Depth(StrEnum):
    """How many requests are generated from a policy.

    RULES: one that each rule matches. CONDITIONS: also one near miss for each condition. ALL: also one of every class
    of requests that the policy distinguishes.

    >>> from auditproof import Depth
    >>> [str(depth) for depth in Depth]
    ['rules', 'conditions', 'all']
    """

    RULES = "rules"
    CONDITIONS = "conditions"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class PlannedWitness:
    """A request to be sent; ``rule`` is the rule it demonstrates (None: that no rule matches)."""

    id: str
    title: str
    rule: PolicyRule | None
    performable: Performable


@dataclass(frozen=True, slots=True)
class RuleCoverage:
    """The coverage of a rule: the ids of the requests that it decides, and of its near misses.

    ``reason`` says why there is no request that it decides.
    """

    rule: PolicyRule
    witnesses: tuple[str, ...]
    near_misses: tuple[str, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Unperformed:
    """A class whose requests no client can send: a description, and why."""

    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """The requests that test a policy to a depth.

    ``rules`` says which of the ``planned`` requests are about each rule, ``unperformed`` which classes of requests no
    client can send.

    >>> from auditproof import Depth, load_policy, load_served, plan_coverage
    >>> policy = load_policy("fixtures/policies/baseline.yaml")
    >>> plan_coverage(policy, load_served("1.37"), Depth.CONDITIONS).rules[0].near_misses
    ('rule-01-resources-near-miss-1',)
    """

    depth: Depth
    planned: tuple[PlannedWitness, ...]
    rules: tuple[RuleCoverage, ...]
    unperformed: tuple[Unperformed, ...]


def plan_coverage(policy: Policy, served: Served, depth: Depth) -> Coverage:
    """Generate the requests that test ``policy`` to ``depth``, on an API server that serves ``served``.

    >>> from auditproof import Depth, load_policy, load_served, plan_coverage
    >>> policy = load_policy("fixtures/policies/baseline.yaml")
    >>> plan_coverage(policy, load_served("1.37"), Depth.RULES).planned[0].title
    'list configmaps by someone: Metadata by rule 1'
    """
    return _Plan(policy, served, depth).coverage()


class _Plan:
    def __init__(self, policy: Policy, served: Served, depth: Depth) -> None:
        self._policy = policy
        self._depth = depth
        self._space = Space.of(policy.rules, served)
        self._outcomes: dict[int | None, list[ClassDecision]] = defaultdict(list)
        for outcome in self._space.outcomes():
            self._outcomes[outcome.deciding[0]].append(outcome)
        self._near = near_misses(policy, served) if depth is not Depth.RULES else {}
        self._conditions: dict[int, list[str]] = defaultdict(list)
        for one in relaxed_rules(policy):
            self._conditions[one.rule.index].append(one.condition)
        self._unperformed: list[Unperformed] = []

    def coverage(self) -> Coverage:
        planned: list[PlannedWitness] = []
        rules = []
        for rule in self._policy.rules:
            witnesses = list(self._witness(rule))
            missed = list(self._near_misses(rule)) if witnesses else []
            planned += witnesses + missed
            reason = "" if witnesses else self._why_not(rule)
            rules.append(RuleCoverage(rule, _ids(witnesses), _ids(missed), reason))
        planned += self._witness(None)
        if self._depth is Depth.ALL:
            planned += self._classes()
        return Coverage(self._depth, tuple(planned), tuple(rules), tuple(dict.fromkeys(self._unperformed)))

    def _witness(self, rule: PolicyRule | None) -> Iterator[PlannedWitness]:
        """The most ordinary request that the rule decides."""
        outcomes = sorted(self._outcomes[rule.index if rule else None], key=lambda outcome: outcome.oddness)
        if not outcomes:
            return
        found = most_performable(outcome.cells[0].attributes(self._space.user(outcome)) for outcome in outcomes)
        if found.performable is not None:
            name = f"{_name(rule)}-witness" if rule else "no-rule-witness"
            yield self._planned(name, rule, found.performable, "", rule)

    def _near_misses(self, rule: PolicyRule) -> Iterator[PlannedWitness]:
        for condition in self._conditions[rule.index] if self._depth is not Depth.RULES else ():
            requests = self._near.get((rule.index, condition), [])
            found = most_performable(requests) if requests else None
            if found and (sent := found.performable):
                name = f"{_name(rule)}-{condition}-near-miss-1"
                about = f"near miss of {condition} in {_text(rule)}: "
                deciding = decide(self._policy, sent.attributes).rule
                yield self._planned(name, rule, sent, about, deciding)

    def _planned(
        self, name: str, rule: PolicyRule | None, sent: Performable, about: str, deciding: PolicyRule | None
    ) -> PlannedWitness:
        decided = f"{deciding.level} by {_text(deciding)}" if deciding else "no rule matches"
        return PlannedWitness(name, f"{about}{asked_text(sent.attributes)}: {decided}", rule, sent)

    def _why_not(self, rule: PolicyRule) -> str:
        """Why no request that the rule decides is sent."""
        if outcomes := self._outcomes[rule.index]:
            witness = outcomes[0].cells[0].attributes(self._space.user(outcomes[0]))
            return f"no client can send a request that it decides: {most_performable([witness]).reason}"
        covering = self._covering.get(rule.index)
        if not covering:
            return "no request meets all of its conditions"
        names = [f"{number + 1} (line {self._policy.rules[number].position.line})" for number in covering]
        by = f"rule{'s' * (len(names) > 1)} {listed(names)}"
        return f"every request that meets its conditions is decided earlier, by {by}"

    @cached_property
    def _covering(self) -> dict[int, list[int]]:
        """For each rule that decides nothing, the rules that decide the requests which meet all of its conditions."""
        unreached = sum(1 << rule.index for rule in self._policy.rules if not self._outcomes[rule.index])
        found: dict[tuple[int, bool], list[int]] = defaultdict(list)
        for deciding in range(len(self._policy.rules)):
            open_to = {True: unreached, False: unreached}  # by whether users are honest
            for outcome in self._outcomes[deciding]:
                honest = outcome.identity.honest
                for bit in bits(outcome.cells[0].mask & outcome.identity.mask & open_to[honest]):
                    covered = bit.bit_length() - 1
                    wanted = self._space.identities.wanted[covered]
                    if (outcome.region.having(wanted) if wanted else outcome.region).possible():
                        found[covered, honest].append(deciding)
                        open_to[honest] ^= bit
        return {rule: found.get((rule, True)) or some for (rule, _), some in found.items()}

    def _classes(self) -> Iterator[PlannedWitness]:
        """A request of every class of the space, of a new kind each time as long as there are any."""
        by_mask: dict[int, list[ClassDecision]] = defaultdict(list)
        for outcomes in self._outcomes.values():
            for outcome in outcomes:
                by_mask[outcome.cells[0].mask].append(outcome)
        number = 0
        for outcomes in by_mask.values():
            cells = outcomes[0].cells
            longest = max(len(outcomes), len(cells))
            for outcome, cell in zip(_around(outcomes, longest), _around(cells, longest), strict=True):
                number += 1
                name = f"class-{number:05}"
                attributes = cell.attributes(self._space.user(outcome))
                rule = self._policy.rule_at(outcome.deciding[0])
                try:
                    yield self._planned(name, rule, performable(attributes), "", rule)
                except NotPerformable as no:
                    who = who_text(self._space.identities, [(outcome.identity, outcome.region)])
                    self._unperformed.append(
                        Unperformed(f"{asked_text(replace(attributes, user=None))} by {who}", str(no))
                    )


def _around(some: Sequence[T], count: int) -> Iterator[T]:
    """The items, repeated cyclically to ``count`` in total."""
    return islice(cycle(some), count)


def _ids(planned: list[PlannedWitness]) -> tuple[str, ...]:
    return tuple(one.id for one in planned)


def _name(rule: PolicyRule) -> str:
    return f"rule-{rule.index + 1:02}"


def _text(rule: PolicyRule) -> str:
    return f"rule {rule.index + 1}"
