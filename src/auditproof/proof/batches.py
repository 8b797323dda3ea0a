"""Which cases are performed together, and the outcome of each.

Cases are performed in batches of whole files, several of them if they share a server. A batch is performed when the
first of its cases is requested.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from auditproof.errors import AuditproofError, SetupFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

    from auditproof.cases.case import Case
    from auditproof.proof.placement import Placement
    from auditproof.proof.prover import Proof

# Files are added to a batch while it has fewer actions than this. A fence and the watches, a second each, cost the same
# for one action as for hundreds; but a disturbance leaves the whole batch unproven.
BATCH = 192


class Batching(StrEnum):
    """Which cases a process may perform together: only those that it is certain to run itself."""

    CASE = "case"
    FILE = "file"
    POLICY = "policy"


@dataclass(slots=True, eq=False)
class _File:
    placement: Placement
    cases: list[Case] = field(default_factory=list)


class Batches:
    """Performs each case once and keeps its outcome by its id.

    ``prove`` proves some of them at a placement, ``possible`` returns whether the cluster can perform a case, ``place``
    resolves a placement, so that those on the same server are equal. ``batching`` limits which cases share a batch.
    """

    def __init__(
        self,
        prove: Callable[[Placement, Sequence[Case]], Sequence[Proof]],
        possible: Callable[[Case, Placement], bool],
        place: Callable[[Placement], Placement],
    ) -> None:
        self._prove_at = prove
        self._possible = possible
        self._place = place
        self._files: dict[Hashable, _File] = {}
        self._file_of: dict[str, Hashable] = {}
        self._firsts: dict[str, str] = {}
        self.batching = Batching.POLICY
        self.outcomes: dict[str, Proof | AuditproofError] = {}

    def plan(self, cases: Iterable[tuple[Hashable, Case, Placement]]) -> None:
        """Note all cases to perform, in their order, each with its file and its placement.

        The cases of a file have the same placement.
        """
        for file, case, placement in cases:
            self._files.setdefault(file, _File(placement)).cases.append(case)
            self._file_of[case.id] = file

    def proof(self, case: Case) -> Proof:
        """The proof of a planned case; the first call performs the whole batch.

        Raises AuditproofError if the action could not be performed at all.
        """
        if case.id not in self.outcomes:
            self._perform(self._files[self._file_of[case.id]].placement, self._batch(case))
        outcome = self.outcomes[case.id]
        if isinstance(outcome, AuditproofError):
            raise outcome.with_traceback(None)  # the same error for all cases of a batch: its traceback must not grow
        return outcome

    def _perform(self, placement: Placement, cases: Sequence[Case]) -> None:
        """Perform the cases of a batch, without those whose set-up fails: for these, nothing has been sent."""
        try:
            proofs = self._prove_at(placement, cases)
        except SetupFailed as failed:
            self.outcomes.update(failed.by_case)
            if left := [case for case in cases if case.id not in failed.by_case]:
                self._perform(placement, left)
        except AuditproofError as error:
            self.outcomes.update({case.id: error for case in cases})
        except Exception as error:
            # A bug in auditproof. The actions may have been sent, and must not be sent again.
            fault = AuditproofError(f"a bug in auditproof, nothing is shown: {type(error).__name__}: {error}")
            fault.__cause__ = error
            self.outcomes.update({case.id: fault for case in cases})
        else:
            self.outcomes.update({proof.case.id: proof for proof in proofs})

    def first_with(self, reason: str, case_id: str) -> str:
        """The first case of this process that was UNPROVEN for ``reason``: ``case_id``, if there was none before it."""
        return self._firsts.setdefault(reason, case_id)

    def _batch(self, case: Case) -> list[Case]:
        """The cases to perform now, in their order."""
        if self.batching is Batching.CASE:
            return [case]
        file = self._files[self._file_of[case.id]]
        files: Iterable[_File] = [file]
        if self.batching is Batching.POLICY:
            # Every later file on the same server, too; each is placed only if the batch is not full before.
            planned, placed = list(self._files.values()), self._place(file.placement)
            files = (each for each in planned[planned.index(file) :] if self._place(each.placement) == placed)
        batch: list[Case] = []
        for each in files:
            batch += [one for one in each.cases if self._possible(one, each.placement)]
            if len(batch) >= BATCH:
                break
        return batch
