"""A run: which cluster runs which policy, and the proof of every case. Independent of pytest.

::

    with Session(RunOptions.of(Path("policy.yaml"))) as session:
        proofs = session.prove(load_case_file(Path("secrets.audit.yaml")).cases)

One process owns the run directory and stops the servers; others may join it (``joined``) and only use them.
"""

from __future__ import annotations

import time
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from auditproof.analysis.mutation.twin import twin_of
from auditproof.audit.server_flags import DEFAULT_FLAGS
from auditproof.clusters import start_provider
from auditproof.clusters.discovery import discover
from auditproof.clusters.machine import cannot
from auditproof.clusters.policy_files import PolicyFiles
from auditproof.clusters.run.run_directory import RunDirectory
from auditproof.errors import AuditproofError
from auditproof.kube.capability import Capability
from auditproof.kube.discovery import load_served
from auditproof.kube.versions import minor, version_of
from auditproof.proof.batches import Batches
from auditproof.proof.placement import GIVEN, Placement
from auditproof.proof.plan import RunPlan
from auditproof.proof.policy_check import doubt_that_it_runs
from auditproof.proof.prover import Prover
from auditproof.proof.server_view import ServerView
from auditproof.proof.support import Support
from auditproof.proof.tally import Tally
from auditproof.text.paths import shown_path

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence
    from types import TracebackType
    from typing import Self

    from auditproof.audit.policy.load import Policy
    from auditproof.audit.server_flags import ServerFlags
    from auditproof.cases.case import Case
    from auditproof.clusters.cluster import Cluster, Provider
    from auditproof.errors import Position
    from auditproof.kube.discovery import Served
    from auditproof.proof.prover import Proof
    from auditproof.proof.run_options import RunOptions

AHEAD = 2  # threads: while a stream lasts seconds on one server, others are busy


class Session:
    """Starts servers when they are first needed, proves cases on them, and stops everything that it has started.

    ``report`` is called with progress lines for the user, such as that a server is being started. ``policy_files`` has
    read the policies of ``options`` (each file is read once in a run). ``joined`` is the run directory of the process
    that owns the run, for a process that only joins it.

    No server starts before the first case is proven; all of them are stopped at the end of the ``with`` block.

    >>> from pathlib import Path
    >>> from auditproof import RunOptions, Session, load_case_file
    >>> cases = load_case_file(Path("suites/standard/identities.audit.yaml")).cases
    >>> with Session(RunOptions.of(Path("fixtures/policies/baseline.yaml"))) as session:
    ...     proofs = session.prove(cases[:0])  # all of them on a real server: session.prove(cases)
    >>> proofs
    ()
    """

    def __init__(
        self,
        options: RunOptions,
        *,
        report: Callable[[str], None] = lambda _: None,
        policy_files: PolicyFiles | None = None,
        joined: str | None = None,
    ) -> None:
        self.options = options
        self._report = report
        self._policy_files = policy_files or PolicyFiles()
        self._joined = joined
        self._policies = {options.policy_file: options.policy}
        if options.base_file is not None and options.base is not None:
            self._policies[options.base_file] = options.base
        self._twins: dict[Path, Path] = {}
        self._provers: dict[Placement, Prover] = {}
        self._failed: dict[Placement, AuditproofError] = {}
        self._defined: set[Placement] = set()
        self._unusable: str | None = None
        self._launched: float | None = None
        self._early: list[tuple[Path, ServerFlags]] = []
        self.start_seconds = 0.0  # seconds from the launch of the servers, plus later waits for one
        self.not_running: str | None = None  # why the server seems not to run the given policy
        self.plan = RunPlan(options)
        self.support = Support(
            options.kubernetes, lambda: self.provider.capabilities, self._is_given, self._unsupported
        )
        self.batches = Batches(
            self._prove_planned,
            lambda case, placement: not self.support.missing(case, placement),
            self.place,
            self._server,
        )

    def __enter__(self) -> Self:
        """The session itself; nothing is started yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections and stop the servers, whatever has happened."""
        try:
            self.close()
        finally:
            if left := self.end():
                self._report(left)

    def prove(self, cases: Iterable[Case], placement: Placement = GIVEN) -> tuple[Proof, ...]:
        """Perform the cases in order, on one server, and judge each by what it expects of this Kubernetes version.

        Raises AuditproofError if no server can be started or the set-up fails: then nothing was performed. Later errors
        make verdicts UNPROVEN.
        """
        wanted = [case.on(self.options.kubernetes) for case in cases]
        try:
            return self.prover(placement).prove(wanted) if wanted else ()
        except OSError as error:  # for example, a full disk
            raise cannot("the actions cannot be prepared", error, self.run_directory.path) from None

    def _prove_planned(self, placement: Placement, cases: Sequence[Case]) -> tuple[Proof, ...]:
        """As ``prove``; after the first batch on a server, the custom resources of the later ones are defined."""
        proofs = self.prove(cases, placement)
        if (placed := self.place(placement)) not in self._defined:
            self._defined.add(placed)
            self.prover(placed).define(given for case in self.batches.left(placed) for given in case.given)
        return proofs

    @cached_property
    def run_directory(self) -> RunDirectory:
        """The folder of this run, created or joined when it is first needed. Raises ClusterError."""
        if self._joined is None:
            return self._policy_files.share(RunDirectory.create(keep=self.options.keep_cluster))
        return self._policy_files.share(RunDirectory.open(self._joined))

    @property
    def begun(self) -> RunDirectory | None:
        """The folder of this run; None until it is needed."""
        return self.run_directory if "run_directory" in vars(self) else None

    @cached_property
    def provider(self) -> Provider:
        """The provider of the profile."""
        options = self.options
        return start_provider(
            options.profile,
            self.run_directory,
            kubernetes=options.kubernetes,
            assets=options.assets,
            image=options.image,
            policy=options.policy_file,
            report=self._report,
            reuse=options.reuse_cluster,
        )

    @cached_property
    def _tally(self) -> Tally:
        return Tally(self.run_directory.path / "performed")

    def performed(self) -> int:
        """How many requests all processes of the run have sent so far."""
        return self._tally.count() if self.begun else 0

    def served(self) -> Served:
        """The resources of the server with the given policy: discovered while it runs, else the recorded ones."""
        given = Placement(self.options.policy_file, self.options.policy_file)
        if given in self._provers:
            with suppress(AuditproofError):
                return discover(self._cluster(given))
        return load_served(self.options.kubernetes)

    def server_version(self) -> str:
        """The Kubernetes version that the servers report; empty if none was started."""
        return next((prover.kubernetes for prover in self._started()), "")

    def find_servers(self) -> None:
        """Find (or download, or build) the servers' binaries, with progress.

        Raises ClusterError if they are not available.
        """
        self.provider.prepare()

    def start_servers(self, placements: Iterable[Placement]) -> None:
        """Start every server that the placements need, in parallel; does not wait until they are ready.

        An existing cluster starts nothing; cases that need another policy are not supported there.
        Raises ClusterError if the binaries are not available.
        """
        placed = map(self.place, placements)
        servers = list(dict.fromkeys((self._file(each.running), each.settings) for each in placed))
        if not servers:
            return
        self.find_servers()
        # From here on: the time for a download is not that of a start.
        self._launched = self._launched or time.monotonic()
        if Capability.SETS_POLICY not in self.provider.capabilities:
            return
        count = f"{len(servers)} API servers" if len(servers) > 1 else "the API server"
        self._report(f"auditproof: starting {count} (Kubernetes {self.options.kubernetes})")
        self.provider.start_all([server for server in servers if server not in self._early])

    def start_early(self) -> None:
        """Begin to start the server of the given policy, before it is known which others are needed.

        Raises ClusterError if the binaries are not available.
        """
        placed = self.place(GIVEN)
        self.find_servers()
        self._launched = time.monotonic()
        self._early = [(self._file(placed.running), placed.settings)]
        self.provider.start_all(self._early)

    def policy(self, path: Path | None = None, since: str = "") -> Policy:
        """A policy of this run, the given one if ``path`` is None.

        It is read as the run's Kubernetes version reads it, or as version ``since``, if that is newer. Raises
        PolicyRefused if the API server would refuse it.
        """
        file = self._file(path)
        if file not in self._policies:
            name = shown_path(file, self.options.folders)
            version = max(minor(self.options.kubernetes), since, key=version_of)
            self._policies[file] = self._policy_files.load(file, kubernetes=version, name=name)
        return self._policies[file]

    def bytes_of(self, path: Path | None) -> bytes:
        """The content of a policy file when the run first read it. Raises OSError."""
        return self._policy_files.read(self._file(path))

    def place(self, placement: Placement) -> Placement:
        """The placement in this run: with the files of both policies, and its twin's server in a sabotage run.

        Two placements share a server and a judging policy exactly if this returns the same for both.
        """
        judging = self._file(placement.policy)
        if not self.options.sabotage:
            return Placement(judging, placement.running or judging, placement.settings)
        if placement.twin is not None:
            return Placement(judging, placement.twin.running or judging, placement.twin.settings)
        # A policy that names no twin gets a derived one, written once.
        if judging not in self._twins:
            self._twins[judging] = self.run_directory.private_folder() / judging.name
            self._twins[judging].write_text(twin_of(self.policy(judging)))
        return Placement(judging, self._twins[judging], placement.settings)

    def _server(self, placement: Placement) -> Hashable:
        """What is equal for placements whose server is the same: policies are given to servers by their content."""
        placed = self.place(placement)
        try:
            return self.bytes_of(placed.running), placed.settings
        except OSError:  # the error of the server's start says it
            return placed.running, placed.settings

    def _file(self, path: Path | None) -> Path:
        return self.options.policy_file if path is None else path

    def _is_given(self, placement: Placement) -> bool:
        placed = self.place(placement)
        return placed.running == self.options.policy_file and placed.settings == DEFAULT_FLAGS

    def prover(self, placement: Placement = GIVEN) -> Prover:
        """The prover of a placement; its cluster is started now, or joined.

        Raises AuditproofError if that fails; it is tried only once.
        """
        placed = self.place(placement)
        if placed in self._failed:
            # The same error for every case: its traceback must not grow with each.
            raise self._failed[placed].with_traceback(None)
        if placed not in self._provers:
            try:
                self._provers[placed] = self._new_prover(placed)
            except AuditproofError as error:
                self._failed[placed] = error
                raise
        if self._unusable is not None:
            raise AuditproofError(self._unusable)
        return self._provers[placed]

    def _cluster(self, placed: Placement) -> Cluster:
        return self.provider.cluster(self._file(placed.running), placed.settings)

    def _new_prover(self, placed: Placement) -> Prover:
        policy, running = self.policy(placed.policy), self.policy(placed.running)
        # Servers start in parallel: the first wait counts from their launch, later ones from their own beginning.
        begun, self._launched = self._launched or time.monotonic(), None
        cluster = self._cluster(placed)
        self.start_seconds += time.monotonic() - begun
        view, folder = ServerView(cluster, self.provider), self.run_directory.private_folder()
        prover = Prover(
            view, policy, running=running, folder=folder, performed=self._tally.add, shown=self._shown_place
        )
        if Capability.SETS_POLICY not in cluster.capabilities:
            # Check first that an existing server runs this policy; otherwise no verdict about it would mean anything.
            self.not_running, sure = doubt_that_it_runs(prover, policy, load_served(self.options.kubernetes))
            if self.not_running is not None:
                self._report(f"auditproof: {self.not_running}")
                prover.doubt(self.not_running)
                self._unusable = None if sure else self.not_running
        return prover

    def _shown_place(self, position: Position) -> str:
        return f"{shown_path(Path(position.path), self.options.folders)}:{position.line}"

    def _unsupported(self, case: Case, placement: Placement) -> str | None:
        return self.prover(placement).unsupported(case.identity, case.given)

    def perform_ahead(self, last: Iterable[Placement] = ()) -> None:
        """Perform planned cases before they are requested, on several servers beside each other; ``stop`` ends it.

        The cases at the placements ``last`` come after all others: their servers are about to be used otherwise.

        Not before servers were started, and not on an existing cluster: its one server is another's, and busy enough
        with one request after the other.
        """
        if self._launched is not None and Capability.SETS_POLICY in self.provider.capabilities:
            self.batches.perform_ahead(AHEAD, last)

    def stop(self) -> None:
        """Send no further request of a case, and end the threads that perform batches ahead."""
        for prover in self._started():
            prover.stop()
        self.batches.stop()

    def _started(self) -> list[Prover]:
        """The provers so far; a thread that performs ahead may be adding one."""
        return list(self._provers.values())

    def close(self) -> None:
        """Close every connection of this process; the servers keep running."""
        self.stop()
        for prover in self._started():
            prover.close()

    def end(self) -> str:
        """Stop the servers and remove the run directory; returns a message for the user about anything left behind.

        A process that has joined the run stops nothing.
        """
        return self.begun.close() if self.begun else ""
