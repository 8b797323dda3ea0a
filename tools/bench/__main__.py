"""``make bench``: measures, records the ratios and writes docs/performance.md, or compares with what is recorded."""

from __future__ import annotations

import argparse
import os

from tools.bench.parts import PARTS, Part, Ratio, chosen
from tools.bench.record import (
    ALLOWED,
    Ratios,
    load_record,
    recorded_on,
    regressions,
    save,
    smaller,
    this_machine,
    verdict,
)

MEASURED = 4  # times, before a ratio counts as above its record


def main() -> None:
    """Measure the parts that are asked for, and record the ratios or compare them."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    names = ", ".join([*(part.name for part in PARTS), "cheap"])
    parser.add_argument("parts", nargs="*", help=f"which parts (default: all): {names}")
    text = f"record nothing; exit with 1 if a ratio is more than {ALLOWED:.0%}% above the recorded one"
    parser.add_argument("--check", action="store_true", help=text)
    options = parser.parse_args()
    try:
        parts = chosen(options.parts)
    except ValueError as error:
        parser.error(str(error))
    measured = {part.name: _measured(part) for part in parts}
    if not options.check:
        save(measured)
    elif slower := _confirmed(parts, measured):
        same = this_machine() == recorded_on()
        text, fails = verdict(slower, os.getloadavg()[0], os.cpu_count() or 1, same_machine=same)
        print(text)
        raise SystemExit(int(fails))


def _confirmed(parts: tuple[Part, ...], measured: Ratios) -> list[str]:
    """The regressions that are left when their parts were measured MEASURED times: a cost is the smallest measured."""
    recorded = load_record()
    for part in parts:
        for _ in range(MEASURED - 1 if this_machine() == recorded_on() else 0):
            if not regressions(recorded, {part.name: measured[part.name]}):
                break
            print(f"{part.name}: measured again, because a ratio is above the recorded one", flush=True)
            measured[part.name] = smaller(measured[part.name], _measured(part))
    return regressions(recorded, measured)


def _measured(part: Part) -> dict[str, Ratio]:
    ratios = part.measure()
    for name, ratio in ratios.items():
        print(f"{part.name}: {name}: {ratio.value:.3g} times {ratio.unit}", flush=True)
    return ratios


if __name__ == "__main__":
    main()
