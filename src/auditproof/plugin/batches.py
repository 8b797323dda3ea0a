"""Which cases are performed together, and what came of each.

Cases are performed in batches, each when the first of its cases is reached: whole files, several where they are proven
on the same server.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from auditproof.clusters.machine import cannot
from auditproof.errors import AuditproofError
from auditproof.plugin.benches import Batching

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pytest

    from auditproof.plugin.collect import CaseItem
    from auditproof.plugin.proving import AuditSession
    from auditproof.proof.prover import Proof

# Files are added to a batch while it has fewer actions than this. A fence and the watches, a second each, cost the same
# for one action as for hundreds; but what disturbs a batch leaves all of it unproven.
BATCH = 192


class Batches:
    """Performs cases: ``cases`` are all that the session performs, ``batching`` says which of them together."""

    def __init__(self, session: AuditSession) -> None:
        self._session = session
        self.cases: Sequence[CaseItem] = ()
        self.batching = Batching.POLICY
        self._firsts: dict[str, str] = {}
        self.outcomes: dict[str, Proof | AuditproofError] = {}

    def proof(self, item: CaseItem) -> Proof:
        """The proof of a case, performed at the first call together with the other cases of its batch.

        Raises AuditproofError where the action could not be performed at all.
        """
        if item.nodeid not in self.outcomes:
            self._prove(self._batch(item))
        outcome = self.outcomes[item.nodeid]
        if isinstance(outcome, AuditproofError):
            raise outcome.with_traceback(None)  # the same error for all cases of a batch: its traceback must not grow
        return outcome

    def first_with(self, reason: str, nodeid: str) -> str:
        """The first item of this process that was UNPROVEN for ``reason``: ``nodeid``, where there was none before."""
        return self._firsts.setdefault(reason, nodeid)

    def _batch(self, item: CaseItem) -> list[CaseItem]:
        """The cases to perform now, in their order."""
        if self.batching is Batching.CASE:
            return [item]
        files = self._files_of(item) if self.batching is Batching.POLICY else iter([self._file_of(item)])
        batch: list[CaseItem] = []
        for cases in files:
            batch += cases
            if len(batch) >= BATCH:
                break
        return batch

    def _files_of(self, item: CaseItem) -> Iterator[list[CaseItem]]:
        """The cases of this file, and of every later one that is proven on the same server."""
        bench = self._session.bench_of(item)
        reached = False
        for parent, cases in self._by_file.items():
            reached = reached or parent is item.parent
            if reached and self._session.bench_of(cases[0]) == bench:
                yield self._possible(cases)

    def _file_of(self, item: CaseItem) -> list[CaseItem]:
        return self._possible(self._by_file[item.parent])

    def _possible(self, cases: Iterable[CaseItem]) -> list[CaseItem]:
        """Those of the cases that this cluster can perform."""
        return [case for case in cases if not self._session.support.missing(case)]

    @cached_property
    def _by_file(self) -> dict[pytest.Collector | None, list[CaseItem]]:
        """Every selected case, by the file that it stands in."""
        found: dict[pytest.Collector | None, list[CaseItem]] = {}
        for item in self.cases:
            found.setdefault(item.parent, []).append(item)
        return found

    def _prove(self, items: Sequence[CaseItem]) -> None:
        try:
            prover = self._session.prover(self._session.bench_of(items[0]))
            proofs = prover.prove([item.case for item in items])
        except AuditproofError as error:
            self.outcomes.update({item.nodeid: error for item in items})
        except OSError as error:  # a full disk, say: for all cases alike, and told once
            failed = cannot("the actions cannot be prepared", error, self._session.run_directory.path)
            self.outcomes.update({item.nodeid: failed for item in items})
        except Exception as error:  # a fault of ours; the actions may have been sent, and are not to be sent again
            fault = AuditproofError(f"a fault in auditproof, nothing is shown: {type(error).__name__}: {error}")
            fault.__cause__ = error
            self.outcomes.update({item.nodeid: fault for item in items})
        else:
            self.outcomes.update({proof.case.id: proof for proof in proofs})
