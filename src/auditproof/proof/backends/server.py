"""An API server with chosen audit backends, and the events that these deliver to the reader.

A test performs actions, injects a fault, and compares the account of the actions with the expected numbers.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from auditproof.auditlog.file_log import FileLog
from auditproof.clusters.stand_ins.small_disk import fill
from auditproof.errors import AuditproofError, LogUnreadable
from auditproof.kube.action import Action, act
from auditproof.proof.backends.account import Delivery, account_of
from auditproof.proof.backends.actions import LOADER, cases_of, reads
from auditproof.proof.backends.load import Load, load_of
from auditproof.proof.prover import Prover
from auditproof.proof.server_view import ServerView
from auditproof.wait import TimedOut, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from auditproof.audit.event import AuditEvent
    from auditproof.audit.server_flags import ServerFlags
    from auditproof.auditlog.metrics import AuditMetrics
    from auditproof.clusters.stand_ins.event_receiver import EventReceiver
    from auditproof.kube.identity import Identity
    from auditproof.proof.backends.flag_resources import FlagResources
    from auditproof.proof.prover import Proof
    from auditproof.proof.session import Session
    from auditproof.proof.verdict import Evidence

    Note = Delivery | str | Mapping[str, Any]

EVENTS_EACH = 2  # RequestReceived and ResponseComplete
LOAD_TIMEOUT_S = 8.0
SERVER_LOG = "server.log"
PATIENCE_S = 2.0  # how long the end of a batch may take to reach the reader before it counts as not seen
END_TIMEOUT_S = 30.0
MOST_FILLERS = 20  # requests to fill the last page of the log


class UnexpectedDelivery(AuditproofError, AssertionError):
    """The backends have not delivered what the test expects."""


class BackendServer:
    """An API server with chosen audit backends, and the reader of their events.

    ``settings`` are its flags; ``resources`` has everything that they name; ``policy`` is its policy file. ``note`` is
    called with everything that a report may show: accounts, measured facts (text) and rows of the load table; it is
    replaced when another test continues with the server.

    Raises ClusterError if the server does not start.
    """

    def __init__(
        self,
        session: Session,
        resources: FlagResources,
        settings: ServerFlags,
        policy: Path,
        note: Callable[[Note], None] = lambda _: None,
    ) -> None:
        self.note = note
        self.resources = resources
        self.ended = ""
        self._run = session.run_directory
        self.cluster = session.provider.cluster(policy, settings)
        given = dict(settings.audit_log).get("path", str(self.cluster.log))
        self.path: Path | None
        if given == "-":
            self.path = self.cluster.policy.parent / SERVER_LOG
        else:
            self.path = Path(given) if given else None
        self._flags = settings.over({})
        if self.path is None and self.resources.receiver is not None:
            reader = self.receiver.log(in_order=self._flags.get("audit-webhook-mode", "batch") != "batch")
        else:
            path = self.path or self.cluster.log
            reader = FileLog(path, foreign=is_servers_own) if path.name == SERVER_LOG else FileLog(path)
        self._view = ServerView(self.cluster, session.provider, reader)
        parsed, folder = session.policy(policy), self._run.private_folder()
        self._prover = Prover(self._view, parsed, running=parsed, folder=folder, patience_s=PATIENCE_S)
        self._proofs: tuple[Proof, ...] = ()

    @property
    def receiver(self) -> EventReceiver:
        """The event receiver in the flags."""
        if self.resources.receiver is None:
            raise UnexpectedDelivery("the flags of this server name no {receiver}")
        return self.resources.receiver

    @property
    def disk(self) -> Path:
        """The small disk in the flags."""
        if self.resources.disk is None:
            raise UnexpectedDelivery("the flags of this server name no {disk}")
        return self.resources.disk

    @property
    def log(self) -> Path:
        """The log file."""
        if self.path is None:
            raise UnexpectedDelivery("this server writes no log")
        return self.path

    def harm(self, fault: Callable[[], object]) -> Callable[[], object]:
        """``fault``, or a function that does nothing if the flags have ``{unharmed}``; for ``midway`` and ``then``."""
        return fault if self.resources.harmed else lambda: None

    def fill_disk(self) -> None:
        """Fill the disk, including the rest of the last page of the log.

        A full disk still accepts writes to a page that is already allocated, so harmless requests are sent until one
        leaves no line.
        """
        fill(self.disk)
        case = replace(cases_of(LOADER, reads(1))[0], id="filler")
        for _ in range(MOST_FILLERS):
            lines = self._count_lines()
            self._prover.perform([case])
            self.wait_until_settled()
            if self._count_lines() == lines:
                return
        raise UnexpectedDelivery("the disk is full, and the server still writes to its log")

    def perform(
        self,
        count: int = 20,
        *,
        actions: Sequence[Action] = (),
        identity: Identity = LOADER,
        midway: Callable[[], object] = lambda: None,
        then: Callable[[], object] = lambda: None,
        patience_s: float = PATIENCE_S,
    ) -> Delivery:
        """Perform ``count`` harmless actions, or ``actions``, and account for them.

        ``midway`` is called after the first half of the actions, ``then`` after the last one and before the fence,
        whose event may take ``patience_s`` seconds to reach the reader.
        """
        cases = cases_of(identity, actions or reads(count))
        cases = self._prover.begin(cases)
        sent = self._prover.perform(cases[: len(cases) // 2])
        midway()
        sent += self._prover.perform(cases[len(cases) // 2 :])
        then()
        self._proofs = self._prover.finish(cases, sent, patience_s)
        return self._account(self._proofs)

    def load(self, count: int, connections: int = 4) -> tuple[Delivery, Load]:
        """Perform ``count`` harmless actions as fast as possible, and measure how fast their events arrive."""
        cases = cases_of(LOADER, reads(count))
        cases = self._prover.begin(cases)
        due = self._count_lines() + EVENTS_EACH * count
        begun = time.monotonic()
        sent = self._prover.perform_beside(cases, connections)
        served = time.monotonic() - begun
        with suppress(TimedOut):
            wait_until(
                lambda: self._count_lines() >= due or None, what="the events of the load", timeout_s=LOAD_TIMEOUT_S
            )
        arrived = time.monotonic() - begun
        proofs = self._prover.finish(cases, sent, LOAD_TIMEOUT_S)
        account = self._account(proofs)
        return account, load_of([item.exchange for item in sent], EVENTS_EACH, served, arrived)

    def unrecorded_load(self, count: int, connections: int = 4) -> Load:
        """Measure the same with actions that the policy excludes: latencies and rates without any event."""
        cases = self._prover.begin(
            cases_of(LOADER, [act("get", f"services/number-{n}", "backends") for n in range(count)])
        )
        begun = time.monotonic()
        sent = self._prover.perform_beside(cases, connections)
        served = time.monotonic() - begun
        self._prover.finish(cases, sent)
        return load_of([item.exchange for item in sent], 0, served, served)

    def wait_for_receiver(self, count: int) -> None:
        """Wait, up to a limit, until the receiver of a second backend has ``count`` events; the caller counts them."""

        def enough() -> bool | None:
            return self.receiver.events.read_bytes().count(b"\n") >= count or None

        with suppress(TimedOut):
            wait_until(enough, what=f"{count} events at the receiver", timeout_s=LOAD_TIMEOUT_S)

    def wait_until_settled(self) -> None:
        """Wait, up to a limit, until the server has written everything: the log holds all events that were not lost."""
        with suppress(TimedOut):
            wait_until(self._is_settled, what="the buffer to be empty", timeout_s=LOAD_TIMEOUT_S)

    def _is_settled(self) -> bool | None:
        counters = self.counters()
        return True if counters and counters.events - counters.lost == self._count_lines() else None

    def note_load(self, load: Load, backend: str, mode: str, account: Delivery | None = None) -> None:
        """Add a row to the report's load table; without an account, no events were recorded."""
        events = account.performed * EVENTS_EACH if account else 0
        self.note(load.record(backend, mode, events, account.written_off if account else 0))

    def _count_lines(self) -> int:
        path = self.path or self.receiver.events
        return path.read_bytes().count(b"\n") if path.is_file() else 0

    def again(self) -> Delivery:
        """Account once more for the last actions, including events that have arrived since."""
        return self._account(self._proofs)

    def _account(self, proofs: Sequence[Proof]) -> Delivery:
        """Read the counters first, then the whole log, so that lines and events are from one reading."""
        counters = self.counters()
        evidence, lines = self._whole_log([proof.verdict.evidence for proof in proofs])
        other = "webhook" if self.path else "log"
        account = account_of(evidence, counters, lines, ended=self.ended, other=other)
        self.note(account)
        return account

    def _whole_log(self, evidence: list[Evidence]) -> tuple[list[Evidence], int | None]:
        """The evidence with every event in the log now, and its lines; None instead of lines if it is not complete."""
        wanted = {one.exchange.audit_id for one in evidence}
        reader = self._view.log
        try:
            part = reader.read(reader.beginning(), lambda event: event.audit_id in wanted)
        except LogUnreadable:
            return evidence, None
        found: dict[str, list[AuditEvent]] = {}
        for event in part.events:
            found.setdefault(event.audit_id, []).append(event)
        whole = [replace(one, events=tuple(found.get(one.exchange.audit_id, ()))) for one in evidence]
        return whole, None if part.problems else part.lines

    def read(self, reader: FileLog) -> tuple[AuditEvent, ...]:
        """Every event in a log. Raises LogUnreadable, also if a line is not an event."""
        found = reader.read(reader.beginning(), lambda _: True)
        if found.problems:
            raise LogUnreadable(found.problems[0])
        return found.events

    def counters(self) -> AuditMetrics | None:
        """The audit counters now; None if the server does not provide them."""
        return self._view.metrics()

    def terminate(self) -> None:
        """Stop the server as an administrator does, with SIGTERM, and wait until it has exited."""
        self._end(signal.SIGTERM, "the server was ended")

    def kill(self) -> None:
        """Stop the server as a crash does, with SIGKILL."""
        self._end(signal.SIGKILL, "the server was killed")

    def _end(self, how: signal.Signals, words: str) -> None:
        pid, _ = self._run.entry(self.cluster.name)
        os.kill(pid, how)
        wait_until(
            lambda: os.waitpid(pid, os.WNOHANG)[0] or None,
            what=f"the end of {self.cluster.name}",
            timeout_s=END_TIMEOUT_S,
        )
        self.ended = words

    def say(self, fact: str) -> None:
        """Add a measured fact to the report."""
        self.note(fact)

    def close(self) -> None:
        """Stop the server and close all connections."""
        self._prover.close()
        if not self.ended:
            self.kill()
        self.resources.close()
        (self.cluster.policy.parent / "cluster.json").unlink()  # or the end of the run would read its counters


def require(account: Delivery, **wanted: int) -> None:
    """Compare an account with numbers: ``require(account, recorded=20, lost=0)``.

    Raises UnexpectedDelivery, whose first line has the whole account.
    """
    __tracebackhide__ = True
    wrong = [f"{value} {name}" for name, value in wanted.items() if getattr(account, name) != value]
    if wrong:
        why = f" ({account.why})" if account.why else ""
        raise UnexpectedDelivery(f"{account.text()}{why}; expected {', '.join(wrong)}")


def is_servers_own(line: bytes) -> bool:
    """Whether a line of the API server's output is its own log and not an audit event (--audit-log-path=-)."""
    return b'"auditID"' not in line and not line.startswith(b'{"kind":"Event"')
