"""Plan, perform, fence, judge: the whole story of a batch of actions on one cluster.

All actions of a batch are sent first, one after the other; then one fence closes them all; then the log is read once
and every action is judged. So a proof costs little more than its request.
"""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from auditproof.audit.decide import decide
from auditproof.auditlog.merged_log import MergedLog
from auditproof.client.connection import Connection, sent_agent
from auditproof.client.exchange import Exchange
from auditproof.clusters.logs import open_logs
from auditproof.clusters.policy_files import check_given
from auditproof.errors import AuditproofError, ClusterError, LogUnreadable
from auditproof.kube.discovery import load_served
from auditproof.kube.identity import MASTERS, IdentityKind
from auditproof.proof.fence.fence import FENCE_TIMEOUT_S, Enclosure
from auditproof.proof.fence.result import Sent
from auditproof.proof.fence.sentinel import choose_sentinel
from auditproof.proof.server_watch import Vigil
from auditproof.proof.verdict import Evidence, Verdict, judge
from auditproof.setup.admin import AdminClient
from auditproof.setup.credentials import Credentials
from auditproof.setup.objects import Objects
from auditproof.setup.rbac import Rights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from auditproof.audit.event import AuditEvent
    from auditproof.audit.policy.load import Policy
    from auditproof.auditlog.file_log import AuditLog, Mark
    from auditproof.cases.case import Case
    from auditproof.client.credential import Credential
    from auditproof.clusters.cluster import Cluster
    from auditproof.kube.identity import Identity
    from auditproof.proof.fence.sentinel import Sentinel

MAX_WATCHES = 64  # sent beside each other, because each lasts a second or more


@dataclass(frozen=True, slots=True)
class Proof:
    """A case with its verdict."""

    case: Case
    verdict: Verdict


class Prover:
    """Proves actions on one cluster; not to be shared between threads.

    ``policy`` is what the actions are judged by, ``running`` what the server was started with: the same, but for a
    sabotage run. ``died`` returns what happened to the servers, None while they run. ``folder`` is
    private and takes the credentials. ``log`` is where the events are read, the cluster's log file unless it is given;
    ``request_log`` answers the text of the server's own log, empty where it says nothing of requests; ``patience_s`` is
    how long the end of a batch may take to get into the audit log. ``performed`` is called whenever an action was
    sent, from any thread.
    """

    def __init__(
        self,
        cluster: Cluster,
        policy: Policy,
        *,
        running: Policy,
        folder: Path,
        died: Callable[[], str | None],
        log: AuditLog | None = None,
        request_log: Callable[[], str] = lambda: "",
        patience_s: float = FENCE_TIMEOUT_S,
        performed: Callable[[], None] = lambda: None,
    ) -> None:
        self._vigil = Vigil(died, performed)
        self._cluster, self.kubernetes = cluster, cluster.kubernetes
        self._policy, self._running = policy, running
        self._admin = AdminClient(cluster)
        self._objects = Objects(cluster, self._admin)
        self._rights = Rights(cluster, self._admin, self._objects)
        self._credentials = Credentials(cluster, self._admin, self._objects, folder)
        self._wires: dict[Identity, Connection] = {}
        self._owners: dict[str, str | None] = {}
        self._run, self._count = f"auditproof-{secrets.token_hex(6)}", 0
        self.patience_s = patience_s
        logs = open_logs(cluster)
        self.log = log or (logs[0] if len(logs) == 1 else MergedLog(logs))
        self._doubts: tuple[str, ...] = ()
        self._own_groups = load_served(self.kubernetes.removeprefix("v")).groups
        self._foreign_groups: set[str] = set()  # for which another server answers
        self._enclosure = Enclosure(
            self.log,
            self._admin,
            self._sentinel(running),
            self._new_wire,
            self._next_id,
            died,
            lambda attributes: decide(running, attributes),
            request_log,
            cluster.servers,
            own=not cluster.is_shared,
        )

    def prove(self, cases: Sequence[Case]) -> tuple[Proof, ...]:
        """Perform all ``cases`` in order, fence them, and judge each.

        Raises AuditproofError where the set-up fails, so that nothing was performed. What goes wrong later makes
        verdicts UNPROVEN.
        """
        cases = self.begin(cases)
        return self.finish(cases, self.perform(cases))

    def begin(self, cases: Sequence[Case]) -> list[Case]:
        """Make what ``cases`` need, and note the end of the log; returns the cases as this cluster performs them.

        Raises AuditproofError where that fails, or where the server was given another policy than it is said to run.
        """
        self._vigil.begin()
        check_given(self._cluster, self._running)
        located = [self._located(case) for case in cases]
        try:
            self._prepare(located)
            self._enclosure.open()
        except AuditproofError:
            self._vigil.look()
            raise
        return located

    def perform(self, cases: Sequence[Case]) -> list[Sent]:
        """Send everything once, in order; only watches, and clients that do not just wait, run beside the rest.

        Watches have a connection of their own, and so has what asks for another protocol: the server may end that
        connection whatever it answers, and nothing else must be on it then.
        """
        with ThreadPoolExecutor(max_workers=MAX_WATCHES) as pool:
            watches = {
                case.id: pool.submit(self._send, case, self._new_wire(case.identity), self._next_id())
                for case in cases
                if case.attributes.verb == "watch" or case.request.client
            }
            return [
                watches[case.id].result() if case.id in watches else self._send(case, self._wire(case), self._next_id())
                for case in cases
            ]

    def perform_beside(self, cases: Sequence[Case], connections: int) -> list[Sent]:
        """Send everything once, on so many connections beside each other; all cases have the same identity."""
        parts = [[(case, self._next_id()) for case in cases[n::connections]] for n in range(connections)]
        wires = [self._new_wire(cases[0].identity) for _ in parts]
        with ThreadPoolExecutor(max_workers=connections) as pool:
            sent = list(
                pool.map(lambda wire, part: [self._send(case, wire, name) for case, name in part], wires, parts)
            )
        return [sent[n % connections][n // connections] for n in range(len(cases))]

    def finish(self, cases: Sequence[Case], sent: Sequence[Sent]) -> tuple[Proof, ...]:
        """Fence what was ``sent`` for ``cases``, in the same order, and judge each. Raises as check_given does."""
        fence = self._enclosure.close(sent, 0.0 if self._vigil.doubts else self.patience_s)
        check_given(self._cluster, self._running)
        for wire in {item.wire for item in sent} - set(self._wires.values()):
            wire.close()
        return tuple(self._judge(case, item, fence) for case, item in zip(cases, sent, strict=True))

    def doubt(self, text: str) -> None:
        """Let nothing be proven from now on that is not seen to be wrong, because of ``text``."""
        self._doubts = (text,)

    def cannot(self, identity: Identity, given: Iterable[Mapping[str, Any]] = ()) -> str:
        """What an action of ``identity`` with ``given`` needs and this cluster does not give; mostly nothing."""
        if not self._cluster.is_shared:
            return ""
        if MASTERS in identity.groups and self._cluster.authorities.client is None:
            return f"a signer that makes no certificate for {MASTERS}"
        paths = [f"/api/v1/namespaces/{each['metadata']['name']}" for each in given if each["kind"] == "Namespace"]
        if identity.kind is IdentityKind.SERVICE_ACCOUNT:
            namespace, name = identity.user.split(":")[2:]
            paths.append(f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}")
        return next((f"{path}, made by {whose}" for path in paths if (whose := self._whose(path))), "")

    def _whose(self, path: str) -> str | None:
        if path not in self._owners:
            self._owners[path] = self._objects.owner(path)
        return self._owners[path]

    def _sentinel(self, running: Policy) -> Sentinel | None:
        """The sentinel by somebody as whom one can act here.

        Raises ClusterError where the policy records something, but nothing that can be asked for here.
        """
        can: Callable[[Identity], bool] = lambda who: (  # noqa: E731
            who.needs <= self._cluster.capabilities and not self.cannot(who)
        )
        sentinel = choose_sentinel(running, can)
        if sentinel is None and choose_sentinel(running) is not None:
            raise ClusterError(
                f"{running.path}: nobody as whom one can act on this cluster makes a request that this policy records: "
                "nothing can be proven there"
            )
        return sentinel

    def credential(self, identity: Identity) -> Credential:
        """The credential by which ``identity`` acts on this cluster."""
        return self._credentials.of(identity)

    @property
    def url(self) -> str:
        """The https base address of the API server."""
        return self._cluster.url

    def mark(self) -> Mark:
        """The present end of the log. Raises LogUnreadable."""
        return self.log.mark()

    def recorded(self, since: Mark) -> tuple[AuditEvent, ...]:
        """Every event that the log holds after ``since``, whoever caused it.

        Raises LogUnreadable, also where a line is no event: nobody knows what it was.
        """
        found = self.log.read(since, lambda _: True)
        if found.problems:
            raise LogUnreadable("; ".join(found.problems))
        return found.events

    def close(self) -> None:
        """Close every connection."""
        for wire in self._wires.values():
            wire.close()
        self._enclosure.end()
        self._admin.close()

    def _located(self, case: Case) -> Case:
        """The case with the cluster's node in the place of ``<node>``."""
        return replace(case, request=case.request.on(self._objects.node)) if case.request.names_node else case

    def _prepare(self, cases: Sequence[Case]) -> None:
        given = {id(manifest): manifest for case in cases for manifest in case.given}.values()
        for manifest in given:
            self._objects.create(manifest)
        self._objects.await_admission(given)
        if groups := {case.attributes.api_group for case in cases} - self._own_groups:
            self._foreign_groups |= self._objects.aggregated(groups)
        self._rights.grant((case.identity, case.attributes) for case in cases)
        for identity in dict.fromkeys(case.identity for case in cases):
            if identity not in self._wires:
                self._wires[identity] = self._new_wire(identity)

    def _new_wire(self, identity: Identity) -> Connection:
        return Connection(self._cluster.url, self._cluster.ca, self._credentials.of(identity))

    def _next_id(self) -> str:
        self._count += 1
        return f"{self._run}-{self._count}"

    def _wire(self, case: Case) -> Connection:
        own = case.request.upgrade or case.request.client
        return self._new_wire(case.identity) if own else self._wires[case.identity]

    def _send(self, case: Case, wire: Connection, audit_id: str) -> Sent:
        agent = f"auditproof/{case.id} ({self._run})"
        response = self._vigil.send(wire, case.request, audit_id=audit_id, user_agent=agent)
        exchange = Exchange(
            audit_id=audit_id if response.was_sent else "",
            identity=case.identity,
            request=case.request,
            attributes=case.attributes,
            status=response.status,
            headers=response.headers,
            body=response.body,
            started=response.started,
            finished=response.finished,
            error=response.error,
            user=self._credentials.user(case.identity),
            user_agent=sent_agent(case.request, agent),
            client="" if self._cluster.is_shared else self._cluster.endpoint.client_address,
        )
        return Sent(exchange, wire, response.connection)

    def _judge(self, case: Case, sent: Sent, fence: Any) -> Proof:
        exchange = sent.exchange
        evidence = Evidence(
            exchange=exchange,
            events=fence.events.get(exchange.audit_id, ()),
            decision=decide(self._policy, exchange.attributes),
            doubts=tuple(dict.fromkeys((*self._vigil.doubts, *self._doubts, *fence.doubts_about(sent)))),
            fence=fence.text,
            unsound=fence.faults_of(exchange),
            unclear=fence.unclear,
            over=exchange.audit_id in fence.over or exchange.audit_id in fence.events,
            clock=fence.clock,
            own_api=exchange.attributes.api_group not in self._foreign_groups,
        )
        return Proof(case, judge(case.expectation.seen_from(self._cluster.endpoint.client_address), evidence))
