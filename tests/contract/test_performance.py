"""The benchmark: its record and its page agree, and a ratio above the recorded one is a failure."""

from __future__ import annotations

import subprocess
import sys

import pytest

from auditproof import content
from tools.bench.measure import cpu_of, cpu_of_process, smallest
from tools.bench.parts import PARTS, Ratio, chosen
from tools.bench.record import (
    DOCUMENT,
    document,
    load_record,
    recorded_on,
    regressions,
    smaller,
    this_machine,
    verdict,
)


def test_the_page_has_the_recorded_ratios() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(load_record()), "`make bench` writes docs/performance.md"


def test_every_part_is_recorded() -> None:
    assert list(load_record()) == [part.name for part in PARTS]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (1.0, []),
        (2.19, []),
        (2.21, ["part: lint: 2.21 times json.loads, 10% above the recorded 2"]),
        (3.0, ["part: lint: 3 times json.loads, 50% above the recorded 2"]),
    ],
)
def test_only_a_ratio_clearly_above_the_recorded_one_is_a_regression(value: float, said: list[str]) -> None:
    recorded = {"part": {"lint": Ratio(2.0, "json.loads")}}

    assert regressions(recorded, {"part": {"lint": Ratio(value, "json.loads")}}) == said


def test_what_is_not_recorded_fails_the_check() -> None:
    (said,) = regressions({}, {"part": {"lint": Ratio(1.0, "json.loads")}})

    assert said == "part: lint: no ratio is recorded; `make bench ARGS=part` records it"


def test_a_ratio_to_another_unit_fails_the_check() -> None:
    recorded = {"part": {"lint": Ratio(2.0, "json.loads of 1 MB")}}

    (said,) = regressions(recorded, {"part": {"lint": Ratio(1.0, "json.loads of 2 MB")}})

    assert said == "part: lint: it is recorded as a multiple of json.loads of 1 MB; `make bench ARGS=part` records it"


def test_a_regression_fails_the_check_except_on_a_machine_too_busy_to_show_one() -> None:
    text, fails = verdict(["lint: slower"], load=3.5, processors=2)
    assert fails
    assert text.splitlines() == [
        "lint: slower",
        "If the cost is meant, record it: `make bench`, or `make bench ARGS=PART`.",
    ]

    text, fails = verdict(["lint: slower"], load=22.1, processors=2)
    assert not fails
    assert text.splitlines()[:2] == [
        "lint: slower",
        "The load average is 22 on 2 processors: this shows nothing, so the check does not fail.",
    ]


def test_a_regression_on_another_processor_shows_nothing() -> None:
    text, fails = verdict(["lint: slower"], load=1.0, processors=2, same_machine=False)

    assert not fails
    assert text.splitlines()[1].startswith(f"This machine is {this_machine()}, the record is of {recorded_on()}: ")


def test_of_two_measurements_the_smaller_ratio_counts() -> None:
    first, second = (
        {"lint": Ratio(2.0, "u"), "diff": Ratio(1.0, "u")},
        {"lint": Ratio(1.5, "u"), "diff": Ratio(3.0, "u")},
    )

    assert smaller(first, second) == {"lint": Ratio(1.5, "u"), "diff": Ratio(1.0, "u")}


def test_the_smallest_round_counts() -> None:
    """A round that a load on the machine made slower changes nothing."""
    first, second = iter([3.0, 1.0, *[2.0] * 20]), iter([5.0] * 22)

    assert smallest({"one": lambda: next(first), "other": lambda: next(second)}) == {"one": 1.0, "other": 5.0}


def test_work_costs_time_and_a_process_that_fails_is_told() -> None:
    assert cpu_of(lambda: sum(range(200_000))) > 0
    with pytest.raises(SystemExit, match="exit code 3"):
        cpu_of_process([sys.executable, "-c", "raise SystemExit(3)"], ".")


def test_a_part_is_chosen_by_its_name_and_cheap_are_those_without_a_server() -> None:
    assert [part.name for part in chosen(["cheap"])] == ["startup", "analysis"]
    assert [part.name for part in chosen(["proof"])] == ["proof"]
    assert chosen([]) == PARTS


def test_an_unknown_part_is_a_usage_error_that_lists_the_parts() -> None:
    command = [sys.executable, "-m", "tools.bench", "--check", "sapce"]

    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=content.root())

    assert done.returncode == 2
    assert 'no part is called "sapce"; choose from startup, analysis, long, replay, proof, cases, cheap' in done.stderr
