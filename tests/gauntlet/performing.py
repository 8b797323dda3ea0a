"""One run: the real prover on a real server, with something between the two that misbehaves."""

from __future__ import annotations

import shutil
import time
import traceback
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from random import Random
from typing import TYPE_CHECKING

from auditproof.clusters.cluster import LogPlace
from auditproof.errors import AuditproofError
from auditproof.proof.prover import Prover
from auditproof.proof.run_counters import count
from tests.gauntlet.cases import steps
from tests.gauntlet.etcd import Pause
from tests.gauntlet.noise import Noise
from tests.gauntlet.proxy import Script
from tests.gauntlet.reader import Reader
from tests.gauntlet.truth import Between, Grade, events_of, truth_about

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from auditproof.clusters.cluster import Cluster
    from auditproof.proof.prover import Proof
    from tests.gauntlet.plan import Plan
    from tests.gauntlet.station import Station

PATIENCE_S = 0.5  # how long a run waits for the end of its fence; one without a fault, which needs it, has more
CONTROL_PATIENCE_S = 5.0
ACTIONS = 5


@dataclass(slots=True)
class Performed:
    """What came of a run: verdicts, or why there are none.

    ``control``: nothing misbehaves. ``between`` is None where no proxy was.
    """

    plan: Plan
    station: str
    control: bool
    proofs: tuple[Proof, ...] = ()
    between: Between | None = None
    refused: str = ""
    crash: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Graded:
    """A verdict and what it is worth."""

    performed: Performed
    proof: Proof
    grade: Grade
    why: str = field(default="")


def perform(plan: Plan, station: Station) -> Performed:
    """Perform a run. What the prover refuses to do is an answer, what it stumbles over a crash."""
    done = Performed(plan, station.kind.name, control=plan.control and station.kind.said)
    folder = station.folder / f"run-{plan.number}"
    folder.mkdir()
    begun = time.monotonic()
    try:
        with ExitStack() as stack:
            cluster = _disturbed(plan, station, folder, done, stack)
            patience = CONTROL_PATIENCE_S if done.control else PATIENCE_S
            judged = station.judged
            prover = Prover(station.view(cluster), judged, running=judged, folder=station.keys, patience_s=patience)
            stack.callback(prover.close)
            pods = station.kind.part == "kubelet"
            done.proofs = prover.prove(steps(Random(f"{plan.seed}:steps"), plan.number, judged, ACTIONS, pods=pods))
    except AuditproofError as error:
        done.refused = str(error)
    except Exception:  # whatever it is, it is a finding
        done.crash = traceback.format_exc()
    done.seconds = time.monotonic() - begun
    shutil.rmtree(folder)
    return done


def _disturbed(plan: Plan, station: Station, folder: Path, done: Performed, stack: ExitStack) -> Cluster:
    """The cluster as the prover sees it: its log read by a reader, its address a proxy's, where the plan says so."""
    cluster = station.cluster
    if plan.noise:
        stack.callback(Noise(cluster, folder, Random(plan.seed)).close)
    if plan.lies:
        target = folder / "audit.log"
        reader = Reader(cluster.log, target, [lie.make() for lie in plan.lies])
        stack.callback(reader.close)
        source = f"command:tail -c +{{start}} {target}" if plan.by_command else f"file:{target}"
        cluster = replace(cluster, log_place=LogPlace(target, (source,)))
    station.way.script(plan.way, plan.chance, plan.seed)
    if plan.pause:
        pause = Pause(station.directory, cluster.name, plan.pause, plan.seed, kill=plan.kill)
        stack.callback(pause.close)
    if plan.meddles:
        script = Script(plan.meddles, Between(plan.noise))
        station.proxy.script = script
        done.between = script.between
        cluster = replace(cluster, endpoint=replace(cluster.endpoint, url=station.proxy.url, ca=station.proxy.ca))
    return cluster


class Untrue(Exception):
    """The truth itself is not to be had."""


class Grader:
    """Grades what was performed on a station; everything must be over by then."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._read = 0

    def grade(self, performed: Sequence[Performed]) -> Iterator[Graded]:
        """The worth of every verdict. Raises Untrue where the server's log is not seen to be whole."""
        account = count(self._station.cluster)
        if account.holds is False:
            raise Untrue(f"{self._station.kind.name}: {account.reason}")
        log, self._read = events_of(self._station.cluster.log, self._read)
        for run in performed:
            for proof in run.proofs:
                exchange = proof.verdict.evidence.exchange
                seen = {str(event.stage) for event in proof.verdict.evidence.events}
                truth = truth_about(proof.case, exchange, run.between, log, self._station.judged)
                yield Graded(run, proof, *truth.grade(proof.verdict.outcome, seen))
