"""``python -m tests.gauntlet``: see the package."""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from auditproof.client import connection as wire
from auditproof.clusters.run.run_directory import RunDirectory
from tests.gauntlet.performing import Grader, perform
from tests.gauntlet.plan import plan_of
from tests.gauntlet.sessions import Sessions, session_of
from tests.gauntlet.station import KINDS, Station
from tests.gauntlet.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.gauntlet.plan import Plan
    from tests.gauntlet.station import Kind

PART = 20  # runs of a station after which the truth is asked for; of that with the etcd, the last one kills


SESSIONS = 1_000_000  # pytest sessions are numbered from here on
RUNS_A_SESSION = 250
READ_TIMEOUT_S = 5.0  # nothing here takes more than two seconds, but a stream that never ends


class Gauntlet:
    """Performs runs, those of a station one after the other, stations beside each other."""

    def __init__(self, seed: int, tell: Callable[[str], None], *, beyond: bool = False) -> None:
        self._beyond = beyond
        self.tally = Tally(seed)
        self._seed, self._tell = seed, tell
        self._lock, self._begun = threading.Lock(), time.monotonic()

    def run(self, numbers: Sequence[int]) -> Tally:
        """Perform the runs with these numbers."""
        wire.READ_TIMEOUT_S = READ_TIMEOUT_S
        runs = [n for n in numbers if n < SESSIONS]
        shares = {kind: [n for n in runs if n % len(KINDS) == place] for place, kind in enumerate(KINDS)}
        with tempfile.TemporaryDirectory(prefix="gauntlet-") as name, ThreadPoolExecutor(len(KINDS) + 1) as pool:
            folder = Path(name)
            wanted = [kind for kind in KINDS if shares[kind]]
            sessions = pool.submit(self._sessions, [n for n in numbers if n >= SESSIONS], folder)
            list(pool.map(lambda kind: self._station(kind, shares[kind], folder / kind.name), wanted))
            sessions.result()
        return self.tally

    def _station(self, kind: Kind, share: Sequence[int], folder: Path) -> None:
        station: Station | None = None
        for first in range(0, len(share), PART):
            station = station or self._start(kind, folder / str(first))
            plans = [plan_of(self._seed, n, kind.part, kill=_kills(kind, n)) for n in share[first : first + PART]]
            self._part(station, plans)
            if any(plan.kill for plan in plans):
                station.close()
                station = None
        if station:
            station.close()

    def _sessions(self, numbers: Sequence[int], folder: Path) -> None:
        """Perform the pytest sessions with these numbers, on a server of their own."""
        if not numbers:
            return
        directory = RunDirectory.create()
        try:
            sessions = Sessions(directory, folder)
            for session in (session_of(self._seed, number) for number in numbers):
                faults = sessions.faults(session)
                with self._lock:
                    for line in self.tally.add_session(session, faults):
                        self._tell(line)
        finally:
            directory.close()

    def _start(self, kind: Kind, folder: Path) -> Station:
        folder.mkdir(parents=True)
        return Station.start(kind, self._seed, folder)

    def _part(self, station: Station, plans: Sequence[Plan]) -> None:
        grader = Grader(station)
        runs = [perform(plan, station) for plan in plans]
        graded = list(grader.grade(runs))
        with self._lock:
            for line in [line for run in runs for line in self.tally.add_run(run)]:
                self._tell(line)
            for line in [line for each in graded for line in self.tally.add(each)]:
                if self._beyond or not line.startswith("BEYOND"):
                    self._tell(line)
            seconds, tally = time.monotonic() - self._begun, self.tally
            self._tell(f"{seconds:6.0f} s: {tally.runs} runs, {tally.outcomes.total()} verdicts, {tally.errors} errors")


def _kills(kind: Kind, number: int) -> bool:
    return kind.part == "etcd" and number // len(KINDS) % PART == PART - 1


def main() -> int:
    """Run it; the exit code is 0 where no verdict was wrong, none useless, and nothing crashed."""
    parser = argparse.ArgumentParser(prog="python -m tests.gauntlet", description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, action="append", help="the number of a run, to have it once more")
    parser.add_argument("--beyond", action="store_true", help="print also what is out of reach")
    asked = parser.parse_args()
    sessions = range(SESSIONS, SESSIONS + asked.runs // RUNS_A_SESSION)
    numbers = asked.only or [*range(asked.runs), *sessions]
    tally = Gauntlet(asked.seed, lambda line: print(line, flush=True), beyond=asked.beyond).run(list(numbers))
    print(tally.table())
    return 1 if tally.errors else 0


if __name__ == "__main__":
    sys.exit(main())
