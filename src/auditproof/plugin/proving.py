"""The proving side of a pytest process: which cluster runs which policy, and the verdict of every case.

The controller (or a run without workers) owns the run directory and ends it; workers join it.
"""

from __future__ import annotations

import time
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

import pytest

from auditproof.analysis.coverage import plan_coverage
from auditproof.analysis.diff import diff
from auditproof.analysis.mutation.twin import twin_of
from auditproof.audit.policy.load import Policy, load_policy, version_of
from auditproof.clusters import start_provider
from auditproof.clusters.discovery import discover
from auditproof.errors import AuditproofError
from auditproof.kube.capability import Capability
from auditproof.kube.discovery import load_served
from auditproof.plugin.batches import Batches
from auditproof.plugin.benches import Bench, Wanted
from auditproof.plugin.options import minor, shown_path
from auditproof.plugin.progress import Tally
from auditproof.plugin.requiring import Required, require
from auditproof.plugin.support import Support
from auditproof.proof.policy_check import doubt_that_it_runs
from auditproof.proof.prover import Proof, Prover
from auditproof.proof.server_view import ServerView
from auditproof.proof.verdict import Outcome
from auditproof.report.proof_record import failed_record, proof_record, story

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from auditproof.analysis.coverage import Coverage
    from auditproof.analysis.diff import PolicyDiff
    from auditproof.audit.server_flags import Settings
    from auditproof.clusters.cluster import Provider
    from auditproof.clusters.policy_files import PolicyFiles
    from auditproof.clusters.run.run_directory import RunDirectory
    from auditproof.kube.discovery import Served
    from auditproof.plugin.collect import CaseItem
    from auditproof.plugin.options import Options
    from auditproof.report.model import LogRecord, ProofRecord


class AuditSession:
    """Everything that one pytest process needs to prove its items."""

    def __init__(
        self,
        options: Options,
        make_run_directory: Callable[[], RunDirectory],
        report: Callable[[str], None],
        policy_files: PolicyFiles,
    ) -> None:
        self.options = options
        self.selected: Sequence[pytest.Item] = ()
        self.start_seconds = 0.0  # from the launch of the servers, and in later waits for one
        self._launched: float | None = None
        self._make_run_directory = make_run_directory
        self._report = report
        self._provers: dict[Bench, Prover] = {}
        self._failed: dict[Bench, AuditproofError] = {}
        self._policies: dict[Path, Policy] = {}
        self._policy_files = policy_files
        self._twins: dict[Path, Path] = {}
        self.not_running = ""  # why the server seems not to run the policy that it is said to run
        self.unusable = ""  # the same, where nothing can be proven there at all
        self.batches = Batches(self)
        self.support = Support(self)
        self.log_part: LogRecord | None = None  # what the recorded events come to, where no actions are performed
        self.recorded_ids: dict[str, str] = {}  # of the proofs of requirements, then

    @cached_property
    def run_directory(self) -> RunDirectory:
        """The folder of this run, made or joined when it is first needed."""
        return self._policy_files.share(self._make_run_directory())

    @property
    def begun(self) -> RunDirectory | None:
        """The folder of this run, where it was needed so far."""
        return self.run_directory if "run_directory" in vars(self) else None

    @cached_property
    def provider(self) -> Provider:
        """The provider of the profile."""
        return start_provider(
            self.options.profile,
            self.run_directory,
            kubernetes=self.options.kubernetes,
            assets=self.options.assets,
            image=self.options.image,
            policy=self.options.policy_file,
            report=self._report,
            reuse=self.options.reuse_cluster,
        )

    @cached_property
    def _tally(self) -> Tally:
        return Tally(self.run_directory.path / "performed")

    @cached_property
    def coverage(self) -> Coverage | None:
        """The witnesses that the run performs; None where none were asked for, or the servers run broken policies."""
        options = self.options
        if options.coverage is None or options.sabotage:
            return None
        return plan_coverage(options.policy, load_served(options.kubernetes), options.coverage)

    @cached_property
    def change(self) -> PolicyDiff | None:
        """What the given policy changes; None without a base, or where the servers run broken policies."""
        options = self.options
        if options.base is None or options.sabotage:
            return None
        return diff(options.base, options.policy, load_served(options.kubernetes))

    @cached_property
    def required(self) -> tuple[Required, ...]:
        """What the run's requirements say about the policy; none where the servers run broken policies."""
        options = self.options
        if options.sabotage:
            return ()
        served = load_served(options.kubernetes)
        return tuple(
            require(options.policy, file, shown_path(file.path.resolve(), options.folders), served)
            for file in options.requirements
        )

    def served(self) -> Served:
        """What the server with the given policy serves, asked of itself while it runs, else of the record."""
        given = Bench(self.given_policy(), self.given_policy())
        if given in self._provers:
            with suppress(AuditproofError):
                return discover(self.provider.cluster(given.running))
        return load_served(self.options.kubernetes)

    def find_servers(self) -> None:
        """Find (or download, or build) the servers' binaries, with progress.

        Raises ClusterError where they cannot be had.
        """
        self.provider.prepare()

    def start_servers(self, servers: Sequence[tuple[Path, Settings]]) -> None:
        """Start a server for every policy with its settings, beside each other; does not wait until they are ready.

        A cluster that exists already runs, and what wants another policy is not supported there.
        Raises ClusterError where the binaries cannot be had.
        """
        self.find_servers()
        self._launched = time.monotonic()
        if Capability.SETS_POLICY not in self.provider.capabilities:
            return
        if servers:
            count = f"{len(servers)} API servers" if len(servers) > 1 else "the API server"
            self._report(f"auditproof: starting {count} (Kubernetes {self.options.kubernetes})")
        self.provider.start_all(servers)

    def policy(self, path: Path, since: str = "") -> Policy:
        """A policy of this run, as the run's Kubernetes reads it, or a newer one that it is for.

        Raises PolicyRefused where the API server would refuse it.
        """
        if path not in self._policies:
            name = shown_path(path, self.options.folders)
            version = max(minor(self.options.kubernetes), since, key=version_of)
            self._policies[path] = load_policy(path, kubernetes=version, name=name, read=self._policy_files.read)
        return self._policies[path]

    def bytes_of(self, path: Path) -> bytes:
        """A policy file as the run read it first. Raises OSError."""
        return self._policy_files.read(path)

    def given_policy(self) -> Path:
        """The policy that the run was given."""
        return self.options.policy_file

    def bench(self, wanted: Wanted) -> Bench:
        """Where items that want this are proven."""
        judged = wanted.policy or self.given_policy()
        if not self.options.sabotage:
            return Bench(judged, judged, wanted.settings)
        twin = judged if wanted.has_twin else self._twin(judged)
        return Bench(judged, wanted.sabotage or twin, wanted.broken_settings)

    def bench_of(self, item: CaseItem) -> Bench:
        """Where a case is proven."""
        return self.bench(item.wanted)

    def _twin(self, path: Path) -> Path:
        """A file with a twin of a policy that names none."""
        if path not in self._twins:
            self._twins[path] = self.run_directory.private_folder() / path.name
            self._twins[path].write_text(twin_of(self.policy(path)))
        return self._twins[path]

    def prover(self, bench: Bench) -> Prover:
        """The prover of a bench; its cluster is started now, or joined.

        Raises AuditproofError where that fails; it is tried once.
        """
        if bench in self._failed:
            raise self._failed[bench].with_traceback(None)
        if bench not in self._provers:
            try:
                self._provers[bench] = self._new_prover(bench)
            except AuditproofError as error:
                self._failed[bench] = error
                raise
        if self.unusable:
            raise AuditproofError(self.unusable)
        return self._provers[bench]

    def _new_prover(self, bench: Bench) -> Prover:
        policy, running = self.policy(bench.policy), self.policy(bench.running)
        begun, self._launched = self._launched or time.monotonic(), None
        cluster = self.provider.cluster(bench.running, bench.settings)
        self.start_seconds += time.monotonic() - begun
        prover = Prover(
            ServerView(cluster, self.provider),
            policy,
            running=running,
            folder=self.run_directory.private_folder(),
            performed=self._tally.add,
        )
        if Capability.SETS_POLICY not in cluster.capabilities:
            self._identify(prover, policy)
        return prover

    def _identify(self, prover: Prover, policy: Policy) -> None:
        """The first thing to be shown about a server that we have not started: that it runs this policy."""
        served = load_served(self.options.kubernetes)
        doubt, sure = doubt_that_it_runs(prover, policy, served)
        if doubt is not None:
            self.not_running = doubt
            self._report(f"auditproof: {self.not_running}")
            prover.doubt(self.not_running)
            self.unusable = "" if sure else self.not_running

    def performed(self) -> int:
        """How many actions all processes of the run have sent by now."""
        return self._tally.count() if self.begun else 0

    def server_version(self) -> str:
        """The Kubernetes version that the servers report; empty where none was started."""
        return next((prover.kubernetes for prover in self._provers.values()), "")

    def record(self, item: CaseItem, not_supported: str = "", failed: str = "") -> ProofRecord:
        """What the report says about a case.

        ``not_supported`` says why it was left out, ``failed`` what else its test came to. A case that was left out is
        not proven, though others have performed it with theirs; but what they have found to be wrong stands.
        """
        bench = self.bench_of(item)
        policy = self.policy(bench.policy, item.case.since)
        outcome = self.batches.outcomes.get(item.nodeid)
        if isinstance(outcome, Proof) and not (not_supported and outcome.verdict.outcome is Outcome.PROVEN):
            return proof_record(outcome, policy)
        failed = str(outcome) if isinstance(outcome, AuditproofError) else failed
        reason = not_supported or failed or "it was not performed"
        verdict = Outcome.NOT_SUPPORTED if not_supported else Outcome.UNPROVEN
        return failed_record(item.case, policy, verdict, reason)

    def story(self, item: CaseItem, error: AuditproofError) -> str:
        """The failure text of a case: reason first, evidence below."""
        outcome = self.batches.outcomes.get(item.nodeid)
        if not isinstance(outcome, Proof):
            return f"UNPROVEN: {error}"
        bench = self.bench_of(item)
        return story(outcome, self.policy(bench.policy))

    def close(self) -> None:
        """Close every connection of this process; the servers are ended by whoever owns the run directory."""
        for prover in self._provers.values():
            prover.close()

    def end(self) -> str:
        """End the servers and remove the run directory; answers what the user should know of what is left."""
        return self.begun.close() if self.begun else ""


SESSION: pytest.StashKey[AuditSession] = pytest.StashKey()
