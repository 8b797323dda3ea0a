"""A pytest project whose cluster is a fake, for tests of what pytest and we make of given verdicts.

The seam is AuditSession.prover: no server runs, and the verdict of an action stands in the name of its object. What a
real server records, and how verdicts come about, is what the tests on real servers show.
"""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from auditproof.audit.decide import decide
from auditproof.client.exchange import Exchange
from auditproof.errors import ClusterError
from auditproof.kube.capability import Capability
from auditproof.kube.discovery import load_served
from auditproof.kube.versions import minor
from auditproof.plugin.session import AuditSession
from auditproof.proof.placement import GIVEN
from auditproof.proof.prover import Proof
from auditproof.proof.verdict import Evidence, Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from auditproof.audit.policy.load import Policy
    from auditproof.cases.case import Case

PROVIDER = SimpleNamespace(capabilities=frozenset(Capability), prepare=lambda: None, start_all=lambda _: None)


class FakeProver:
    """Judges by names: ``pods/violated`` is VIOLATED, and where a pod is called dead, there is no server.

    ``pods/violated-on-1-36`` is VIOLATED on that version, and PROVEN on others.
    """

    url = "https://127.0.0.1:1"

    def __init__(self, policy: Policy, version: str) -> None:
        self._policy = policy
        self._version = version
        self.kubernetes = f"v{version}.2"

    def prove(self, steps: Sequence[Case]) -> tuple[Proof, ...]:
        if any(step.attributes.name == "dead" for step in steps):
            raise ClusterError("the API server died: exit code 2\n" + "a line of its log\n" * 40)
        return tuple(self._prove(step) for step in steps)

    def _prove(self, step: Case) -> Proof:
        name = step.attributes.name.upper().partition("-")[0]
        only_on = step.attributes.name.partition("-on-")[2]
        holds = only_on not in ("", self._version.replace(".", "-"))
        outcome = Outcome(name) if name in list(Outcome) and not holds else Outcome.PROVEN
        now = datetime.now(UTC)
        exchange = Exchange(f"id of {step.id}", step.identity, step.request, step.attributes, 200, (), b"", now, now)
        decision = decide(self._policy, step.attributes)
        reasons = () if outcome is Outcome.PROVEN else (f"because of {step.attributes.name}",)
        return Proof(step, Verdict(outcome, reasons, decision.level, frozenset(), Evidence(exchange, (), decision)))

    def define(self, given: Iterable[object]) -> None: ...

    def mark(self) -> None: ...

    def recorded(self, begin: None) -> tuple[()]:
        return ()

    def stop(self) -> None: ...

    def close(self) -> None: ...


def prover(session: Any, placement: Any = GIVEN) -> Any:
    """In the place of AuditSession.prover."""
    placed = session.place(placement)
    return session._provers.setdefault(
        placed, FakeProver(session.policy(placed.policy), minor(session.options.kubernetes))
    )


def put_in_place(put: Callable[[object, str, object], object] = setattr) -> None:
    """Let this process have the fake."""
    put(AuditSession, "prover", prover)
    put(AuditSession, "provider", PROVIDER)
    put(AuditSession, "served", lambda session: load_served(session.options.kubernetes))


CONFTEST = """
import pytest
from tests.support.fakes import put_in_place

from auditproof.kube.identity import Identity

put_in_place()

@pytest.fixture
def alice():
    return Identity.x509("alice")
"""
POLICY = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n"
FILE = """\
apiVersion: auditproof/v1
kind: CaseFile
title: Pods are read
identities:
  alice: {user: alice}
cases:
"""
TEST = """
import pytest
from auditproof.kube.action import act

def get(name):
    return act("get", f"pods/{name}", "shop")
"""


def case_file(**cases: str) -> str:
    """A case for each name; its value is the name of the pod that is read."""
    return FILE + "".join(
        f"  - {{id: {name.replace('_', '-')}, title: Reads {pod}, as: alice, do: {{get: pods/{pod}, in: shop}}}}\n"
        for name, pod in cases.items()
    )
