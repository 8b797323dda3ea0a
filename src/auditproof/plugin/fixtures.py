"""The fixtures for Python tests: ``audit`` sends requests and proves them. ``entry`` declares the fixtures."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from auditproof import content
from auditproof.audit.leaks import Leak, disguises, leaks
from auditproof.audit.server_flags import ServerFlags
from auditproof.cases.case import Case, Source
from auditproof.cases.expectation import Expectation
from auditproof.errors import AuditproofError, Position
from auditproof.kube.capability import Capability
from auditproof.plugin.asked_of_audit import check_expectation, check_identity, check_manifest, request_in
from auditproof.plugin.failures import Unproven, Violated
from auditproof.plugin.given_policies import OR_NAME_ONE
from auditproof.plugin.redaction import note_events, note_secrets
from auditproof.plugin.session import SESSIONS, session_of
from auditproof.proof.placement import Placement
from auditproof.proof.verdict import Outcome
from auditproof.report.proof_record import proof_record, story

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from auditproof.audit.event import AuditEvent, Level, Stage
    from auditproof.audit.policy.load import Policy
    from auditproof.kube.action import Action, Request
    from auditproof.kube.identity import Identity
    from auditproof.proof.prover import Proof, Prover
    from auditproof.report.model import ProofRecord

PROOFS: pytest.StashKey[list[ProofRecord]] = pytest.StashKey()
STORIES: pytest.StashKey[list[str]] = pytest.StashKey()  # of its actions, in words
NOT_SUPPORTED: pytest.StashKey[str] = pytest.StashKey()
TAKEN: pytest.StashKey[bool] = pytest.StashKey()  # a test that takes the fixture is expected to prove something
FIXTURES = frozenset({"audit", "audit_beside"})


@dataclass(frozen=True, slots=True, repr=False)
class Recorded:
    """The proven events of an action in the log; ``level`` NONE means that they are certainly absent."""

    proof: Proof

    @property
    def level(self) -> Level:
        """The level at which it was recorded."""
        return self.proof.verdict.evidence.level

    @property
    def events(self) -> tuple[AuditEvent, ...]:
        """Its events, in the order of the log."""
        return self.proof.verdict.evidence.events

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages of its events."""
        return tuple(event.stage for event in self.events)

    @property
    def event(self) -> Mapping[str, Any]:
        """The event of the last stage, as JSON."""
        return self.events[-1].raw

    @property
    def status(self) -> int:
        """The HTTP status that the client got."""
        return self.proof.verdict.evidence.exchange.status

    @property
    def body(self) -> bytes:
        """The body that the client got."""
        return self.proof.verdict.evidence.exchange.body

    def __repr__(self) -> str:
        """One readable line: what was asked, and how it was recorded."""
        exchange = self.proof.verdict.evidence.exchange
        asked = f"{exchange.identity} · {exchange.request.method} {exchange.request.uri} → {exchange.status}"
        return f"<Recorded level {self.level} · stages {', '.join(self.stages) or 'none'} · {asked}>"


class Audit:
    """Performs and proves actions for one test, each with a separate fence."""

    def __init__(
        self, prover: Prover, policy: Policy, node: pytest.Item, lacking: Callable[[Case], Sequence[str]]
    ) -> None:
        self._prover = prover
        self._lacking = lacking
        self._policy = policy
        self._node = node
        self._given: tuple[Mapping[str, Any], ...] = ()
        self._made: tuple[Mapping[str, Any], ...] = ()
        self._begin = prover.mark()

    @property
    def url(self) -> str:
        """The https base address of the API server."""
        return self._prover.url

    def given(self, *manifests: Mapping[str, Any]) -> None:
        """Let the admin create objects before the next action; these requests are never judged.

        Raises Misuse for what is no object.
        """
        __tracebackhide__ = True
        self._given = (*self._given, *map(check_manifest, manifests))

    def __call__(self, identity: Identity, action: Action | Request, expect: Expectation | None = None) -> Recorded:
        """Let ``identity`` perform ``action`` and judge it by ``expect``, or by the policy's Decision.

        Raises Violated or Unproven (both AuditproofError) if it is not PROVEN, and Misuse for a wrong argument.
        """
        __tracebackhide__ = True
        return self.judge(self.attempt(identity, action, expect))

    def judge(self, proof: Proof) -> Recorded:
        """Return the events of a proven action. Raises Violated or Unproven if it is not PROVEN."""
        __tracebackhide__ = True
        if proof.verdict.outcome is Outcome.VIOLATED:
            raise Violated(proof.verdict, story(proof, self._policy))
        if proof.verdict.outcome is Outcome.UNPROVEN:
            raise Unproven(proof.verdict, story(proof, self._policy))
        return Recorded(proof)

    def attempt(self, identity: Identity, action: Action | Request, expect: Expectation | None = None) -> Proof:
        """Like a call, but returns the proof whatever its verdict is. Raises Misuse for a wrong argument."""
        __tracebackhide__ = True
        check_identity(identity)
        request = request_in(action)
        check_expectation(expect)
        records = self._node.stash.setdefault(PROOFS, [])
        case_id = f"{self._node.nodeid}#{len(records) + 1}"
        case = Case(
            case_id,
            identity,
            request,
            expect or Expectation(),
            self._given,
            title=title_of(self._node),
            source=source_of(self._node),
        )
        self._made = (*self._made, *self._given)
        _skip(self._node, self._lacking(replace(case, given=self._made)))
        (proof,) = self._prover.prove([case])
        self._given = ()
        note_events(self._node, proof.verdict.evidence.events)
        records.append(proof_record(proof, self._policy))
        self._node.stash.setdefault(STORIES, []).append(story(proof, self._policy))
        return proof

    def events(self) -> tuple[AuditEvent, ...]:
        """Every event that this server recorded since the test began, of all clients; proven actions are complete.

        Raises LogUnreadable.
        """
        events = self._prover.recorded(self._begin)
        note_events(self._node, events)
        return events

    def leaks(self, secret: str) -> list[Leak]:
        """Every event that contains ``secret``, of all that this server recorded since the test began.

        Proven actions are complete in it. Raises ValueError if the secret is too short, and LogUnreadable.
        """
        note_secrets(self._node, (form for written in disguises(secret).values() for form in written))
        return list(leaks(self._prover.recorded(self._begin), secret))


def title_of(node: pytest.Item) -> str:
    """The first line of a test's docstring, otherwise its name."""
    doc = getattr(getattr(node, "obj", None), "__doc__", None) or node.name
    return str(doc.strip().splitlines()[0])


def source_of(node: pytest.Item) -> Source:
    """The file and line of a Python test."""
    file, line, _ = node.location
    return Source(Position(content.shipped_name(node.path) or file, (line or 0) + 1, 1))


def given_policy(config: pytest.Config) -> Path:
    """The value of the fixture ``audit_policy``."""
    return config.stash[SESSIONS].first.options.policy_file


def audit_of(request: pytest.FixtureRequest, policy: Path) -> Audit:
    """The value of the fixture ``audit``. Raises AuditproofError if the test is to be judged by no policy."""
    placement, options = marked(request.node), session_of(request.node).options
    chosen = placement.policy or policy
    if chosen == options.policy_file and not options.policy_given and content.shipped_name(request.path) is None:
        raise AuditproofError(f"no policy is given to judge this test by: {OR_NAME_ONE}")
    return _audit(request, replace(placement, policy=chosen))


def audit_beside_of(request: pytest.FixtureRequest) -> Callable[[str], Audit]:
    """The value of the fixture ``audit_beside``."""
    session = session_of(request.node)
    _skip(request.node, sorted({Capability.AGGREGATES} - session.provider.capabilities))
    return lambda path: _audit(request, Placement((request.path.parent / path).resolve()))


def _audit(request: pytest.FixtureRequest, placement: Placement) -> Audit:
    session = session_of(request.node)
    request.node.stash[TAKEN] = True
    _skip(request.node, sorted(session.support.needed_of_server(placement) - session.provider.capabilities))

    def lacking(case: Case) -> Sequence[str]:
        return session.support.lacking(case, placement, needs=case.identity.needs, states_more=True)

    alone = ExitStack()
    alone.enter_context(session.batches.alone_on(placement))  # the test may read all events from here on
    request.addfinalizer(alone.close)
    return Audit(session.prover(placement), session.policy(placement.policy), request.node, lacking)


def _skip(node: pytest.Item, lacking: Sequence[str]) -> None:
    """Skip a test that needs what the cluster lacks, and let the report count it."""
    if lacking:
        node.stash[NOT_SUPPORTED] = ", ".join(lacking)
        pytest.skip(f"not supported: this cluster lacks {node.stash[NOT_SUPPORTED]}")


def marked(node: pytest.Item) -> Placement:
    """The placement that a test's marks ``audit_policy`` and ``audit_server`` name."""
    policies, server = node.get_closest_marker("audit_policy"), node.get_closest_marker("audit_server")
    policy = sabotage = None
    if policies is not None:
        named = (*policies.args[:1], policies.kwargs.get("sabotage"))
        policy, sabotage = ((node.path.parent / name).resolve() if name else None for name in named)
    if server is None:
        return Placement.of(policy, sabotage)
    flags = {key: value for key, value in server.kwargs.items() if key != "sabotage"}
    broken = server.kwargs.get("sabotage", flags)
    return Placement.of(policy, sabotage, ServerFlags.of(**flags), ServerFlags.of(**broken))
