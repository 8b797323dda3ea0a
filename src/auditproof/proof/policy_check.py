"""Checks that a server runs the given policy, with a request for every rule, before all other proofs.

A server that this run has started certainly runs it; an existing one may run an older file, or another one.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from auditproof.analysis.space import Space
from auditproof.analysis.space.client_request import NotPerformable, asked_text, performable
from auditproof.cases.case import Case
from auditproof.proof.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from auditproof.analysis.space.client_request import Performable
    from auditproof.audit.policy.load import Policy
    from auditproof.kube.discovery import Served
    from auditproof.kube.identity import Identity
    from auditproof.proof.prover import Prover


def doubt_that_it_runs(prover: Prover, policy: Policy, served: Served) -> tuple[str | None, bool]:
    """Why the server seems not to run ``policy``, None if it does; and whether an event in the log shows that.

    Raises AuditproofError if nothing can be performed.
    """
    cases = [
        Case(f"identification-{n}", sent.identity, sent.request)
        for n, sent in enumerate(_of_every_rule(policy, served, prover.can_act))
    ]
    proofs = prover.prove(cases)
    wrong = [proof for proof in proofs if proof.verdict.outcome is Outcome.VIOLATED]
    if wrong:
        asked, reason = asked_text(wrong[0].case.attributes), wrong[0].verdict.reasons[0]
        return f"the server does not run this policy: {asked}: {reason} ({len(wrong)} of {len(proofs)} requests)", True
    unproven = [proof for proof in proofs if proof.verdict.outcome is Outcome.UNPROVEN]
    if len(unproven) == len(proofs):
        reason = (
            unproven[0].verdict.reasons[0]
            if unproven
            else "no request that its rules decide can be sent to this cluster"
        )
        return f"nothing shows that the server runs this policy, and that this is its log: {reason}", False
    return None, False


def _of_every_rule(policy: Policy, served: Served, can: Callable[[Identity], bool]) -> Iterator[Performable]:
    """A request for each rule, and one that no rule matches, by identities that ``can`` allows."""
    space = Space.of(policy.rules, served)
    decided: set[int | None] = set()
    for outcome in sorted(space.outcomes(), key=lambda outcome: outcome.oddness):
        # One request for each rule is enough to tell one policy from another.
        if outcome.deciding[0] in decided:
            continue
        with suppress(NotPerformable):
            sent = performable(outcome.cells[0].attributes(space.user(outcome)))
            if can(sent.identity):
                decided.add(outcome.deciding[0])
                yield sent
