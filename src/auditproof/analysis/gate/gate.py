"""Two policies in one space, with selectors behind their rules: what is forbidden, and who has acknowledged it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.analysis.diff import change_between, witness_of
from auditproof.analysis.gate.bodies import BODIES, Bodies
from auditproof.analysis.gate.consequence import Consequence, Relation, consequences, gains
from auditproof.analysis.space import ResourceCell, Space, merge
from auditproof.analysis.space.cells import SERVED
from auditproof.audit.decide import matches

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import date

    from auditproof.analysis.diff import Change, PolicyDiff
    from auditproof.analysis.gate.acknowledged import Acknowledgement
    from auditproof.analysis.space import ClassDecision, Row
    from auditproof.analysis.space.client_request import Witnessed
    from auditproof.audit.policy.load import Policy, PolicyRule
    from auditproof.kube.attributes import Attributes
    from auditproof.kube.discovery import Served

_ORDER = {one: place for place, one in enumerate(Consequence)}
AcknowledgedBy = tuple[Consequence, int | None]  # a consequence, and the entry that acknowledges it
Key = tuple[tuple[AcknowledgedBy, ...], "Change"]


@dataclass(frozen=True, slots=True)
class Forbidden:
    """Requests to which something forbidden happens, in the same way.

    ``rules`` are the pairs of deciding rules (None: no rule matches), ``witness`` is one such request, ``by`` are the
    acknowledgements, None in it where a consequence has none. ``lists`` are the rules that tell them from others.
    """

    row: Row[Key]
    rules: tuple[tuple[PolicyRule | None, PolicyRule | None], ...]
    witness: Witnessed
    by: tuple[Acknowledgement | None, ...]
    lists: tuple[tuple[PolicyRule, ...], ...]
    resources: tuple[str, ...] = ()  # as selectors name them, with * where no list of names could be complete
    namespaces: tuple[str, ...] = ()  # empty if not all of them are named in a rule

    @property
    def consequences(self) -> tuple[Consequence, ...]:
        """What happens to them that is forbidden, worst first."""
        return tuple(consequence for consequence, _ in self.row.key[0])

    @property
    def change(self) -> Change:
        """How their recording changes."""
        return self.row.key[1]

    def includes(self, request: Attributes) -> bool:
        """Whether ``request`` is one of them."""
        deciding = tuple(
            next((n for n, rule in enumerate(rules) if matches(rule, request)), None) for rules in self.lists
        )
        asked = request.api_group, request.resource, request.subresource
        return deciding in self.row.deciding and any(
            request.verb in cell.verbs
            and outcome.identity.failed is (request.user is None)
            and isinstance(cell, ResourceCell) is request.resource_request
            and any((one.group, one.resource, one.subresource) == asked for one in getattr(cell, "targets", ()))
            is request.resource_request
            for outcome, cell in self.row.classes
        )

    @property
    def acknowledged(self) -> bool:
        """Whether all of it is acknowledged."""
        return None not in self.by


@dataclass(frozen=True, slots=True)
class GateResult:
    """Whether a change may go in: the ``relation`` of the policies, and everything ``forbidden`` that it does.

    ``unused`` are acknowledgements that cover nothing, ``expired`` those whose last day is over. ``blinded`` names the
    detection rules that the change must not blind, and does.
    """

    old: Policy
    new: Policy
    kubernetes: str
    relation: Relation
    forbidden: tuple[Forbidden, ...]
    unused: tuple[Acknowledgement, ...] = ()
    expired: tuple[Acknowledgement, ...] = ()
    blinded: tuple[str, ...] = ()

    @property
    def open(self) -> tuple[Forbidden, ...]:
        """What is forbidden and not acknowledged."""
        return tuple(one for one in self.forbidden if not one.acknowledged)

    @property
    def passes(self) -> bool:
        """Whether nothing forbidden is left that no one has acknowledged, and no detection rule is blinded."""
        return not self.open and not self.blinded


def gate(
    old: Policy,
    new: Policy,
    served: Served,
    *,
    forbid: Collection[Consequence],
    only: Sequence[PolicyRule] = (),
    acknowledged: Sequence[Acknowledgement] = (),
    today: date | None = None,
) -> GateResult:
    """Compare ``old`` and ``new`` over every class of requests that they, ``only`` and the acknowledgements tell apart.

    ``forbid`` is what must not happen, to the requests that ``only`` selects (none: to all). An acknowledgement covers
    exactly the requests that it selects and the consequences that it names, until its last day (compared with
    ``today``; None: no day is over).

    >>> from auditproof import load_policy, load_served
    >>> from auditproof.analysis.gate import consequences_named, gate
    >>> old, new = (load_policy(f"fixtures/policies/{name}.yaml") for name in ("baseline", "nothing"))
    >>> result = gate(old, new, load_served("1.37"), forbid=consequences_named(["lost"]))
    >>> str(result.relation), result.passes
    ('records less', False)
    """
    return _Gate(old, new, served, forbid, only, acknowledged, today).result()


def shown_by(one: Forbidden, diff: PolicyDiff) -> int | None:
    """The number (from 1) of the difference whose witness is one of these requests and can be sent; None if none is."""
    for number, difference in enumerate(diff.differences, 1):
        sent = difference.witness.performable
        if sent is not None and difference.change == one.change and one.includes(sent.attributes):
            return number
    return None


class _Gate:
    """The space of one comparison."""

    def __init__(
        self,
        old: Policy,
        new: Policy,
        served: Served,
        forbid: Collection[Consequence],
        only: Sequence[PolicyRule],
        acknowledged: Sequence[Acknowledgement],
        today: date | None,
    ) -> None:
        self._old, self._new, self._kubernetes = old, new, served.kubernetes
        self._forbid, self._only, self._acknowledged = frozenset(forbid), bool(only), tuple(acknowledged)
        self._expired = {
            n for n, one in enumerate(acknowledged) if today is not None and one.until is not None and one.until < today
        }
        lists = [old.rules, new.rules, *BODIES, tuple(only), *(one.requests for one in acknowledged)]
        self._space = Space.of([rule for rules in lists for rule in rules], served)
        ends = [sum(map(len, lists[: n + 1])) for n in range(len(lists))]
        self._lists = [(end - len(rules), end) for rules, end in zip(lists, ends, strict=True)]
        self._named = frozenset(name for rule in self._space.rules for name in rule.namespaces)
        self._groups = {entry.group for rule in self._space.rules for entry in rule.resources} | set(served.groups)
        self._used: set[int] = set()
        self._gains = self._loses = False
        self._changes: dict[tuple[int | None, int | None, bool], Change | None] = {}

    def result(self) -> GateResult:
        keyed = self._without_the_odd([(one, self._key(one)) for one in self._space.outcomes(*self._lists)])
        rows = merge(self._space, keyed) if any(key for _, key in keyed) else ()
        forbidden = tuple(self._forbidden(row) for row in sorted(rows, key=_worst_first))
        unused = [one for n, one in enumerate(self._acknowledged) if n not in self._used and n not in self._expired]
        return GateResult(
            self._old,
            self._new,
            self._kubernetes,
            Relation.of(gains=self._gains, loses=self._loses),
            forbidden,
            tuple(unused),
            tuple(self._acknowledged[n] for n in sorted(self._expired)),
        )

    @staticmethod
    def _without_the_odd(keyed: list[tuple[ClassDecision, Key | None]]) -> list[tuple[ClassDecision, Key | None]]:
        """The same, without requests of no ordinary client where the same rules do the same to ordinary ones.

        Those stand for them, also if they are acknowledged: no one could name every resource that is not served.
        """
        ordinary = {_done(outcome, key) for outcome, key in keyed if key is not None and _is_ordinary(outcome)}
        return [
            (
                outcome,
                key if key is not None and (_is_ordinary(outcome) or _done(outcome, key) not in ordinary) else None,
            )
            for outcome, key in keyed
        ]

    def _key(self, outcome: ClassDecision) -> Key | None:
        before, after, sent, returned, secret_sent, secret_returned, only, *entries = outcome.deciding
        failed = outcome.identity.failed
        key = before, after, failed
        if key not in self._changes:
            self._changes[key] = change_between(self._old, self._new, *key)
        change = self._changes[key]
        if change is None:
            return None
        old, new = change.old, change.new
        # The relation of the two policies is about all requests, so before the gate looks away from any.
        self._gains |= gains(old, new)
        self._loses |= gains(new, old)
        flags = (sent, returned, secret_sent, secret_returned)
        bodies = Bodies(*(flag is not None and not failed for flag in flags))
        if self._only and only is None:
            return None
        happened = sorted(consequences(old, new, bodies) & self._forbid, key=_ORDER.__getitem__)
        if not happened:
            return None
        covering = [n for n, entry in enumerate(entries) if entry is not None and n not in self._expired]
        by = tuple((one, next((n for n in covering if one in self._acknowledged[n].effects), None)) for one in happened)
        self._used.update(n for _, n in by if n is not None)
        return by, change

    def _forbidden(self, row: Row[Key]) -> Forbidden:
        rules = dict.fromkeys(
            (self._old.rule_at(before), self._new.rule_at(after)) for before, after, *_ in row.deciding
        )
        witness = witness_of(row, row.key[1], self._space)
        by = tuple(None if n is None else self._acknowledged[n] for _, n in row.key[0])
        found = dict.fromkeys(name for _, cell in row.classes for name in getattr(cell, "namespaces", ()))
        namespaces = tuple(found) if self._named.issuperset(found) else ()
        lists = tuple(self._space.rules[first:end] for first, end in self._lists)
        return Forbidden(row, tuple(rules), witness, by, lists, self._resources(row), namespaces)

    def _resources(self, row: Row[Key]) -> tuple[str, ...]:
        targets = dict.fromkeys(target for _, cell in row.classes for target in getattr(cell, "targets", ()))
        names: dict[str, None] = {}
        for target in (target for target in targets if target.text in row.product.resources):
            if target.known:
                names[target.text] = None
            elif target.group in self._groups:
                names[f"*.{target.group}"] = None
            else:
                return ("*",)  # a resource that no one has named, in a group that no one has named
        return tuple(names)


def _is_ordinary(outcome: ClassDecision) -> bool:
    return outcome.oddness[:2] == (SERVED, 0)


def _done(outcome: ClassDecision, key: Key) -> tuple[object, ...]:
    """Which rules do what to the requests of a class."""
    return outcome.deciding[:2], tuple(consequence for consequence, _ in key[0])


def _worst_first(row: Row[Key]) -> tuple[object, ...]:
    acknowledged = all(entry is not None for _, entry in row.key[0])
    worst = min(_ORDER[consequence] for consequence, _ in row.key[0])
    change = row.key[1]
    return acknowledged, row.ordinary, worst, change.rank, change.text, -len(row.classes), row.who, row.product.what
