"""What is performed together, and how often: the prover is a fake, which counts how often it is asked."""

from types import SimpleNamespace
from typing import Any

import pytest

from auditproof.errors import AuditproofError
from auditproof.plugin.batches import Batches
from auditproof.plugin.benches import Batching


class Faulty:
    """A prover that sends what it is given, and then fails."""

    def __init__(self, error: Exception) -> None:
        self.error, self.sent = error, 0

    def prove(self, steps: list[Any]) -> list[Any]:
        self.sent += len(steps)
        raise self.error


@pytest.mark.parametrize("error", [RecursionError("too deep"), KeyError("x"), AuditproofError("gone")])
def test_nothing_is_sent_twice_whatever_a_prover_fails_with(error: Exception) -> None:
    prover, parent = Faulty(error), object()
    support = SimpleNamespace(missing=lambda _: "")
    session = SimpleNamespace(prover=lambda _: prover, bench_of=lambda _: "bench", support=support)
    performed = Batches(session)
    performed.batching = Batching.POLICY
    performed.cases = [SimpleNamespace(nodeid=name, parent=parent, case=name) for name in ("a", "b")]

    for item in performed.cases:
        with pytest.raises(AuditproofError, match=str(error)):
            performed.proof(item)
    assert prover.sent == 2
