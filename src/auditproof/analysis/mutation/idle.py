"""Cases that no mistake in a policy can break. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.analysis.mutation.mutants import one_step_mutants

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditproof.analysis.mutation.strength import Stated
    from auditproof.audit.policy.load import Policy


def idle_cases(policy: Policy, stated: Sequence[Stated]) -> tuple[str, ...]:
    """The names of the cases whose statement holds for ``policy`` and for every one-step mutant of it.

    Such a case does not fail, whatever single mistake is made: for example, one that expects no event of a request that
    no rule comes near.
    """
    left = [case for case in stated if case.holds(policy)]
    for mutant in one_step_mutants(policy):
        if not left:
            break
        left = [case for case in left if case.holds(mutant.policy)]
    return tuple(case.name for case in left)
