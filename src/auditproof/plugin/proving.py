"""The proving side of a pytest process: which cluster runs which policy, and the verdict of every case.

The controller (or a run without workers) owns the run directory and ends it; workers join it. All selected cases of a
file are performed in one batch when the first of them is reached.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import pytest

from auditproof.clusters import start_provider
from auditproof.errors import AuditproofError
from auditproof.plugin.options import minor, shown_path
from auditproof.policy import Policy, load_policy
from auditproof.report.records import Origin, failed_record, proof_record, story
from auditproof.run import Proof, Prover, Step
from auditproof.wire import prepare_wire

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import Any

    from auditproof.clusters.base import Capability, Provider
    from auditproof.clusters.rundir import RunDirectory
    from auditproof.plugin.collect import CaseItem
    from auditproof.plugin.options import Options


@dataclass(frozen=True, slots=True)
class Bench:
    """A policy to judge by, and the policy that the server runs: another one only in a sabotage run."""

    policy: Path
    running: Path


class AuditSession:
    """Everything that one pytest process needs to prove its items."""

    def __init__(
        self, options: Options, make_run_directory: Callable[[], RunDirectory], report: Callable[[str], None]
    ) -> None:
        self.options = options
        self.selected: Sequence[pytest.Item] = ()
        self.whole_files = True
        self.start_seconds = 0.0  # from the launch of the servers, and in later waits for one
        self._launched: float | None = None
        self._make_run_directory = make_run_directory
        self._report = report
        self._provers: dict[Bench, Prover] = {}
        self._policies: dict[Path, Policy] = {}
        self._outcomes: dict[str, Proof | AuditproofError] = {}

    @cached_property
    def run_directory(self) -> RunDirectory:
        """The folder of this run, made or joined when it is first needed."""
        return self._make_run_directory()

    @cached_property
    def provider(self) -> Provider:
        """The provider of the profile."""
        return start_provider(
            self.options.profile,
            self.run_directory,
            kubernetes=self.options.kubernetes,
            assets=self.options.assets,
            report=self._report,
        )

    def find_servers(self) -> None:
        """Find (or download, or build) the servers' binaries, with progress.

        Raises ClusterError where they cannot be had.
        """
        self.provider.prepare()

    def start_servers(self, policies: Sequence[Path]) -> None:
        """Start a server for every policy, beside each other; does not wait until they are ready.

        Raises ClusterError where the binaries cannot be had.
        """
        self.find_servers()
        self._launched = time.monotonic()
        if policies:
            count = f"{len(policies)} API servers" if len(policies) > 1 else "the API server"
            self._report(f"auditproof: starting {count} (Kubernetes {self.options.kubernetes})")
        self.provider.start_all(policies)
        prepare_wire()  # while the servers start

    def policy(self, path: Path) -> Policy:
        """A policy of this run.

        Raises PolicyRefused where the API server would refuse it.
        """
        if path not in self._policies:
            name = shown_path(path, self.options.folders)
            self._policies[path] = load_policy(path, kubernetes=minor(self.options.kubernetes), name=name)
        return self._policies[path]

    def given_policy(self) -> Path:
        """The policy that the run was given."""
        return self.options.policy_file

    def bench(self, policy: Path | None, sabotage: Path | None) -> Bench:
        """Where cases with these two policies are proven."""
        judged = policy or self.given_policy()
        return Bench(judged, sabotage if self.options.sabotage and sabotage else judged)

    def prover(self, bench: Bench) -> Prover:
        """The prover of a bench; its cluster is started now, or joined."""
        if bench not in self._provers:
            policy, running = self.policy(bench.policy), self.policy(bench.running)
            begun, self._launched = self._launched or time.monotonic(), None
            cluster = self.provider.cluster(bench.running)
            self.start_seconds += time.monotonic() - begun
            self._provers[bench] = Prover(
                cluster,
                policy,
                running=running,
                folder=self.run_directory.private_folder(),
                died=lambda: self.provider.alive(cluster),
            )
        return self._provers[bench]

    def kubernetes(self, bench: Bench) -> str:
        """The version that the bench's server calls its own."""
        return self._provers[bench].kubernetes

    def missing(self, item: CaseItem) -> tuple[str, ...]:
        """The capabilities that a case needs and this cluster lacks."""
        return tuple(sorted(item.case.needs - self.capabilities(item)))

    def capabilities(self, item: CaseItem) -> frozenset[Capability]:
        """What the cluster of a case can do."""
        return self.provider.capabilities if item.case.needs else frozenset()

    def proof(self, item: CaseItem) -> Proof:
        """The proof of a case, performed at the first call together with the other cases of its file.

        Raises AuditproofError where the action could not be performed at all.
        """
        if item.nodeid not in self._outcomes:
            self._prove(self._batch(item))
        outcome = self._outcomes[item.nodeid]
        if isinstance(outcome, AuditproofError):
            raise outcome.with_traceback(None)  # the same error for all cases of a file: its traceback must not grow
        return outcome

    def _batch(self, item: CaseItem) -> list[CaseItem]:
        """The cases to perform now: those of the same file that were selected, if this process runs them all."""
        if not self.whole_files:
            return [item]
        return [
            other
            for other in self.selected
            if other.parent is item.parent and isinstance(other, type(item)) and not self.missing(other)
        ]

    def _prove(self, items: Sequence[CaseItem]) -> None:
        case_file = items[0].case_file
        steps = [_step(item) for item in items]
        try:
            prover = self.prover(self.bench(case_file.policy, case_file.sabotage))
            proofs = prover.prove(steps)
        except AuditproofError as error:
            self._outcomes.update({item.nodeid: error for item in items})
        else:
            self._outcomes.update({proof.step.id: proof for proof in proofs})

    def record(self, item: CaseItem, not_supported: str = "") -> dict[str, Any]:
        """What the report says about a case."""
        bench = self.bench(item.case_file.policy, item.case_file.sabotage)
        policy = self.policy(bench.policy)
        origin = _origin(item)
        outcome = self._outcomes.get(item.nodeid)
        if isinstance(outcome, Proof):
            return proof_record(outcome, replace(origin, kubernetes=self.kubernetes(bench)), policy)
        reason = not_supported or str(outcome or "it was not performed")
        verdict = "NOT_SUPPORTED" if not_supported else "UNPROVEN"
        return failed_record(_step(item), origin, policy, verdict, reason)

    def story(self, item: CaseItem, error: AuditproofError) -> str:
        """The failure text of a case: reason first, evidence below."""
        outcome = self._outcomes.get(item.nodeid)
        if not isinstance(outcome, Proof):
            return f"UNPROVEN: {error}"
        bench = self.bench(item.case_file.policy, item.case_file.sabotage)
        return story(outcome, _origin(item), self.policy(bench.policy))

    def close(self) -> None:
        """Close every connection of this process; the servers are ended by whoever owns the run directory."""
        for prover in self._provers.values():
            prover.close()

    def end(self) -> str:
        """End the servers and remove the run directory, or answer how to use the cluster that is kept."""
        if "run_directory" not in vars(self):
            return ""
        return self.run_directory.close()


SESSION: pytest.StashKey[AuditSession] = pytest.StashKey()


def _step(item: CaseItem) -> Step:
    case = item.case
    return Step(item.nodeid, case.identity, case.request, case.expectation, (*item.case_file.given, *case.given))


def _origin(item: CaseItem) -> Origin:
    case = item.case
    suite = item.nodeid.partition("::")[0]
    return Origin(item.nodeid, case.title, suite, case.position.line, case.because, case.claim)
