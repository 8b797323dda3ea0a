"""Which cases are performed together, and the outcome of each.

Cases are performed in batches of whole files, several of them if they share a server. A batch is performed when the
first of its cases is requested; ``perform_ahead`` lets threads perform batches before that, each server's one after the
other, so that servers are busy while a report is written or a stream ends.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from auditproof.errors import AuditproofError, SetupFailed
from auditproof.proof.prover import Proof
from auditproof.proof.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from auditproof.cases.case import Case
    from auditproof.proof.placement import Placement

# Files are added to a batch while it has fewer actions than this. A fence and the watches, a second each, cost the same
# for one action as for hundreds; but a disturbance leaves the whole batch unproven.
BATCH = 384
FIRST_BATCH = 48  # of a process: the sooner there is a verdict, the sooner a mistake is seen
STOP_TIMEOUT_S = 1.0  # how long the threads may take to end; after that, the end of their servers ends them


class Batching(StrEnum):
    """Which cases a process may perform together: only those that it is certain to run itself."""

    CASE = "case"
    FILE = "file"
    POLICY = "policy"


@dataclass(slots=True, eq=False)
class _File:
    placement: Placement
    cases: list[Case] = field(default_factory=list)
    begun: bool = False  # some of its cases were in a batch


class Batches:
    """Performs each case once and keeps its outcome by its id.

    ``prove`` proves some of them at a placement, ``possible`` returns whether the cluster can perform a case, ``place``
    resolves a placement, so that those that may share a batch are equal, and ``server`` returns what is equal for
    placements on the same server. ``batching`` limits which cases share a batch.
    """

    def __init__(
        self,
        prove: Callable[[Placement, Sequence[Case]], Sequence[Proof]],
        possible: Callable[[Case, Placement], bool],
        place: Callable[[Placement], Placement],
        server: Callable[[Placement], Hashable] | None = None,
    ) -> None:
        self._prove_at = prove
        self._possible = possible
        self._place = place
        self._server = server or place
        self._turn = threading.Condition()
        self._used: dict[Hashable, int] = {}  # the servers in use, by the threads that use them
        self._wanted: Hashable | None = None  # the server that a request waits for: nothing new begins on it
        self._last: set[Hashable] = set()
        self._ahead: list[threading.Thread] = []
        self._stopped = False
        self._files: dict[Hashable, _File] = {}
        self._file_of: dict[str, Hashable] = {}
        self._firsts: dict[str, str] = {}
        self.batching = Batching.POLICY
        self.outcomes: dict[str, Proof | AuditproofError] = {}

    def plan(self, cases: Iterable[tuple[Hashable, Case, Placement]]) -> None:
        """Note all cases to perform, in their order, each with its file and its placement.

        The cases of a file have the same placement. A case with the id of one that was noted before is that case: a
        file may be collected twice (pytest's --keep-duplicates).
        """
        for file, case, placement in cases:
            if case.id not in self._file_of:
                self._files.setdefault(file, _File(placement)).cases.append(case)
                self._file_of[case.id] = file

    def proof(self, case: Case) -> Proof:
        """The proof of a planned case; the first call performs the whole batch, unless a thread has done that.

        Raises AuditproofError if the action could not be performed at all.
        """
        if case.id not in self.outcomes:
            file = self._files[self._file_of[case.id]]
            with self._turn_on(file.placement, lambda: case.id in self.outcomes):
                if case.id not in self.outcomes:
                    self._perform(file.placement, self._batch(case))
        outcome = self.outcomes[case.id]
        if isinstance(outcome, AuditproofError):
            raise outcome.with_traceback(None)  # the same error for all cases of a batch: its traceback must not grow
        return outcome

    def alone_on(self, placement: Placement) -> AbstractContextManager[None]:
        """Let no other thread perform anything on the server of ``placement`` in this block; waits for its turn."""
        return self._turn_on(placement, lambda: False)

    @contextmanager
    def _turn_on(self, placement: Placement, needless: Callable[[], bool]) -> Iterator[None]:
        """Use the server of ``placement`` in this block, unless that is ``needless`` before it is free."""
        server, me = self._server(placement), threading.get_ident()
        with self._turn:
            self._wanted = server
            self._turn.wait_for(lambda: needless() or self._used.get(server, me) == me)
            self._wanted = None
            self._turn.notify_all()
            enters = not needless() and server not in self._used
            if enters:
                self._used[server] = me
        try:
            yield
        finally:
            if enters:
                self._leave(server)

    def _leave(self, server: Hashable) -> None:
        with self._turn:
            del self._used[server]
            self._turn.notify_all()

    def perform_ahead(self, threads: int, last: Iterable[Placement] = ()) -> None:
        """Begin to perform the planned batches, in their order, in ``threads`` threads; only where batches are whole.

        Those at the placements ``last``, whose servers are about to be used otherwise, come after all others. End it
        with ``stop``.
        """
        if self.batching is not Batching.POLICY:
            return
        self._last = set(map(self._server, last))
        self._ahead = [
            threading.Thread(target=self._go_ahead, name=f"auditproof-ahead-{n}", daemon=True) for n in range(threads)
        ]
        for thread in self._ahead:
            thread.start()

    def stop(self) -> None:
        """Perform nothing ahead any more; returns when no thread does, or ``STOP_TIMEOUT_S`` later."""
        with self._turn:
            self._stopped = True
            self._turn.notify_all()
        deadline = time.monotonic() + STOP_TIMEOUT_S
        for thread in self._ahead:
            thread.join(max(deadline - time.monotonic(), 0.0))
        self._ahead = []

    def _go_ahead(self) -> None:
        # What keeps a batch from being put together is an error of the case that requests it: it fails there again.
        with suppress(AuditproofError, OSError):
            while (next_one := self._take_next()) is not None:
                server, file = next_one
                try:
                    if batch := self._whole(file):
                        self._perform(file.placement, batch)
                finally:
                    self._leave(server)

    def _take_next(self) -> tuple[Hashable, _File] | None:
        """The next file that nobody has begun, on a server that is free and now in use; None at the end."""
        found: tuple[Hashable, _File] | None = None

        def ready() -> bool:
            nonlocal found
            left = [file for file in self._files.values() if not file.begun]
            placed = [(self._server(file.placement), file) for file in left]
            placed = [one for one in placed if one[0] not in self._last] or placed
            taken = {*self._used, self._wanted}
            found = None if self._stopped else next((one for one in placed if one[0] not in taken), None)
            return self._stopped or not left or found is not None

        with self._turn:
            self._turn.wait_for(ready)
            if found is not None:
                self._used[found[0]] = threading.get_ident()
                found[1].begun = True
        return found

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

    def settle(self, case: Case) -> None:
        """Forget what the log and the response say about a PROVEN case, once its record is made."""
        outcome = self.outcomes.get(case.id)
        if isinstance(outcome, Proof) and outcome.verdict.outcome is Outcome.PROVEN:
            self.outcomes[case.id] = outcome.settled()

    def left(self, placement: Placement) -> Iterator[Case]:
        """The planned cases of this process at a placement that were in no batch yet; only where batches are whole."""
        if self.batching is Batching.POLICY:
            files = (
                file for file in self._files.values() if not file.begun and self._place(file.placement) == placement
            )
            yield from (case for file in files for case in file.cases)

    def first_with(self, reason: str, case_id: str) -> str:
        """The first case of this process that was UNPROVEN for ``reason``: ``case_id``, if there was none before it."""
        return self._firsts.setdefault(reason, case_id)

    def _batch(self, case: Case) -> list[Case]:
        """The cases to perform now because ``case`` is requested, in their order."""
        file = self._files[self._file_of[case.id]]
        return [case] if self.batching is Batching.CASE else self._whole(file)

    def _whole(self, file: _File) -> list[Case]:
        """The cases of a file, and of later ones on the same server until the batch is full; none twice."""
        files: Iterable[_File] = [file]
        if self.batching is Batching.POLICY:
            # Each is placed only if the batch is not full before.
            planned, placed = list(self._files.values()), self._place(file.placement)
            files = (each for each in planned[planned.index(file) :] if self._place(each.placement) == placed)
        limit = BATCH if self.outcomes else FIRST_BATCH
        batch: list[Case] = []
        for each in files:
            each.begun = True
            batch += [one for one in each.cases if one.id not in self.outcomes and self._possible(one, each.placement)]
            if len(batch) >= limit:
                break
        return batch
