"""``make bench``: measures, records the ratios and writes docs/performance.md, or compares with what is recorded."""

from __future__ import annotations

import argparse
import os

from tools.bench.parts import PARTS, Part, Ratio, chosen
from tools.bench.record import ALLOWED, load_record, regressions, save, verdict


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
    elif slower := regressions(load_record(), measured):
        text, fails = verdict(slower, os.getloadavg()[0], os.cpu_count() or 1)
        print(text)
        raise SystemExit(int(fails))


def _measured(part: Part) -> dict[str, Ratio]:
    ratios = part.measure()
    for name, ratio in ratios.items():
        print(f"{part.name}: {name}: {ratio.value:.3g} times {ratio.unit}", flush=True)
    return ratios


if __name__ == "__main__":
    main()
