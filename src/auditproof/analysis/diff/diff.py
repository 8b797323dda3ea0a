"""Two policies in one space: every class of requests whose Effect differs, merged into rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from auditproof.analysis.diff.change import Change
from auditproof.analysis.space import Space, merge
from auditproof.analysis.space.body_request import accepted, requests_with_bodies
from auditproof.analysis.space.client_request import most_performable
from auditproof.audit.decide import decided_by
from auditproof.audit.effect import effect_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.analysis.space import ClassDecision, Row
    from auditproof.analysis.space.client_request import Witnessed
    from auditproof.audit.policy.load import Policy, PolicyRule
    from auditproof.kube.discovery import Served


@dataclass(frozen=True, slots=True)
class Difference:
    """Requests whose recording changes in the same way.

    ``rules`` are the pairs of deciding rules (None: no rule matches), ``witness`` is one such request.
    """

    row: Row[Change]
    rules: tuple[tuple[PolicyRule | None, PolicyRule | None], ...]
    witness: Witnessed

    @property
    def change(self) -> Change:
        """What changes."""
        return self.row.key


@dataclass(frozen=True, slots=True)
class PolicyDiff:
    """All differences between the policies ``old`` and ``new`` on an API server of version ``kubernetes``, worst first.

    >>> from auditproof import diff, load_policy, load_served
    >>> policy = load_policy("fixtures/policies/baseline.yaml")
    >>> diff(policy, policy, load_served("1.37")).differences
    ()
    """

    old: Policy
    new: Policy
    kubernetes: str
    differences: tuple[Difference, ...]


def changed(old: Policy, new: Policy, served: Served) -> tuple[Space, Iterator[tuple[ClassDecision, Change | None]]]:
    """The space of both policies, with all of its outcomes, each with its Change or None where there is none."""
    count = len(old.rules)
    space = Space.of(old.rules + new.rules, served)
    known: dict[tuple[int | None, int | None, bool], Change | None] = {}

    def changes() -> Iterator[tuple[ClassDecision, Change | None]]:
        for outcome in space.outcomes((0, count), (count, count + len(new.rules))):
            before, after = outcome.deciding
            key = (before, after, outcome.identity.failed)
            if key not in known:
                known[key] = change_between(old, new, *key)
            yield outcome, known[key]

    return space, changes()


def change_between(old: Policy, new: Policy, before: int | None, after: int | None, failed: bool) -> Change | None:
    """The change from one rule to another, by their indexes (None: no rule matches); None if nothing changes.

    A failed login with the same change is described as for everybody.
    """
    decisions = decided_by(old, old.rule_at(before)), decided_by(new, new.rule_at(after))
    first, second = (effect_of(decision, failed=failed) for decision in decisions)
    if first == second:
        return None
    ordinary = Change(*(effect_of(decision, failed=False) for decision in decisions))
    alike = (first.level, second.level) == (ordinary.old.level, ordinary.new.level)
    return ordinary if alike else Change(first, second)


def diff(old: Policy, new: Policy, served: Served) -> PolicyDiff:
    """Compute everything that ``new`` records differently from ``old``, on an API server that serves ``served``.

    Every class of requests that the policies distinguish is compared; those that change in the same way are one
    difference, with an example request, its ``witness``.

    >>> from auditproof import diff, load_policy, load_served
    >>> old, new = (load_policy(f"fixtures/policies/{name}.yaml") for name in ("baseline", "nothing"))
    >>> str(diff(old, new, load_served("1.37")).differences[0].change.kind)
    'stops being recorded'
    """
    space, changes = changed(old, new, served)
    rows = sorted(
        merge(space, changes),
        key=lambda row: (row.ordinary, row.key.rank, row.key.text, -len(row.classes), row.who, row.product.what),
    )
    differences = tuple(_difference(old, new, space, row) for row in rows)
    return PolicyDiff(old, new, served.kubernetes, differences)


def _difference(old: Policy, new: Policy, space: Space, row: Row[Change]) -> Difference:
    rules = tuple((old.rule_at(before), new.rule_at(after)) for before, after in row.deciding)
    return Difference(row, rules, witness_of(row, row.key, space))


def witness_of(row: Row[Any], change: Change, space: Space) -> Witnessed:
    """A request of the row that can be sent; if ``change`` is about bodies, one that really has a body."""
    if not change.about_bodies:
        return most_performable(row.requests(space), change.shows_in)
    found = most_performable(chain(requests_with_bodies(row, space), row.requests(space)), change.shows_in)
    return replace(found, performable=accepted(found.performable, space)) if found.performable else found
