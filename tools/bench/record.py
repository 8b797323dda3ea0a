"""The recorded ratios: ``recorded.json``, the tables of docs/performance.md, and what became slower than recorded."""

from __future__ import annotations

import json
import platform
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
    data = json.loads(RECORD.read_text(encoding="utf-8"))["parts"]
    return {
        part: {name: Ratio(one["ratio"], one["to"]) for name, one in ratios.items()} for part, ratios in data.items()
    }


def recorded_on() -> str:
    """The machine of the record, as ``this_machine`` names it."""
    return str(json.loads(RECORD.read_text(encoding="utf-8"))["machine"])


def this_machine() -> str:
    """Processor and Python: on others, the same work has other ratios."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    found = [re.search(rf"^{key}\s*: (.*)$", text, re.MULTILINE) for key in ("model name", "cpu family", "model")]
    name, family, model = (match.group(1) if match else "unknown" for match in found)
    return f"{name} (family {family}, model {model}), Python {platform.python_version()}"


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
    RECORD.write_text(json.dumps({"machine": this_machine(), "parts": data}, indent=1) + "\n", encoding="utf-8")
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


def smaller(one: Mapping[str, Ratio], other: Mapping[str, Ratio]) -> dict[str, Ratio]:
    """The smaller ratio of each name: what else a machine does only ever adds to a cost."""
    return {name: min(ratio, other[name], key=lambda each: each.value) for name, ratio in one.items()}


def verdict(slower: list[str], load: float, processors: int, *, same_machine: bool = True) -> tuple[str, bool]:
    """What to say about regressions, and whether the check fails.

    ``load`` is the load average at the end of the measurement, of which the measurement itself is about 1. On a machine
    with twice as much to do as it has processors, ratios differ by up to 67 % between runs, so they show nothing. Nor
    do they on another processor than that of the record.
    """
    if load > 2 * processors:
        why = f"The load average is {load:.0f} on {processors} processors: this shows nothing"
        what = "Repeat it when the machine is quiet."
    elif not same_machine:
        why = f"This machine is {this_machine()}, the record is of {recorded_on()}: this shows nothing"
        what = "Compare with a record of the same machine: `make bench` at the older commit makes one."
    else:
        return "\n".join([*slower, "If the cost is meant, record it: `make bench`, or `make bench ARGS=PART`."]), True
    return "\n".join([*slower, f"{why}, so the check does not fail.", what]), False
