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

from auditproof.clusters.rundir import RunDirectory
from auditproof.wire import prepare_wire
from tests.gauntlet.performing import Grader, perform
from tests.gauntlet.plan import plan_of
from tests.gauntlet.station import KINDS, Station
from tests.gauntlet.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PART = 20  # runs of a station after which the truth is asked for


def gauntlet(seed: int, numbers: Sequence[int], tell: Callable[[str], None]) -> Tally:
    """Perform the runs with these numbers, those of a station one after the other, stations beside each other."""
    prepare_wire()
    tally, lock, begun = Tally(seed), threading.Lock(), time.monotonic()
    directory = RunDirectory.create()
    with tempfile.TemporaryDirectory(prefix="gauntlet-") as name:
        shares = {place: [n for n in numbers if n % len(KINDS) == place] for place in range(len(KINDS))}

        def station(place: int) -> None:
            kind = KINDS[place]
            here = Station.start(kind, seed, directory, Path(name) / str(place))
            grader = Grader(here)
            try:
                for first in range(0, len(shares[place]), PART):
                    runs = [perform(plan_of(seed, n), here) for n in shares[place][first : first + PART]]
                    graded = list(grader.grade(runs))
                    with lock:
                        lines = [line for run in runs for line in tally.add_run(run)]
                        lines += [line for each in graded for line in tally.add(each)]
                        for line in lines:
                            tell(line)
                        done, errors = tally.outcomes.total(), tally.errors
                        tell(f"{time.monotonic() - begun:6.0f} s: {tally.runs} runs, {done} verdicts, {errors} errors")
            finally:
                here.close()

        try:
            with ThreadPoolExecutor(max_workers=len(KINDS)) as pool:
                list(pool.map(station, [place for place, share in shares.items() if share]))
        finally:
            directory.close()
    return tally


def main() -> int:
    """Run it; the exit code is 0 where no verdict was wrong, none useless, and nothing crashed."""
    parser = argparse.ArgumentParser(prog="python -m tests.gauntlet", description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, action="append", help="the number of a run, to have it once more")
    asked = parser.parse_args()
    numbers = asked.only or range(asked.runs)
    tally = gauntlet(asked.seed, list(numbers), lambda line: print(line, flush=True))
    print(tally.table())
    return 1 if tally.errors else 0


if __name__ == "__main__":
    sys.exit(main())
