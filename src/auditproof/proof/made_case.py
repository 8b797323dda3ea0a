"""The cases that are made from policies and requirements: all of them by the same function."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.cases.case import Case, Source
from auditproof.cases.expectation import Expectation

if TYPE_CHECKING:
    from auditproof.analysis.space.client_request import Performable
    from auditproof.errors import Position

AS_DECIDED = Expectation()  # what the policy decides is what must be recorded


def case_of(
    name: str,
    sent: Performable,
    *,
    title: str,
    position: Position,
    because: str = "",
    expectation: Expectation = AS_DECIDED,
) -> Case:
    """The case with the id ``name`` that performs ``sent``; ``position`` is the rule or requirement that it shows."""
    return Case(
        name,
        sent.identity,
        sent.request,
        expectation,
        title=title,
        because=because,
        needs=sent.identity.needs,
        source=Source(position, made=True),
    )
