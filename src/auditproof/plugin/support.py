"""What an item needs that the cluster of the run does not give: then it is not supported, never faked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.audit.policy.load import version_of
from auditproof.audit.server_flags import NO_SETTINGS
from auditproof.errors import AuditproofError
from auditproof.kube.capability import Capability
from auditproof.setup.shared_cluster import needs_cluster_rights

if TYPE_CHECKING:
    from auditproof.cases.case import Case
    from auditproof.plugin.benches import Wanted
    from auditproof.plugin.collect import CaseItem
    from auditproof.plugin.proving import AuditSession


class Support:
    """Tells what items need and the session's cluster lacks."""

    def __init__(self, session: AuditSession) -> None:
        self._session = session
        self._missing: dict[str, tuple[str, ...]] = {}

    def missing(self, item: CaseItem) -> tuple[str, ...]:
        """What a case needs and this cluster lacks: a newer Kubernetes, or capabilities, or what is nobody else's."""
        if self.too_old(item):
            return (f"Kubernetes {item.case.since}",)
        if item.nodeid not in self._missing:
            needs = item.case.needs | self.needed_of_server(item.wanted)
            self._missing[item.nodeid] = self.lacking(item.case, item.wanted, needs=needs)
        return self._missing[item.nodeid]

    def too_old(self, item: CaseItem) -> bool:
        """Whether a case is about a newer Kubernetes than this run's."""
        since = item.case.since
        return since != "" and version_of(self._session.options.kubernetes) < version_of(since)

    def lacking(
        self, case: Case, wanted: Wanted, *, needs: frozenset[Capability], states_more: bool = False
    ) -> tuple[str, ...]:
        """What a case needs, beside ``needs``, that the cluster does not give.

        ``states_more``: more is expected than what the policy decides.
        """
        if needs_cluster_rights(
            case.identity, case.request, case.attributes, case.expectation, case.given, states_more
        ):
            needs |= {Capability.GRANTS_CLUSTER_RIGHTS}
        lacking = tuple(sorted(needs - self._session.provider.capabilities)) if needs else ()
        if lacking or Capability.SETS_POLICY in self._session.provider.capabilities or self._session.unusable:
            return lacking
        return self._somebody_elses(case, wanted)

    def needed_of_server(self, wanted: Wanted) -> frozenset[Capability]:
        """What an item needs that wants a server with this policy and these flags."""
        bench = self._session.bench(wanted)
        given = bench.running == self._session.given_policy() and bench.settings == NO_SETTINGS
        return frozenset() if given else frozenset({Capability.SETS_POLICY})

    def _somebody_elses(self, case: Case, wanted: Wanted) -> tuple[str, ...]:
        try:
            text = self._session.prover(self._session.bench(wanted)).unsupported(case.identity, case.given)
        except AuditproofError:
            return ()  # whoever proves the case is told
        return (f"a cluster of its own: there is {text}",) if text else ()
