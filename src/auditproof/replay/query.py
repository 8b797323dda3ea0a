"""The query that judges recorded events: from the columns of an event to rule, level and omitted stage. Pure.

Each step is a SELECT around the one before, so that every expression is written once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from auditproof.replay import sql
from auditproof.replay.expression import deciding_rule, level_of_rule, omitted_at_stage
from auditproof.replay.request import (
    EventColumns,
    Step,
    line_step,
    names_matter,
    place_step,
    request_columns,
    request_step,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlglot.expressions import Expr, Select

    from auditproof.audit.policy.load import Policy


@dataclass(frozen=True, slots=True)
class PolicyColumns:
    """The columns that ``judged`` adds for one policy; ``suffix`` tells those of several policies apart."""

    policy: Policy
    suffix: str = ""

    @property
    def rule(self) -> str:
        """The index of the deciding rule, NO_RULE if there is none."""
        return f"rule{self.suffix}"

    @property
    def level(self) -> str:
        """The level that the policy gives the request."""
        return f"policy_level{self.suffix}"

    @property
    def omitted(self) -> str:
        """Whether the policy omits the stage of the event."""
        return f"omitted{self.suffix}"


# The event's columns under the names that every engine's first SELECT gives them.
EVENT = EventColumns(
    authenticated=sql.column("authenticated"),
    user=sql.column("username"),
    verb=sql.column("verb"),
    uri=sql.column("request_uri"),
    has_reference=sql.column("has_reference"),
    namespace=sql.column("namespace"),
    group=sql.column("api_group"),
    version=sql.column("api_version"),
    resource=sql.column("resource"),
    subresource=sql.column("subresource"),
    name=sql.column("name"),
)
GROUPS = "user_groups"
STAGE = "stage"


def in_array(group: str) -> Expr:
    """Whether the array GROUPS holds a group."""
    return exp.ArrayContains(this=sql.column(GROUPS), expression=sql.text(group))


def judged(
    events: Select,
    policies: Sequence[PolicyColumns],
    in_group: Callable[[str], Expr] = in_array,
    *,
    names: bool = False,
) -> Select:
    """Every event of ``events`` with all of its columns, those of its request, ``exact``, and those of each policy.

    ``events`` has the columns of EVENT, GROUPS and STAGE, none of them NULL. Where ``exact`` is false, the columns of
    the policies are computed from objectRef, and the policy may decide otherwise (see ``request``). ``names`` says that
    the name of an object counts, although no policy looks at it.
    """
    names = names or any(names_matter(one.policy) for one in policies)
    found = events
    for step in (line_step(EVENT), place_step(EVENT), request_step(EVENT, names=names)):
        found = extended(found, step)
    request = request_columns(EVENT, in_group)
    found = extended(found, Step({one.rule: deciding_rule(one.policy, request) for one in policies}))
    return extended(found, Step(dict(_columns(policies))))


def _columns(policies: Sequence[PolicyColumns]) -> list[tuple[str, Expr]]:
    found = []
    for one in policies:
        rule = sql.column(one.rule)
        found.append((one.level, level_of_rule(one.policy, rule)))
        found.append((one.omitted, omitted_at_stage(one.policy, rule, sql.column(STAGE))))
    return found


def extended(query: Select, step: Step) -> Select:
    """All columns of a query, and those of a step."""
    columns = [exp.alias_(value, name) for name, value in step.columns.items()]
    return exp.select("*", *columns, copy=False).from_(query.subquery("t", copy=False), copy=False)
