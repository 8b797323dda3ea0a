"""Actions that leave no event, and that the server has not counted: they may not have come so far."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from auditproof.audit import Level
from auditproof.stages import emitted_stages
from auditproof.verdict import UNSETTLED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from auditproof.attributes import Attributes
    from auditproof.counters import Counters
    from auditproof.decide import Decision
    from auditproof.exchange import Exchange


def uncounted(
    sent: Sequence[Exchange],
    beside: Iterable[Attributes],
    before: Counters,
    after: Counters,
    decide: Callable[[Attributes], Decision],
) -> dict[str, str]:
    """A doubt, by Audit-ID, about each action that leaves no event, where fewer were counted at its level than sent.

    ``beside`` are the other requests of ours that were answered in the meantime: each of them could make up for an
    action that has not come so far. ``decide`` is the policy that the server runs. It is evaluated once a request, and
    each evaluation counted, also one that excludes the request (k8s.io/apiserver pkg/endpoints/filters/audit.go): what
    is not counted has not come so far. Others may be counted, too.
    """
    decisions = [(exchange, decide(exchange.attributes)) for exchange in sent]
    due = Counter(str(decision.level) for exchange, decision in decisions if _reaches_the_policy(exchange))
    due.update(str(decide(attributes).level) for attributes in beside)
    found = {level: after.levels.get(level, 0) - before.levels.get(level, 0) for level in due}
    return {
        exchange.audit_id: f"the server counted {found[level]} requests at level {level}, sent: {due[level]}"
        for exchange, decision in decisions
        if found.get(level := str(decision.level), 0) < due[level] and not _leaves_events(exchange, decision)
    }


def _reaches_the_policy(exchange: Exchange) -> bool:
    """Whether the answer surely came from below the filter that evaluates the policy."""
    return exchange.echoed and not exchange.error and exchange.status not in (0, *UNSETTLED)


def _leaves_events(exchange: Exchange, decision: Decision) -> bool:
    """Whether the policy that the server runs has the action recorded at any stage."""
    kept = emitted_stages(exchange.attributes, exchange.status) - decision.omit_stages
    return decision.level is not Level.NONE and bool(kept)
