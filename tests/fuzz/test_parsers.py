"""What CI has time for: the faults of the past, and the same few hundred inputs each time."""

from pathlib import Path

import pytest

from tests.fuzz.running import feed
from tests.fuzz.targets import CORPUS, TARGETS, Target

NAMED = {target.name: target for target in TARGETS}
FAULTS = sorted(CORPUS.glob("*/*"))


@pytest.mark.parametrize("path", FAULTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_fault_of_the_past_comes_back(path: Path) -> None:
    NAMED[path.parent.name].hold(path.read_bytes())  # raises if the parser does anything but read or refuse


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_what_a_parser_is_fed_with_is_right_before_it_is_changed(target: Target, tmp_path: Path) -> None:
    for number, seed in enumerate(target.seeds):
        path = tmp_path / str(number) / (target.file or "input")
        path.parent.mkdir()
        path.write_bytes(seed)
        target.feed(seed, path)  # raises if the parser refuses it


@pytest.mark.thorough
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_a_parser_answers_or_says_what_is_wrong_and_where(target: Target) -> None:
    feed(target, target.examples)  # raises what the parser raises on the smallest input that is a fault
