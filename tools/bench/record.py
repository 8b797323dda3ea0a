"""The recorded ratios: ``recorded.json``, the tables of docs/performance.md, and what became slower than recorded."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from auditproof import content
from tools.bench.parts import PARTS, Ratio

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

RECORD = Path(__file__).parent / "recorded.json"
DOCUMENT = content.root() / "docs" / "performance.md"
ALLOWED = 0.1  # how much above the recorded ratio a ratio may be
Ratios = dict[str, dict[str, Ratio]]  # by part and name


def load_record() -> Ratios:
    """The recorded ratios."""
    data = json.loads(RECORD.read_text(encoding="utf-8"))
    return {
        part: {name: Ratio(one["ratio"], one["to"]) for name, one in ratios.items()} for part, ratios in data.items()
    }


def save(measured: Ratios) -> None:
    """Record what was measured, and write the tables; parts that were not measured keep what is recorded."""
    known = load_record() | measured
    data = {
        part.name: {
            name: {"ratio": float(f"{one.value:.3g}"), "to": one.unit} for name, one in known[part.name].items()
        }
        for part in PARTS
        if part.name in known
    }
    RECORD.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    DOCUMENT.write_text(document(load_record()), encoding="utf-8")


def document(recorded: Ratios) -> str:
    """docs/performance.md with the tables of these ratios; the text around them is that of the file."""
    text = DOCUMENT.read_text(encoding="utf-8")
    for part in PARTS:
        pattern = rf"(<!-- {part.name}: written by `make bench` -->\n).*?(<!-- end -->\n)"
        table = "\n".join(_table(recorded.get(part.name, {})))
        text, found = re.subn(pattern, rf"\1\n{table}\n\n\2", text, flags=re.DOTALL)
        if found != 1:
            raise SystemExit(f"{DOCUMENT}: expected one `<!-- {part.name}: written by `make bench` -->`, found {found}")
    return text


def _table(ratios: Mapping[str, Ratio]) -> Iterator[str]:
    yield from ("| what | times | the CPU time of |", "| --- | ---: | --- |")
    for name, ratio in ratios.items():
        yield f"| {name} | {ratio.value:.3g} | {ratio.unit} |"


def regressions(recorded: Ratios, measured: Ratios) -> list[str]:
    """What is more than ALLOWED above its recorded ratio, or not recorded so, a line each."""
    found = []
    for part, ratios in measured.items():
        for name, ratio in ratios.items():
            known = recorded.get(part, {}).get(name)
            if known is None:
                found.append(f"{part}: {name}: no ratio is recorded; `make bench ARGS={part}` records it")
            elif known.unit != ratio.unit:
                told = f"it is recorded as a multiple of {known.unit}; `make bench ARGS={part}` records it"
                found.append(f"{part}: {name}: {told}")
            elif ratio.value > known.value * (1 + ALLOWED):
                above = f"{ratio.value / known.value - 1:.0%} above the recorded {known.value:.3g}"
                found.append(f"{part}: {name}: {ratio.value:.3g} times {ratio.unit}, {above}")
    return found


def verdict(slower: list[str], load: float, processors: int) -> tuple[str, bool]:
    """What to say about regressions, and whether the check fails.

    ``load`` is the load average at the end of the measurement, of which the measurement itself is about 1. On a machine
    with twice as much to do as it has processors, ratios differ by up to 67 % between runs, so they show nothing.
    """
    if load > 2 * processors:
        busy = f"The load average is {load:.0f} on {processors} processors: this shows nothing"
        return "\n".join(
            [*slower, f"{busy}, so the check does not fail.", "Repeat it when the machine is quiet."]
        ), False
    return "\n".join([*slower, "If the cost is meant, record it: `make bench`, or `make bench ARGS=PART`."]), True
