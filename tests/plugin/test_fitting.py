"""The end of a run on a terminal: nothing is cut if there is room for it."""

from __future__ import annotations

from auditproof.plugin.fitting import VISIBLE, in_full, on_a_screen

LONG = "NOT MET policy.yaml:3: cis-3-2-2-ways-in: all verbs of pods/exec by everybody: not recorded, by rule 1"


def test_a_decision_is_never_cut() -> None:
    """All of its words are there, and no name is broken at a hyphen."""
    lines = in_full([LONG], 30)

    assert all(len(line) < 30 for line in lines)
    assert " ".join(line.strip() for line in lines) == LONG
    assert any("cis-3-2-2-ways-in:" in line for line in lines)


def test_lines_are_in_full_if_they_fit_on_a_screen_and_cut_otherwise() -> None:
    few, many = [LONG] * 3, [LONG] * VISIBLE

    assert on_a_screen(few, 60) == in_full(few, 60)
    assert on_a_screen(many, 60) == [f"{LONG[:59]}…"] * VISIBLE


def test_a_file_gets_every_line_as_it_is() -> None:
    assert on_a_screen([LONG] * 100, 0) == [LONG] * 100


def test_a_path_is_one_line_whatever_its_length() -> None:
    line = "report: /a folder/" + "x" * 90

    assert on_a_screen([line], 40) == [line]
    assert on_a_screen([line, *[LONG] * VISIBLE], 40)[0] == line
