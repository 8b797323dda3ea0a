"""What is performed together, and how often: the prover is a fake, which counts how often it is asked."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from auditproof.kube.action import Request
from auditproof.kube.identity import Identity
from auditproof.proof.batches import Batches, Batching
from auditproof.proof.placement import GIVEN, Placement

if TYPE_CHECKING:
    from collections.abc import Sequence

from auditproof.cases.case import Case
from auditproof.errors import AuditproofError, SetupFailed


class Faulty:
    """A prover that sends what it is given, and then fails."""

    def __init__(self, error: Exception) -> None:
        self.error, self.sent = error, 0

    def prove(self, cases: Sequence[Case]) -> list[Any]:
        self.sent += len(cases)
        raise self.error


@pytest.mark.parametrize("error", [RecursionError("too deep"), KeyError("x"), AuditproofError("gone")])
def test_nothing_is_sent_twice_whatever_a_prover_fails_with(error: Exception) -> None:
    """After a failure the actions may have been sent: a second attempt would record events twice."""
    prover, file = Faulty(error), object()
    cases = [Case(name, Identity.x509("alice"), Request("GET", "/version")) for name in ("a", "b")]
    performed = Batches(lambda _, wanted: prover.prove(wanted), lambda *_: True, lambda placement: placement)
    performed.plan((file, case, GIVEN) for case in cases)

    for case in cases:
        with pytest.raises(AuditproofError, match=str(error)):
            performed.proof(case)
    assert prover.sent == 2


class Willing:
    """A prover that notes which cases it is given together."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def prove(self, cases: Sequence[Case]) -> list[Any]:
        self.batches.append([case.id for case in cases])
        return [SimpleNamespace(case=case) for case in cases]


@pytest.mark.parametrize(
    ("batching", "batches"),
    [
        (Batching.CASE, [["a"], ["b"], ["c"], ["e"]]),
        (Batching.FILE, [["a", "b"], ["c"], ["e"]]),
        (Batching.POLICY, [["a", "b", "e"], ["c"]]),
    ],
)
def test_what_is_on_the_same_server_is_performed_together(batching: Batching, batches: list[list[str]]) -> None:
    """The first and the third file are on one server, the second is on another, and the cluster lacks what d needs."""
    prover, other = Willing(), Placement(Path("other.yaml"))
    planned = [("1", "a", GIVEN), ("1", "b", GIVEN), ("2", "c", other), ("3", "d", GIVEN), ("3", "e", GIVEN)]
    cases = {name: Case(name, Identity.x509("alice"), Request("GET", "/version")) for _, name, _ in planned}
    performed = Batches(
        lambda _, wanted: prover.prove(wanted), lambda case, _: case.id != "d", lambda placement: placement
    )
    performed.batching = batching
    performed.plan((file, cases[name], placement) for file, name, placement in planned)

    for name in "abce":
        assert performed.proof(cases[name]).case is cases[name]
    assert prover.batches == batches


def test_a_set_up_that_fails_costs_only_the_cases_that_need_it() -> None:
    """The others of the batch are performed, once; the reason is that of the object."""
    prover, file = Willing(), object()
    cases = [Case(name, Identity.x509("alice"), Request("GET", "/version")) for name in ("a", "b", "c")]

    def prove(_: Placement, wanted: Sequence[Case]) -> list[Any]:
        failed = {case.id: AuditproofError(f"no object for {case.id}") for case in wanted if case.id in "ab"}
        if failed:
            raise SetupFailed(failed)
        return prover.prove(wanted)

    performed = Batches(prove, lambda *_: True, lambda placement: placement)
    performed.plan((file, case, GIVEN) for case in cases)

    assert performed.proof(cases[2]).case is cases[2]
    for case in cases[:2]:
        with pytest.raises(AuditproofError, match=f"no object for {case.id}"):
            performed.proof(case)
    assert prover.batches == [["c"]]
