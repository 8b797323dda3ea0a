"""What is performed together, and how often: the prover is a fake, which counts how often it is asked."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from auditproof.kube.action import Request
from auditproof.kube.identity import Identity
from auditproof.proof.batches import BATCH, FIRST_BATCH, Batches, Batching
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


def test_the_first_batch_is_small_so_that_there_are_verdicts_soon() -> None:
    prover = Willing()
    names = [f"{file}{number}" for file in "abcdef" for number in range(FIRST_BATCH // 2)]
    cases = {name: Case(name, Identity.x509("alice"), Request("GET", "/version")) for name in names}
    performed = Batches(lambda _, wanted: prover.prove(wanted), lambda *_: True, lambda placement: placement)
    performed.plan((name[0], cases[name], GIVEN) for name in names)

    for name in names:
        performed.proof(cases[name])
    assert [len(batch) for batch in prover.batches] == [FIRST_BATCH, 2 * FIRST_BATCH]


def test_what_is_left_on_a_server_is_what_no_batch_has_begun() -> None:
    prover, other = Willing(), Placement(Path("other.yaml"))
    names = [f"{file}{number}" for file in "abcd" for number in range(FIRST_BATCH)]
    cases = {name: Case(name, Identity.x509("alice"), Request("GET", "/version")) for name in names}
    performed = Batches(lambda _, wanted: prover.prove(wanted), lambda *_: True, lambda placement: placement)
    performed.plan((name[0], cases[name], other if name[0] == "b" else GIVEN) for name in names)

    performed.proof(cases["a0"])

    assert {case.id[0] for case in performed.left(GIVEN)} == {"c", "d"}
    performed.batching = Batching.FILE
    assert list(performed.left(GIVEN)) == [], "another process may perform them"


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


OTHER = Placement(Path("other.yaml"))


class Beside:
    """A prover for two servers that proves nothing on one before it is asked for the other."""

    def __init__(self) -> None:
        self.performed: list[str] = []
        self.both = threading.Barrier(2)
        self.running: dict[Placement, int] = {GIVEN: 0, OTHER: 0}

    def prove(self, placement: Placement, cases: Sequence[Case]) -> list[Any]:
        self.running[placement] += 1
        assert self.running[placement] == 1, "two batches at once on one server"
        if len(self.performed) < 2:
            self.both.wait(10)
        self.performed += [case.id for case in cases]
        self.running[placement] -= 1
        return [SimpleNamespace(case=case) for case in cases]


def planned_ahead(prover: Any, cases: dict[str, Case]) -> Batches:
    """Batches of two files on each of two servers; each file fills a batch."""
    batches = Batches(prover, lambda *_: True, lambda placement: placement)
    files = {"a": GIVEN, "b": OTHER, "c": GIVEN, "d": OTHER}
    batches.plan((name[0], case, files[name[0]]) for name, case in cases.items())
    return batches


def test_ahead_servers_are_used_beside_each_other_and_each_case_is_performed_once() -> None:
    """On one server batches come one after the other; a requested case waits for the thread that performs it."""
    names = [f"{file}{number}" for file in "abcd" for number in range(BATCH)]
    cases = {name: Case(name, Identity.x509("alice"), Request("GET", "/version")) for name in names}
    prover = Beside()
    batches = planned_ahead(prover.prove, cases)

    batches.perform_ahead(2)
    proven = [batches.proof(case).case.id for case in cases.values()]
    batches.stop()

    assert proven == names
    assert sorted(prover.performed) == sorted(names)


def test_nothing_is_performed_ahead_on_a_server_that_is_in_use() -> None:
    """A test that reads all events of its server is alone on it, and may use it itself."""
    cases = {name: Case(name, Identity.x509("alice"), Request("GET", "/version")) for name in ("a", "b")}
    performed = {name: threading.Event() for name in cases}

    def prove(_: Placement, wanted: Sequence[Case]) -> list[Any]:
        performed[wanted[0].id].set()
        return [SimpleNamespace(case=case) for case in wanted]

    batches = planned_ahead(prove, cases)
    with batches.alone_on(GIVEN):
        batches.perform_ahead(2)
        assert performed["b"].wait(10)
        batches.stop()  # the threads have nothing left but a, and end
        assert not performed["a"].is_set()
        batches.proof(cases["a"])
    assert performed["a"].is_set()


def test_what_is_ahead_on_a_server_for_tests_comes_last() -> None:
    """One thread, so that the order is known: the files of the other server first, though they are planned later."""
    names = [f"{file}{number}" for file in "abcd" for number in range(BATCH)]
    cases = {name: Case(name, Identity.x509("alice"), Request("GET", "/version")) for name in names}
    prover, all_done = Willing(), threading.Event()

    def prove(_: Placement, wanted: Sequence[Case]) -> list[Any]:
        proven = prover.prove(wanted)
        if len(prover.batches) == 4:
            all_done.set()
        return proven

    batches = planned_ahead(prove, cases)
    batches.perform_ahead(1, [GIVEN])

    assert all_done.wait(10)
    batches.stop()
    assert [batch[0] for batch in prover.batches] == ["b0", "d0", "a0", "c0"]


def test_a_thread_that_cannot_put_a_batch_together_leaves_the_error_to_the_case() -> None:
    case = Case("a", Identity.x509("alice"), Request("GET", "/version"))

    def impossible(*_: object) -> bool:
        raise AuditproofError("the policy is gone")

    batches = Batches(lambda *_: [], impossible, lambda placement: placement)
    batches.plan([("file", case, GIVEN)])
    batches.perform_ahead(1)
    batches.stop()

    with pytest.raises(AuditproofError, match="the policy is gone"):
        batches.proof(case)
