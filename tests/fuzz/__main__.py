"""``make fuzz SECONDS=600``: every parser in turn with random inputs, until the time is over.

A fault is told with its seed, and its input is left in tests/fuzz/found/.
"""

from __future__ import annotations

import hashlib
import random
import sys
import time
import traceback
from pathlib import Path

from tests.fuzz.running import feed
from tests.fuzz.targets import TARGETS, Target

FOUND = Path(__file__).parent / "found"
EXAMPLES = 300  # of a parser, before it is the next one's turn


def main(seconds: float, seed: int) -> int:
    """The exit code: 1 where a fault was found."""
    end = time.monotonic() + seconds
    print(f"seed {seed}: make fuzz SECONDS={seconds:.0f} SEED={seed} does the same again", flush=True)
    chance, faults, rounds = random.Random(seed), 0, 0
    while time.monotonic() < end and not faults:
        rounds += 1
        for target in TARGETS:
            if time.monotonic() < end:
                faults += not _passes(target, chance.randrange(2**32))
    print(f"{rounds} rounds of {EXAMPLES} inputs for each of {len(TARGETS)} parsers: {faults} faults")
    return int(bool(faults))


def _passes(target: Target, seed: int) -> bool:
    last = b""

    def hold(data: bytes) -> None:
        nonlocal last
        last = data
        target.hold(data)

    try:
        feed(target, EXAMPLES, seed, hold)
    except Exception:
        FOUND.mkdir(exist_ok=True)
        path = FOUND / f"{target.name}-{hashlib.sha256(last).hexdigest()[:8]}"
        path.write_bytes(last)
        print(f"{target.name}: a fault, with seed {seed}: {path}\n{traceback.format_exc()}", flush=True)
        return False
    return True


if __name__ == "__main__":
    sys.exit(
        main(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(2**32))
    )
