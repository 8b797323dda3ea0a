"""The fixture ``pipe``: an API server of one test's own, and what its audit backends carry to the reader.

Its flags stand in the mark ``audit_server`` (see ``stage`` for what they can name), its policy in ``audit_policy``. A
test performs actions, lets something go wrong, and holds the account of them against what must become of them.
"""

from __future__ import annotations

import os
import secrets
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from auditproof.action import Action, act, to_request
from auditproof.admin import Admin
from auditproof.auditlog import FileLog
from auditproof.backends import Account, account_of
from auditproof.clusters.disk import CannotMount
from auditproof.counters import Counters, parse_counters
from auditproof.errors import AuditproofError, LogUnreadable
from auditproof.expect import Expectation
from auditproof.identity import Identity, IdentityKind
from auditproof.pki import write_private
from auditproof.plugin.fixtures import marked
from auditproof.plugin.piping import KUBERNETES, note_account, note_fact
from auditproof.plugin.proving import SESSION
from auditproof.plugin.stage import Stage
from auditproof.policy import load_policy
from auditproof.run import Prover, Step
from auditproof.wait import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from auditproof.audit import AuditEvent
    from auditproof.clusters.receiver import Receiver
    from auditproof.plugin.proving import AuditSession
    from auditproof.run import Proof

PATIENCE_S = 2.0  # how long the end of a batch may take to the reader before it counts as not seen
END_TIMEOUT_S = 30.0
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "pipe"}}
WRITER = Identity.x509("writer")
LOADER = Identity(IdentityKind.X509, "loader", without_rights=True)  # refused by RBAC, which is recorded all the same


class NotSo(AuditproofError, AssertionError):
    """The account is another one than the test says."""


class Pipe:
    """An API server with audit backends of its own; ended with its test."""

    def __init__(self, session: AuditSession, node: pytest.Item, stage: Stage) -> None:
        wanted = marked(node)
        bench = session.bench(wanted)
        self._session = session
        self._node = node
        self._stage = stage
        settings = stage.set(bench.settings)
        flags = settings.over({})
        folder = session.run_directory.private_folder()
        self.policy = load_policy(bench.policy)
        self.cluster = session.provider.cluster(_own_copy(bench.running, folder, node.nodeid), settings)
        self.server_log = self.cluster.policy.parent / "server.log"
        self.path = _log_path(flags, self.cluster.log)
        self.ended = ""
        node.stash[KUBERNETES] = self.cluster.kubernetes
        self._admin = Admin(self.cluster)
        self._prover = Prover(
            self.cluster,
            self.policy,
            running=self.policy,
            folder=folder,
            died=lambda: session.provider.alive(self.cluster),
            log=self._reader(flags),
            patience_s=PATIENCE_S,
        )

    def _reader(self, flags: dict[str, Any]) -> FileLog:
        if self.path == self.server_log:
            return FileLog(self.path, foreign=is_servers_own)
        if self.path is not None:
            return FileLog(self.path)
        return self.receiver.log(in_order=flags.get("audit-webhook-mode", "batch") != "batch")

    @property
    def receiver(self) -> Receiver:
        """The receiver that the flags name."""
        assert self._stage.receiver is not None, "the flags of this test name no {receiver}"
        return self._stage.receiver

    @property
    def disk(self) -> Path:
        """The disk that the flags name."""
        assert self._stage.disk is not None, "the flags of this test name no {disk}"
        return self._stage.disk

    @property
    def log(self) -> Path:
        """The log file."""
        assert self.path is not None, "the server of this test writes no log"
        return self.path

    def harm(self, fault: Callable[[], object]) -> Callable[[], object]:
        """``fault``, or nothing where the flags say ``{unharmed}``: for ``midway`` and ``then`` of perform."""
        return fault if self._stage.harmed else lambda: None

    def perform(
        self,
        count: int = 20,
        *,
        actions: Sequence[Action] = (),
        identity: Identity = LOADER,
        midway: Callable[[], object] = lambda: None,
        then: Callable[[], object] = lambda: None,
    ) -> Account:
        """Perform ``count`` harmless actions, or ``actions``, and account for them.

        ``midway`` is called after the first half, ``then`` after the last one and before the fence.
        """
        actions = actions or [act("get", f"configmaps/number-{n}", "pipe") for n in range(count)]
        steps = [
            Step(str(n), identity, to_request(action), Expectation(), (NAMESPACE,)) for n, action in enumerate(actions)
        ]
        self._prover.begin(steps)
        sent = self._prover.perform(steps[: len(steps) // 2])
        midway()
        sent += self._prover.perform(steps[len(steps) // 2 :])
        then()
        self.proofs = self._prover.finish(steps, sent)
        return self._account(self.proofs)

    def _account(self, proofs: Sequence[Proof]) -> Account:
        evidence = [proof.verdict.evidence for proof in proofs]
        other = "webhook" if self.path else "log"
        account = account_of(evidence, self.counters(), self._lines(), ended=self.ended, other=other)
        note_account(self._node, account)
        return account

    def read(self, reader: FileLog) -> tuple[AuditEvent, ...]:
        """Every event that stands in a log, from its beginning. Raises LogUnreadable, also for what is no event."""
        found = reader.read(reader.beginning(), lambda _: True)
        if found.problems:
            raise LogUnreadable(found.problems[0])
        return found.events

    def _lines(self) -> int | None:
        """How many lines the log has, from its beginning; None where it is not whole."""
        reader = self._prover.log
        try:
            found = reader.read(reader.beginning(), lambda _: False)
        except LogUnreadable:
            return None
        return found.lines if not found.problems else None

    def counters(self) -> Counters | None:
        """What the server counts; None where it cannot be asked."""
        with suppress(AuditproofError):
            return parse_counters(self._admin.send("GET", "/metrics").body)
        return None

    def terminate(self) -> None:
        """End the server as an administrator does, by SIGTERM, and wait for its end."""
        self._end(signal.SIGTERM, "the server was ended")

    def kill(self) -> None:
        """End the server as a crash does, by SIGKILL."""
        self._end(signal.SIGKILL, "the server was killed")

    def _end(self, how: signal.Signals, words: str) -> None:
        pid, _ = self._session.run_directory.entry(self.cluster.name)
        os.kill(pid, how)
        wait_until(
            lambda: os.waitpid(pid, os.WNOHANG)[0] or None,
            what=f"the end of {self.cluster.name}",
            timeout_s=END_TIMEOUT_S,
        )
        self.ended = words

    def say(self, fact: str) -> None:
        """Let the report tell something that was measured here."""
        note_fact(self._node, fact)

    def close(self) -> None:
        """End the server and close all connections."""
        self._prover.close()
        self._admin.close()
        if not self.ended:
            self.kill()
        (self.cluster.policy.parent / "cluster.json").unlink()  # it is over: nobody must ask it for its counters


def require(account: Account, **wanted: int) -> None:
    """Hold an account against numbers: ``require(account, recorded=20, lost=0)``.

    Raises NotSo, which says the whole account in its first line.
    """
    __tracebackhide__ = True
    wrong = [f"{value} {name}" for name, value in wanted.items() if getattr(account, name) != value]
    if wrong:
        why = f" ({account.why})" if account.why else ""
        raise NotSo(f"{account.text()}{why}; expected {', '.join(wrong)}")


def large(count: int, size: int = 50_000) -> list[Action]:
    """Actions of a WRITER whose events hold ``size`` bytes twice, in request and response; nothing comes of them."""
    body = {"data": {"text": "x" * size}}
    names = (f"configmaps/large-{n}" for n in range(count))
    return [act("create", name, "pipe", body=body, query={"dryRun": "All"}) for name in names]


def is_servers_own(line: bytes) -> bool:
    """Whether a line of the API server's output is its own talk and no audit event (--audit-log-path=-)."""
    return b'"auditID"' not in line and not line.startswith(b'{"kind":"Event"')


def _log_path(flags: dict[str, Any], usual: Path) -> Path | None:
    given = flags.get("audit-log-path", str(usual))
    if given == "-":
        return usual.parent.parent / "server.log"
    return Path(given) if given else None


def _own_copy(policy: Path, folder: Path, name: str) -> Path:
    """The policy with the test's name in a comment, so that no other test shares the server."""
    copy = folder / "policy.yaml"
    write_private(copy, policy.read_bytes() + f"# {name}\n".encode())
    return copy


@pytest.fixture
def start_pipe(request: pytest.FixtureRequest) -> Iterator[Callable[[], Pipe]]:
    """Starts the pipe when the test wants it: for servers that must not come up. Raises ClusterError then."""
    session = request.config.stash[SESSION]
    if session.options.profile.provider != "embedded":
        pytest.skip("not supported: only the embedded cluster gives an API server to each test")
    stage = Stage(session.run_directory, secrets.token_hex(4))
    made: list[Pipe] = []

    def start() -> Pipe:
        try:
            made.append(Pipe(session, request.node, stage))
        except CannotMount as error:
            pytest.skip(f"not supported: {error}")
        return made[-1]

    yield start
    for each in made:
        each.close()
    stage.close()


@pytest.fixture
def pipe(start_pipe: Callable[[], Pipe]) -> Pipe:
    """An API server of this test's own with the flags of ``@pytest.mark.audit_server(...)``."""
    return start_pipe()
