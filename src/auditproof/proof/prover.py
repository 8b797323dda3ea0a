"""Proves a batch of cases on one cluster: prepare, send, fence, judge.

All actions of a batch are sent first; then one fence closes them all; then every action is judged
by the events read so far. So a proof costs little more than its request.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Any

from auditproof.audit.decide import decide
from auditproof.client.connection import sent_agent
from auditproof.client.exchange import Exchange
from auditproof.clusters.policy_files import check_given
from auditproof.errors import AuditproofError, ClusterError, LogUnreadable
from auditproof.kube.discovery import load_served
from auditproof.kube.identity import MASTERS, IdentityKind
from auditproof.proof.completion import audit_id_of
from auditproof.proof.connections import Connections
from auditproof.proof.fence.fence import FENCE_TIMEOUT_S, ServerFence
from auditproof.proof.fence.result import Sent
from auditproof.proof.fence.sentinel import choose_sentinel
from auditproof.proof.prepared import create_given, make_credentials
from auditproof.proof.server_watch import ServerWatch
from auditproof.proof.verdict import Evidence, Verdict, judge
from auditproof.setup.admin import AdminClient
from auditproof.setup.credentials import Credentials
from auditproof.setup.objects import Objects
from auditproof.setup.rbac import Rights
from auditproof.wait import TimedOut, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from auditproof.audit.event import AuditEvent
    from auditproof.audit.policy.load import Policy
    from auditproof.auditlog.file_log import Mark
    from auditproof.cases.case import Case
    from auditproof.client.connection import Connection
    from auditproof.client.credential import Credential
    from auditproof.errors import Position
    from auditproof.kube.identity import Identity
    from auditproof.proof.fence.result import Fence
    from auditproof.proof.fence.sentinel import Sentinel
    from auditproof.proof.server_view import ServerView

CREATED = 201
CONTROLLER_TIMEOUT_S = 30.0  # how long a controller may take to act; usually far below a second
MAX_WATCHES = 64  # sent in parallel, because each lasts a second or more
LANES = 2  # beside each other: while the server works on one request, the next one is made


@dataclass(frozen=True, slots=True, repr=False)
class Proof:
    """A case with its verdict.

    >>> from dataclasses import fields
    >>> from auditproof import Proof
    >>> [field.name for field in fields(Proof)]
    ['case', 'verdict']
    """

    case: Case
    verdict: Verdict

    def __repr__(self) -> str:
        """One readable line."""
        return f"<Proof {self.verdict.outcome} of {self.case.id}>"

    def settled(self) -> Proof:
        """The proof without events and response, which are most of its memory."""
        evidence = self.verdict.evidence
        exchange = replace(evidence.exchange, headers=(), body=b"")
        return Proof(self.case, replace(self.verdict, evidence=Evidence(exchange, (), evidence.decision)))


class Prover:
    """Proves cases on one cluster; must not be shared between threads.

    ``policy`` judges the cases, ``running`` is the server's policy; they differ only in a sabotage run. ``folder`` is a
    private folder for the credentials. ``performed`` is called after each request, from any thread.

    Raises ClusterError if the policy records something, but no request that can be sent to this cluster.
    """

    def __init__(
        self,
        view: ServerView,
        policy: Policy,
        *,
        running: Policy,
        folder: Path,
        patience_s: float = FENCE_TIMEOUT_S,
        performed: Callable[[], None] = lambda: None,
        shown: Callable[[Position], str] = str,
    ) -> None:
        """``patience_s`` is how long the end of a batch may take to reach the audit log, in seconds.

        ``shown`` is how messages name a place in a file.
        """
        self._shown = shown
        self._view, self._cluster = view, view.cluster
        self._policy, self._running = policy, running
        self._patience_s = patience_s
        self._watch = ServerWatch(view, performed)
        self._admin = AdminClient(view.cluster)
        self._objects = Objects(view.cluster, self._admin)
        self._rights = Rights(view.cluster, self._admin, self._objects)
        self._credentials = Credentials(view.cluster, self._admin, self._objects, folder)
        self._connections = Connections(view.cluster, self._credentials)
        self._owners: dict[str, str | None] = {}
        self._doubts: tuple[str, ...] = ()
        self._stopped = False
        self._own_groups = load_served(self.kubernetes.removeprefix("v")).groups
        self._foreign_groups: set[str] = set()  # served by an aggregated API server
        self._fence = ServerFence(view, self._admin, running, self._sentinel(), self._connections)

    @property
    def kubernetes(self) -> str:
        """The version that the server reports."""
        return self._cluster.kubernetes

    @property
    def url(self) -> str:
        """The https base address of the API server."""
        return self._cluster.url

    def prove(self, cases: Sequence[Case]) -> tuple[Proof, ...]:
        """Perform all ``cases`` in order, fence them, and judge each.

        Raises AuditproofError if the set-up fails: then nothing was performed. Later errors make verdicts UNPROVEN.
        """
        cases = self.begin(cases)
        return self.finish(cases, self.perform(cases))

    def define(self, given: Iterable[Mapping[str, Any]]) -> None:
        """Define the custom resources among the objects that later batches need.

        For two seconds after the definition, a server sleeps for two seconds before it takes a POST (see
        setup.objects): they pass while others are performed. What cannot be defined is reported by its own batch.
        """
        if not self._cluster.is_shared:
            definitions = {id(one): one for one in given if one["kind"] == "CustomResourceDefinition"}
            for definition in definitions.values():
                with suppress(AuditproofError, OSError):
                    self._objects.create(definition)

    def begin(self, cases: Sequence[Case]) -> list[Case]:
        """Create the objects, rights and credentials that ``cases`` need, and open the fence.

        Returns the cases with the cluster's node in place of ``<node>``. Raises SetupFailed if that fails for some of
        the cases, and AuditproofError if it fails for all, or the server's policy file is not the expected one.
        """
        # A server that has exited is reported as such, not by whatever the set-up would fail with.
        self._watch.begin()
        check_given(self._cluster, self._running)
        located = [
            replace(case, request=case.request.on(self._objects.node)) if case.request.names_node else case
            for case in cases
        ]
        try:
            create_given(self._objects, located, self._shown)
            # What an aggregated server serves is passed on undecoded: such events promise no body.
            if groups := {case.attributes.api_group for case in located} - self._own_groups:
                self._foreign_groups |= self._objects.aggregated(groups)
            self._rights.grant((case.identity, case.attributes) for case in located)
            make_credentials(self._connections, located)  # before the fence opens: one may need requests
            self._fence.open()
        except AuditproofError:
            self._watch.look()
            raise
        return located

    def perform(self, cases: Sequence[Case]) -> list[Sent]:
        """Send every case once: those of a file in their order, those of different files beside each other.

        Watches, and clients that do not just wait, run in parallel to all others. Watches and requests for another
        protocol have a separate connection each: the server may close it whatever its response, and no other request
        must be on it then.
        """
        alone = {n for n, case in enumerate(cases) if case.lasts}
        lanes = _lanes(cases, alone, 1 if self._cluster.is_shared else LANES)
        with ThreadPoolExecutor(MAX_WATCHES) as streams:
            beside = {
                n: streams.submit(
                    self._send, cases[n], self._connections.new(cases[n].identity), self._connections.next_id()
                )
                for n in sorted(alone)
            }
            # No stream is waited for before the last of the others is sent: a watch lasts a second or more.
            sent = self._send_lanes(lanes)
            with self._interruptible():
                return [beside[n].result() if n in beside else sent[n] for n in range(len(cases))]

    def perform_beside(self, cases: Sequence[Case], connections: int) -> list[Sent]:
        """Send every case once, on several connections in parallel; all cases have the same identity."""
        numbered = list(enumerate(cases))
        sent = self._send_lanes([numbered[n::connections] for n in range(connections)])
        return [sent[n] for n in range(len(cases))]

    def _send_lanes(self, lanes: Sequence[Sequence[tuple[int, Case]]]) -> dict[int, Sent]:
        """Send the cases of each lane in their order, and the lanes beside each other; the result is by place."""
        with ThreadPoolExecutor(len(lanes) or 1) as pool, self._interruptible():
            return {n: item for part in pool.map(self._send_lane, count(), lanes) for n, item in part}

    def _send_lane(self, lane: int, cases: Sequence[tuple[int, Case]]) -> list[tuple[int, Sent]]:
        return [(n, self._send(case, self._connection(case, lane), self._connections.next_id())) for n, case in cases]

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """On Ctrl-C, let the threads, for which their pools wait, send nothing more."""
        try:
            yield
        except KeyboardInterrupt:
            self._stopped = True
            raise

    def finish(self, cases: Sequence[Case], sent: Sequence[Sent], patience_s: float | None = None) -> tuple[Proof, ...]:
        """Fence the exchanges ``sent`` for ``cases``, in the same order, and judge each.

        ``patience_s`` is how long the sentinel's event may take to reach the log, in seconds; the prover's own patience
        if None. Raises as check_given does.
        """
        patience_s = self._patience_s if patience_s is None else patience_s
        # A dead server writes no more events, so there is nothing to wait for.
        followed = {} if self._watch.doubts else self._followed(cases, sent)
        fence = self._fence.close(sent, 0.0 if self._watch.doubts else patience_s, followed.values())
        # Again at the end: a file that was replaced meanwhile may be what the server runs.
        check_given(self._cluster, self._running)
        self._connections.drop({item.wire for item in sent})
        return tuple(self._judge(case, item, fence, followed) for case, item in zip(cases, sent, strict=True))

    def _followed(self, cases: Sequence[Case], sent: Sequence[Sent]) -> dict[str, str]:
        """The Audit-IDs of the requests that controllers sent because of the cases, by the Audit-ID of the action."""
        wanted = {
            item.exchange.audit_id: watcher.through
            for case, item in zip(cases, sent, strict=True)
            if (watcher := case.expectation.watcher) and watcher.through and item.exchange.status == CREATED
        }
        found: dict[str, str] = {}

        def look() -> bool | None:
            log = self._view.request_log()
            for name in wanted.keys() - found.keys():
                if audit_id := audit_id_of(wanted[name], log):
                    found[name] = audit_id
            return True if len(found) == len(wanted) else None

        if wanted:
            with suppress(TimedOut):
                wait_until(look, what="the requests of controllers", timeout_s=CONTROLLER_TIMEOUT_S)
        return found

    def doubt(self, text: str) -> None:
        """Make every verdict UNPROVEN from now on because of ``text``, unless an event violates the expectation."""
        self._doubts = (text,)

    def stop(self) -> None:
        """Let a batch that another thread performs raise AuditproofError instead of sending its next request."""
        self._stopped = True

    def unsupported(self, identity: Identity, given: Iterable[Mapping[str, Any]] = ()) -> str | None:
        """Why this cluster cannot perform actions of ``identity`` with the objects ``given``; None if it can.

        Only an existing cluster can have a reason: a namespace, for example, that another team created.
        """
        # On a cluster of the run's own nothing belongs to anyone else.
        if not self._cluster.is_shared:
            return None
        if MASTERS in identity.groups and self._cluster.authorities.client is None:
            return f"a signer that issues no certificate for {MASTERS}"
        paths = [f"/api/v1/namespaces/{each['metadata']['name']}" for each in given if each["kind"] == "Namespace"]
        if identity.kind is IdentityKind.SERVICE_ACCOUNT:
            namespace, name = identity.user.split(":")[2:]
            paths.append(f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}")
        return next((f"{path}, made by {owner}" for path in paths if (owner := self._owner(path))), None)

    def _owner(self, path: str) -> str | None:
        if path not in self._owners:
            self._owners[path] = self._objects.owner(path)
        return self._owners[path]

    def can_act(self, identity: Identity) -> bool:
        """Whether requests of ``identity`` can be sent to this cluster."""
        return identity.needs <= self._cluster.capabilities and self.unsupported(identity) is None

    def _sentinel(self) -> Sentinel | None:
        sentinel = choose_sentinel(self._running, self.can_act)
        if sentinel is None and choose_sentinel(self._running) is not None:
            raise ClusterError(
                f"{self._running.path}: no identity that this cluster can authenticate can send a request that this "
                "policy records: nothing can be proven there"
            )
        return sentinel

    def credential(self, identity: Identity) -> Credential:
        """The credential of ``identity`` on this cluster."""
        return self._credentials.of(identity)

    def mark(self) -> Mark:
        """The present end of the log. Raises LogUnreadable."""
        return self._view.log.mark()

    def recorded(self, since: Mark) -> tuple[AuditEvent, ...]:
        """Every event in the log after ``since``, whatever client caused it.

        Raises LogUnreadable, also if a line is not an event: it may have been any event.
        """
        found = self._view.log.read(since, lambda _: True)
        if found.problems:
            raise LogUnreadable("; ".join(found.problems))
        return found.events

    def close(self) -> None:
        """Close every connection."""
        self._connections.close()
        self._fence.end()
        self._admin.close()

    def _connection(self, case: Case, lane: int) -> Connection:
        if case.request.upgrade:
            return self._connections.new(case.identity)
        return self._connections.of(case.identity, lane)

    def _send(self, case: Case, wire: Connection, audit_id: str) -> Sent:
        if self._stopped:
            raise AuditproofError("the run was stopped before this request was sent")
        agent = f"auditproof/{case.id} ({self._connections.run})"
        response = self._watch.send(wire, case.request, audit_id=audit_id, user_agent=agent)
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

    def _judge(self, case: Case, sent: Sent, fence: Fence, followed: Mapping[str, str]) -> Proof:
        exchange = sent.exchange
        doubts = [*self._watch.doubts, *self._doubts, *fence.doubts_about(sent)]
        watcher, its_id = case.expectation.watcher, followed.get(exchange.audit_id, "")
        through = watcher.through if watcher else None
        if through and not its_id:
            doubts.append(f"no request of the {through.controller} was seen within {CONTROLLER_TIMEOUT_S:.0f} s")
        evidence = Evidence(
            exchange=exchange,
            events=fence.events.get(exchange.audit_id, ()),
            decision=decide(self._policy, exchange.attributes),
            doubts=tuple(dict.fromkeys(doubts)),
            fence=fence.text,
            unsound=fence.faults_of(exchange),
            unclear=fence.unclear,
            over=exchange.audit_id in fence.over or exchange.audit_id in fence.events,
            clock=fence.clock,
            own_api=exchange.attributes.api_group not in self._foreign_groups,
            followed=fence.events.get(its_id, ()) if through else None,
        )
        return Proof(case, judge(case.expectation.seen_from(self._cluster.endpoint.client_address), evidence))


def _lanes(cases: Sequence[Case], without: set[int], number: int) -> list[list[tuple[int, Case]]]:
    """The cases with their places, divided into at most ``number`` lanes of whole files that are about as long."""
    files: dict[str, list[tuple[int, Case]]] = {}
    for n, case in enumerate(cases):
        if n not in without:
            files.setdefault(case.source.file, []).append((n, case))
    lanes: list[list[tuple[int, Case]]] = [[] for _ in range(min(number, len(files)))]
    for file in files.values():
        min(lanes, key=len).extend(file)
    return lanes
