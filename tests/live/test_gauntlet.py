"""A part of the gauntlet (see tests/gauntlet): no verdict is wrong, and none is useless, whatever is between."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STATIONS, ROUNDS = (0, 2, 3), 8  # blocking, batch and kubelet: the runs of the other stations are for make gauntlet


@pytest.mark.thorough
def test_no_verdict_is_wrong_whatever_misbehaves() -> None:
    numbers = [str(place + 8 * n) for n in range(ROUNDS) for place in STATIONS]
    only = [option for number in numbers for option in ("--only", number)]

    done = subprocess.run(
        [sys.executable, "-m", "tests.gauntlet", "--seed", "1", *only],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(numbers)} runs" in done.stdout
