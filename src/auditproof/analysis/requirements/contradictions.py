"""Finds requirements that no policy can meet together, with the requests for which they contradict each other."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, combinations, product
from typing import TYPE_CHECKING

from auditproof.analysis.space import Space, merge
from auditproof.analysis.space.cells import SERVED
from auditproof.analysis.space.client_request import most_performable
from auditproof.analysis.space.streams import STREAMS, emitted_by, streams_from
from auditproof.audit.event import Level, Stage
from auditproof.audit.stages import FAILED, LONG, SHORT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from auditproof.analysis.requirements.requirement import Bound, Requirement
    from auditproof.analysis.space import ClassDecision, Row
    from auditproof.analysis.space.client_request import Witnessed
    from auditproof.audit.policy.load import PolicyRule
    from auditproof.kube.discovery import Served


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Requirements that contradict each other, any fewer of them do not; for which requests, and one of these."""

    requirements: tuple[Requirement, ...]
    row: Row[str]
    witness: Witnessed

    @property
    def text(self) -> str:
        """What the requirements want, e.g. "exactly Request against at most Metadata"."""
        return " against ".join(str(one.bound) for one in self.requirements)


def contradictions(requirements: Sequence[Requirement], served: Served) -> tuple[Contradiction, ...]:
    """Every pair of requirements that no policy can meet together, or three of which no pair contradicts itself.

    Each has a row of requests to which all of them apply, on a server that serves ``served``: only requests of honest
    clients that the server serves.

    >>> from auditproof import load_requirements, load_served
    >>> from auditproof.analysis.requirements import contradictions
    >>> both = [*load_requirements("cis").requirements, *load_requirements("stig").requirements]
    >>> found = contradictions(both, load_served("1.37"))
    >>> found[0].text
    'at most Metadata against exactly RequestResponse'
    """
    found: list[Contradiction] = []
    settled: set[frozenset[int]] = set()
    for size in (2, 3):
        for numbers in combinations(range(len(requirements)), size):
            some = tuple(requirements[n] for n in numbers)
            # Pairs with incompatible bounds contradict each other, or never apply to the same request; nor do triples.
            if any(frozenset(pair) in settled for pair in combinations(numbers, 2)):
                continue
            if any(
                _cannot(bounds, emitted)
                for emitted in (SHORT, LONG, FAILED)
                for bounds in product(*(one.bounds(emitted) for one in some))
            ):
                settled.add(frozenset(numbers))
                found += _between(some, served)
    return tuple(found)


def _cannot(bounds: Sequence[Bound], emitted: frozenset[Stage]) -> bool:
    """Whether no level and stages are within all bounds, for a request whose stages are ``emitted``."""
    levels = frozenset(Level).intersection(*(bound.levels for bound in bounds))
    if not levels:
        return True
    stages = [bound.stages for bound in bounds if bound.stages is not None]
    least = frozenset[Stage]().union(*(bound.least for bound in stages)) & emitted
    most = frozenset(Stage).intersection(*(bound.most for bound in stages))
    # What is not recorded has no stages; what is recorded has at least one.
    return Level.NONE not in levels and not (least <= most and most & emitted)


def _between(some: tuple[Requirement, ...], served: Served) -> Iterator[Contradiction]:
    rules: list[PolicyRule] = []
    lists: list[tuple[int, int]] = []
    for one in some:
        for own in one.rule_lists:
            lists.append((len(rules), len(rules) + len(own)))
            rules += own
    ends = [*accumulate(len(one.rule_lists) for one in some)]
    streams = streams_from(len(rules))
    space = Space.of([*rules, *STREAMS], served)

    def key(outcome: ClassDecision) -> str | None:
        # Only requests that ordinary clients send and the server serves: no one requires anything of others.
        if outcome.oddness[:2] != (SERVED, 0):
            return None
        emitted = emitted_by(outcome, streams)
        places = [outcome.deciding[end - len(one.rule_lists) : end] for one, end in zip(some, ends, strict=True)]
        found = [one.bound_at(own, emitted) for one, own in zip(some, places, strict=True)]
        bounds = [bound for bound in found if bound is not None]
        return "contradicted" if len(bounds) == len(some) and _cannot(bounds, emitted) else None

    keyed = [(outcome, key(outcome)) for outcome in space.outcomes(*lists)]
    rows = merge(space, keyed) if any(which for _, which in keyed) else ()
    for row in sorted(rows, key=lambda row: -len(row.classes)):
        if row.served and row.honest:
            yield Contradiction(some, row, most_performable(row.requests(space)))
