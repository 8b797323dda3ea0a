"""fix(policy, requirements, served): a small edit of the rules with which the policy meets the requirements. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.analysis.fix.conditions import Inexpressible
from auditproof.analysis.fix.draft import Draft
from auditproof.analysis.fix.edits import Fix
from auditproof.analysis.fix.prune import unneeded
from auditproof.analysis.fix.repair import Repair
from auditproof.analysis.space import reachable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from auditproof.analysis.requirements import Requirement
    from auditproof.audit.policy.load import Policy
    from auditproof.kube.discovery import Served

FEW = 3  # new rules; for more of them, another way is worth trying
ROUNDS = 3  # an edit for one requirement may leave another one unmet


def fix(
    policy: Policy,
    requirements: Sequence[Requirement],
    served: Served,
    progress: Callable[[str], None] = lambda _: None,
    *,
    allow_more: bool = False,
) -> Fix:
    """Compute edits of ``policy`` with which it meets ``requirements``, on an API server that serves ``served``.

    An edit changes what is recorded of requests that violate a requirement, and of nothing else; failed logins with the
    same verb and object go with them, as they match the same rules unless these name users or groups. With
    ``allow_more``, other requests may be recorded as well, without bodies, if that needs fewer rules. The requirements
    must not contradict each other. ``progress`` is called with a line of text from time to time.

    >>> from auditproof import load_policy, load_requirements, load_served
    >>> from auditproof.analysis.fix import fix
    >>> policy = load_policy("fixtures/policies/nothing.yaml")
    >>> found = fix(policy, load_requirements("cis").requirements, load_served("1.37"))
    >>> bool(found.edits), found.unmet
    (True, ())
    """
    found = _in_turn(policy, requirements, served, progress, allow_more=allow_more)
    if found.unmet or found.size > FEW:
        # Failed logins match rules for everybody, so a rule for them has to be behind all others; what one requirement
        # needs may be in the way of another one; and one rule may do for several of them.
        late = [one for one, _ in found.unmet]
        first = [one for one in requirements if any(clause.failed for clause in one.clauses) or one in late]
        order = [*first, *(one for one in requirements if one not in first)]
        other = _in_turn(policy, order, served, progress, allow_more=allow_more, jointly=True)
        found = min(found, other, key=lambda one: (len(one.unmet), one.size))
    return found


def _in_turn(
    policy: Policy,
    requirements: Sequence[Requirement],
    served: Served,
    progress: Callable[[str], None],
    *,
    allow_more: bool,
    jointly: bool = False,
) -> Fix:
    """The edits for one requirement after the other; ``jointly``: each may do what others need as well."""
    draft = Draft(policy)
    unmet: dict[str, tuple[Requirement, str]] = {}
    met: dict[str, Policy] = {}  # by which edits so far
    for _ in range(ROUNDS):
        edited = False
        for number, requirement in enumerate(requirements, 1):
            if met.get(requirement.id) == draft.policy():
                continue
            progress(f"{number} of {len(requirements)} requirements: {requirement.id}")
            unmet.pop(requirement.id, None)
            try:
                others = [one for one in requirements if jointly and one is not requirement]
                while Repair(draft, requirement, served, others=others, allow_more=allow_more).done():
                    edited = True
                met[requirement.id] = draft.policy()
            except Inexpressible as reason:
                unmet[requirement.id] = requirement, str(reason)
        if not edited:
            break
    progress("leaving out what is not needed")
    draft.drop(unneeded(policy, draft.policy(), draft.inserted(), requirements, served, allow_more=allow_more))
    draft.absorb()
    if draft.inserted():
        draft.remove_dead(reachable(policy, served).keys(), reachable(draft.policy(), served).keys())
    return Fix(tuple(draft.edits()), draft.policy(), tuple(unmet.values()))
