"""The proving side of a pytest process: which cluster runs which policy, and the verdict of every case.

The controller (or a run without workers) owns the run directory and ends it; workers join it. Cases are performed in
batches, each when the first of its cases is reached: whole files, several where they are proven on the same server.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import pytest

from auditproof.capability import Capability
from auditproof.clusters import start_provider
from auditproof.clusters.discovery import discover
from auditproof.clusters.rundir import cpu_count
from auditproof.clusters.servers import started
from auditproof.counting import Account, count
from auditproof.coverage import plan
from auditproof.diff import diff
from auditproof.errors import AuditproofError
from auditproof.guest import needs_cluster_rights
from auditproof.identification import doubt_that_it_runs
from auditproof.noise import Noise, measure
from auditproof.plugin.benches import Batching, Bench, Wanted
from auditproof.plugin.options import minor, shown_path
from auditproof.plugin.progress import Tally
from auditproof.plugin.requiring import Required, require
from auditproof.policy import Policy, load_policy, version_of
from auditproof.report.records import Origin, failed_record, proof_record, story
from auditproof.run import Proof, Prover, Step
from auditproof.sabotage import twin_of
from auditproof.served import load_served
from auditproof.settings import NO_SETTINGS, Settings
from auditproof.wire import prepare_wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path
    from typing import Any

    from auditproof.clusters.base import Cluster, Provider
    from auditproof.clusters.rundir import RunDirectory
    from auditproof.coverage import Coverage
    from auditproof.diff import PolicyDiff
    from auditproof.plugin.collect import CaseItem
    from auditproof.plugin.options import Options
    from auditproof.served import Served


# Files are added to a batch while it has fewer actions than this. A fence and the watches, a second each, cost the same
# for one action as for hundreds; but what disturbs a batch leaves all of it unproven.
BATCH = 192


class AuditSession:
    """Everything that one pytest process needs to prove its items."""

    def __init__(
        self, options: Options, make_run_directory: Callable[[], RunDirectory], report: Callable[[str], None]
    ) -> None:
        self.options = options
        self.selected: Sequence[pytest.Item] = ()
        self.cases: Sequence[CaseItem] = ()  # those of them that are cases
        self.batching = Batching.POLICY
        self.start_seconds = 0.0  # from the launch of the servers, and in later waits for one
        self._launched: float | None = None
        self._make_run_directory = make_run_directory
        self._report = report
        self._provers: dict[Bench, Prover] = {}
        self._policies: dict[Path, Policy] = {}
        self._twins: dict[Path, Path] = {}
        self._outcomes: dict[str, Proof | AuditproofError] = {}
        self.not_running = ""  # why the server seems not to run the policy that it is said to run
        self._unusable = ""
        self._missing: dict[str, tuple[str, ...]] = {}
        self.log_part: dict[str, Any] = {}  # what the recorded events come to, where no actions are performed
        self.recorded_ids: dict[str, str] = {}  # of the proofs of requirements, then

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
        return plan(options.policy, load_served(options.kubernetes), options.coverage)

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
        prepare_wire()  # while the servers start

    def policy(self, path: Path, since: str = "") -> Policy:
        """A policy of this run, as the run's Kubernetes reads it, or a newer one that it is for.

        Raises PolicyRefused where the API server would refuse it.
        """
        if path not in self._policies:
            name = shown_path(path, self.options.folders)
            version = max(minor(self.options.kubernetes), since, key=version_of)
            self._policies[path] = load_policy(path, kubernetes=version, name=name)
        return self._policies[path]

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

    def _twin(self, path: Path) -> Path:
        """A file with a twin of a policy that names none."""
        if path not in self._twins:
            self._twins[path] = self.run_directory.private_folder() / path.name
            self._twins[path].write_text(twin_of(self.policy(path)))
        return self._twins[path]

    def prover(self, bench: Bench) -> Prover:
        """The prover of a bench; its cluster is started now, or joined."""
        if bench not in self._provers:
            self._provers[bench] = self._new_prover(bench)
        if self._unusable:
            raise AuditproofError(self._unusable)
        return self._provers[bench]

    def _new_prover(self, bench: Bench) -> Prover:
        policy, running = self.policy(bench.policy), self.policy(bench.running)
        begun, self._launched = self._launched or time.monotonic(), None
        cluster = self.provider.cluster(bench.running, bench.settings)
        self.start_seconds += time.monotonic() - begun
        prover = Prover(
            cluster,
            policy,
            running=running,
            folder=self.run_directory.private_folder(),
            died=lambda: self.provider.alive(cluster),
            request_log=lambda: self.provider.request_log(cluster),
            performed=self._tally.add,
        )
        if Capability.SETS_POLICY not in cluster.capabilities:
            self._identify(prover, policy, cluster)
        return prover

    def _identify(self, prover: Prover, policy: Policy, cluster: Cluster) -> None:
        """The first thing to be shown about a server that we have not started: that it runs this policy."""
        served = load_served(self.options.kubernetes)
        self.not_running, sure = doubt_that_it_runs(prover, policy, served, cluster.capabilities)
        if self.not_running:
            self._report(f"auditproof: {self.not_running}")
            prover.doubt(self.not_running)
            self._unusable = "" if sure else self.not_running

    def performed(self) -> int:
        """How many actions all processes of the run have sent by now."""
        return self._tally.count() if "run_directory" in vars(self) else 0

    def kubernetes(self, bench: Bench) -> str:
        """The version that the bench's server calls its own."""
        return self._provers[bench].kubernetes

    def missing(self, item: CaseItem) -> tuple[str, ...]:
        """What a case needs and this cluster lacks: a newer Kubernetes, or capabilities, or what is nobody else's."""
        if self.too_old(item):
            return (f"Kubernetes {item.case.since}",)
        if item.nodeid not in self._missing:
            needs = item.case.needs | self.needed_of_server(item.wanted)
            self._missing[item.nodeid] = self.lacking(_step(item), item.wanted, needs=needs)
        return self._missing[item.nodeid]

    def too_old(self, item: CaseItem) -> bool:
        """Whether a case is about a newer Kubernetes than this run's."""
        since = item.case.since
        return since != "" and version_of(self.options.kubernetes) < version_of(since)

    def lacking(
        self, step: Step, wanted: Wanted, *, needs: frozenset[Capability], states_more: bool = False
    ) -> tuple[str, ...]:
        """What a step needs, beside ``needs``, that the cluster does not give.

        ``states_more``: more is expected than what the policy decides.
        """
        if needs_cluster_rights(
            step.identity, step.request, step.attributes, step.expectation, step.given, states_more
        ):
            needs |= {Capability.GRANTS_CLUSTER_RIGHTS}
        lacking = tuple(sorted(needs - self.provider.capabilities)) if needs else ()
        if lacking or Capability.SETS_POLICY in self.provider.capabilities or self._unusable:
            return lacking
        return self._somebody_elses(step, wanted)

    def needed_of_server(self, wanted: Wanted) -> frozenset[Capability]:
        """What an item needs that wants a server with this policy and these flags."""
        bench = self.bench(wanted)
        given = bench.running == self.given_policy() and bench.settings == NO_SETTINGS
        return frozenset() if given else frozenset({Capability.SETS_POLICY})

    def _somebody_elses(self, step: Step, wanted: Wanted) -> tuple[str, ...]:
        try:
            text = self.prover(self.bench(wanted)).cannot(step.identity, step.given)
        except AuditproofError:
            return ()  # whoever proves the case is told
        return (f"a cluster of its own: there is {text}",) if text else ()

    def proof(self, item: CaseItem) -> Proof:
        """The proof of a case, performed at the first call together with the other cases of its batch.

        Raises AuditproofError where the action could not be performed at all.
        """
        if item.nodeid not in self._outcomes:
            self._prove(self._batch(item))
        outcome = self._outcomes[item.nodeid]
        if isinstance(outcome, AuditproofError):
            raise outcome.with_traceback(None)  # the same error for all cases of a batch: its traceback must not grow
        return outcome

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
        bench = self._bench_of(item)
        reached = False
        for parent, cases in self._by_file.items():
            reached = reached or parent is item.parent
            if reached and self._bench_of(cases[0]) == bench:
                yield self._possible(cases)

    def _file_of(self, item: CaseItem) -> list[CaseItem]:
        return self._possible(self._by_file[item.parent])

    def _possible(self, cases: Iterable[CaseItem]) -> list[CaseItem]:
        """Those of the cases that this cluster can perform."""
        return [case for case in cases if not self.missing(case)]

    @cached_property
    def _by_file(self) -> dict[pytest.Collector | None, list[CaseItem]]:
        """Every selected case, by the file that it stands in."""
        found: dict[pytest.Collector | None, list[CaseItem]] = {}
        for item in self.cases:
            found.setdefault(item.parent, []).append(item)
        return found

    def _bench_of(self, item: CaseItem) -> Bench:
        return self.bench(item.wanted)

    def _prove(self, items: Sequence[CaseItem]) -> None:
        steps = [_step(item) for item in items]
        try:
            prover = self.prover(self._bench_of(items[0]))
            proofs = prover.prove(steps)
        except AuditproofError as error:
            self._outcomes.update({item.nodeid: error for item in items})
        else:
            self._outcomes.update({proof.step.id: proof for proof in proofs})

    def record(self, item: CaseItem, not_supported: str = "") -> dict[str, Any]:
        """What the report says about a case."""
        bench = self._bench_of(item)
        policy = self.policy(bench.policy, item.case.since)
        origin = _origin(item)
        outcome = self._outcomes.get(item.nodeid)
        if isinstance(outcome, Proof):
            origin = replace(origin, kubernetes=self.kubernetes(bench))
            return {**proof_record(outcome, origin, policy), "notRunning": self.not_running}
        reason = not_supported or str(outcome or "it was not performed")
        verdict = "NOT_SUPPORTED" if not_supported else "UNPROVEN"
        return {**failed_record(_step(item), origin, policy, verdict, reason), "notRunning": self.not_running}

    def story(self, item: CaseItem, error: AuditproofError) -> str:
        """The failure text of a case: reason first, evidence below."""
        outcome = self._outcomes.get(item.nodeid)
        if not isinstance(outcome, Proof):
            return f"UNPROVEN: {error}"
        bench = self._bench_of(item)
        return story(outcome, _origin(item), self.policy(bench.policy))

    def accounts(self) -> list[tuple[Path, Account]]:
        """The counters of every API server of the run held against its log, with the policy that it runs."""
        if "run_directory" not in vars(self):
            return []
        servers = started(self.run_directory)
        prepare_wire()  # with workers, this process has not sent anything yet
        with ThreadPoolExecutor(max_workers=cpu_count()) as pool:
            accounts = list(pool.map(lambda server: self._account(server[0], server[2]), servers))
        return [(policy, account) for (_, policy, _), account in zip(servers, accounts, strict=True)]

    def _account(self, cluster: Cluster, settings: Settings) -> Account:
        if cluster.guest:
            return Account(reason="could not be counted: this log is as old as somebody else's API server")
        if cluster.servers > 1:
            return Account(reason="could not be counted: several API servers have a log each")
        if settings.keeps_log and Settings.of(self.options.profile.audit_log).keeps_log:
            return count(cluster)
        return Account(reason="could not be counted: this API server removes what it has written")

    def noise(self) -> Noise | None:
        """What the server with the given policy recorded beside the run's own requests; None where that is not known.

        A cluster that is somebody else's has a log that is not ours to read as a whole.
        """
        if "run_directory" not in vars(self) or self.options.sabotage:
            return None
        given = (
            cluster
            for cluster, policy, settings in started(self.run_directory)
            if policy == self.given_policy() and settings == NO_SETTINGS and not cluster.guest and cluster.log.is_file()
        )
        for cluster in given:
            with cluster.log.open("rb") as lines:
                return measure(lines, self.options.policy)
        return None

    def close(self) -> None:
        """Close every connection of this process; the servers are ended by whoever owns the run directory."""
        for prover in self._provers.values():
            prover.close()

    def end(self) -> str:
        """End the servers and remove the run directory; answers what the user should know of what is left."""
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
