"""What a case needs and the run's cluster lacks: such a case is reported as not supported, never faked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.errors import AuditproofError
from auditproof.kube.capability import Capability
from auditproof.setup.shared_cluster import needs_cluster_rights

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditproof.cases.case import Case
    from auditproof.proof.placement import Placement


class Support:
    """Returns what cases need and the run's cluster lacks.

    ``kubernetes`` is the version of the run, ``capabilities`` returns what its clusters can do. ``is_given`` returns
    whether a placement is the given policy on a server with default flags. ``unsupported`` returns what else prevents a
    case at a placement, None if nothing does; it may raise AuditproofError, if no server can be started.
    """

    def __init__(
        self,
        kubernetes: str,
        capabilities: Callable[[], frozenset[Capability]],
        is_given: Callable[[Placement], bool],
        unsupported: Callable[[Case, Placement], str | None],
    ) -> None:
        self._kubernetes = kubernetes
        self._capabilities = capabilities
        self._is_given = is_given
        self._unsupported = unsupported
        self._missing: dict[str, tuple[str, ...]] = {}

    def missing(self, case: Case, placement: Placement) -> tuple[str, ...]:
        """What a case needs and this cluster lacks: another Kubernetes, capabilities, or a cluster of its own."""
        if not case.holds_on(self._kubernetes):
            if not case.until:
                versions = f"Kubernetes {case.since}"
            else:
                versions = (
                    f"Kubernetes {case.since} to {case.until}" if case.since else f"Kubernetes {case.until} or older"
                )
            return (versions,)
        if case.id not in self._missing:
            needs = case.needs | self.needed_of_server(placement)
            self._missing[case.id] = self.lacking(case, placement, needs=needs)
        return self._missing[case.id]

    def of_other_versions(self, case: Case) -> bool:
        """Whether this run's Kubernetes is not among the versions for which the case holds."""
        return not case.holds_on(self._kubernetes)

    def lacking(
        self, case: Case, placement: Placement, *, needs: frozenset[Capability], states_more: bool = False
    ) -> tuple[str, ...]:
        """What the cluster lacks of ``needs`` and of the other needs of a case.

        ``states_more``: the case expects more than the policy's decision.
        """
        if needs_cluster_rights(
            case.identity, case.request, case.attributes, case.expectation, case.given, states_more
        ):
            needs |= {Capability.GRANTS_CLUSTER_RIGHTS}
        lacking = tuple(sorted(needs - self._capabilities())) if needs else ()
        # Only an existing cluster can have another reason, and finding it joins the cluster.
        if lacking or Capability.SETS_POLICY in self._capabilities():
            return lacking
        try:
            reason = self._unsupported(case, placement)
        except AuditproofError:
            return ()  # the same error is the outcome of the case
        return (f"a cluster of its own: there is {reason}",) if reason else ()

    def needed_of_server(self, placement: Placement) -> frozenset[Capability]:
        """The capabilities that a server with this policy and these flags needs."""
        return frozenset() if self._is_given(placement) else frozenset({Capability.SETS_POLICY})
