"""Compares the policy decisions that the server has counted with the requests that were sent, and with the log.

The policy is evaluated once per request, and each evaluation is counted by its level, including None
(apiserver_audit_level_total; staging/src/k8s.io/apiserver/pkg/endpoints/filters/audit.go). A request that is not
counted has not reached the policy, whatever responded to it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.audit.event import Level
from auditproof.audit.stages import emitted_stages
from auditproof.proof.verdict import UNSETTLED

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from auditproof.audit.decide import Decision
    from auditproof.auditlog.metrics import AuditMetrics
    from auditproof.client.exchange import Exchange
    from auditproof.kube.attributes import Attributes


@dataclass(frozen=True, slots=True)
class Counted:
    """The evaluations between two readings of the counters, and the requests known to have been evaluated meanwhile.

    ``extra`` are auditproof's own requests that were answered and are not actions: each could hide an action that has
    not reached the policy. ``others`` are the levels of other clients' requests in the log.
    """

    before: AuditMetrics
    after: AuditMetrics
    extra: Sequence[Attributes] = ()
    others: Collection[Level] = ()

    def at(self, level: str) -> int:
        """How many evaluations resulted in a level."""
        return self.after.levels.get(level, 0) - self.before.levels.get(level, 0)

    @property
    def all(self) -> int:
        """How many evaluations there were."""
        return sum(self.after.levels.values()) - sum(self.before.levels.values())


def uncounted(
    sent: Sequence[Exchange], recorded: Collection[str], counted: Counted, decide: Callable[[Attributes], Decision]
) -> dict[str, str]:
    """A doubt, by Audit-ID, about each action without an event that the server may never have seen.

    ``recorded`` are the Audit-IDs that the log has events of, ``decide`` is the policy that the server runs.
    """
    decisions = {exchange.audit_id: decide(exchange.attributes) for exchange in sent}
    # Responses that certainly come from behind the filter that evaluates the policy.
    levels = [
        str(decisions[exchange.audit_id].level)
        for exchange in sent
        if exchange.echoed and not exchange.error and exchange.status not in (0, *UNSETTLED)
    ]
    levels += [str(decide(attributes).level) for attributes in counted.extra]
    due, everything = Counter(levels), len(levels) + len(counted.others)
    doubts: dict[str, str] = {}
    for exchange in sent:
        name = exchange.audit_id
        level = str(decisions[name].level)
        if name in recorded:
            continue
        if counted.at(level) < due[level] and not _leaves_events(exchange, decisions[name]):
            doubts[name] = f"the server counted {counted.at(level)} requests at level {level}, sent: {due[level]}"
        elif counted.all < everything:
            doubts[name] = (
                f"the server counted {counted.all} requests, but at least {everything} were sent to it: some of them "
                "never reached the policy, and this may be one"
            )
    return doubts


def miscounted(shown: Mapping[str, Level], counted: Counted) -> str | None:
    """Why the levels in the log cannot be the server's own: it decided so less often. Usually None."""
    for level, count in sorted(Counter(map(str, shown.values())).items()):
        if counted.at(level) < count:
            return (
                f"the log shows {count} requests at level {level}, but the server has decided {counted.at(level)} so: "
                "something changed the log"
            )
    return None


def _leaves_events(exchange: Exchange, decision: Decision) -> bool:
    """Whether the policy that the server runs records the action at any stage."""
    kept = emitted_stages(exchange.attributes, exchange.status) - decision.omit_stages
    return decision.level is not Level.NONE and bool(kept)
