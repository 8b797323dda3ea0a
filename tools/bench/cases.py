"""How the cost of a case grows with their number: whole runs of pytest on one API server, with a report."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tools.bench.parts import Ratio
from tools.bench.proof import whole_run_in

FEW, COUNTS = 200, (1_000, 5_000)  # 20,000 take three minutes and cost no more for each case
CASE = f"one of {COUNTS[0]:,} cases"
FILES = ("report.html", "results.json")


@dataclass(frozen=True, slots=True)
class Run:
    """CPU seconds and KiB of memory of pytest's own process, and the bytes of each of FILES."""

    cpu: float
    memory: int
    sizes: dict[str, int]


def measure() -> dict[str, Ratio]:
    """What one more case costs in a long run, as ratios to one more case in a short one: 1 is a cost that is linear."""
    with tempfile.TemporaryDirectory() as bytecode:
        measured(bytecode, FEW)  # compiles the modules
        runs = {count: measured(bytecode, count) for count in (FEW, *COUNTS)}
    ratios: dict[str, Ratio] = {}
    least, first = runs[FEW], runs[COUNTS[0]]
    cpu = (first.cpu - least.cpu) / (COUNTS[0] - FEW)
    memory = (first.memory - least.memory) / (COUNTS[0] - FEW)
    for few, many in pairwise(COUNTS):
        between, more = f"{few:,} to {many:,} cases", many - few
        ratios[f"CPU, {between}"] = Ratio((runs[many].cpu - runs[few].cpu) / more / cpu, CASE)
        ratios[f"memory, {between}"] = Ratio(
            (runs[many].memory - runs[few].memory) / more / memory, f"the memory of {CASE}"
        )
        for name in FILES:
            unit = f"the bytes of that of {few:,} cases"
            ratios[f"{name} of {many:,} cases"] = Ratio(runs[many].sizes[name] / runs[few].sizes[name], unit)
    return ratios


def measured(bytecode: str, cases: int) -> Run:
    """One run of so many cases; see ``whole_run_in``. Prints its figures, which the ratios leave out."""
    with tempfile.TemporaryDirectory() as folder:
        cpu, memory = whole_run_in(folder, bytecode, cases)
        sizes = {name: (Path(folder) / name).stat().st_size for name in FILES}
    text = ", ".join(f"{name} {size / 1000:,.0f} kB" for name, size in sizes.items())
    print(f"{cases:,} cases: {cpu:.1f} CPU s, {memory / 1024:.0f} MiB, {text}", flush=True)
    return Run(cpu, memory, sizes)
