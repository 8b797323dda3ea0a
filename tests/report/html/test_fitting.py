"""What fits on a page: never more than there is room for, and nothing left out without being counted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from auditproof.report.html.fitting import clipped, fitting, lines_of

ROWS = st.lists(st.floats(0.5, 6), max_size=20)


@given(st.floats(0, 60), st.dictionaries(st.sampled_from("abcd"), ROWS))
def test_what_is_shown_fits_and_the_rest_is_counted(lines: float, parts: dict[str, list[float]]) -> None:
    found = fitting(lines, parts, lambda height: height, head=2)

    heads = 2 * sum(1 for part in found.values() if part.shown or part.more)
    used = heads + sum(height for part in found.values() for height in part.shown)
    assert used <= max(lines, heads) + 1e-6
    for name, part in found.items():
        assert list(part.shown) == parts[name][: len(part.shown)]
        assert len(part.shown) + part.more == len(parts[name])


def test_a_part_with_many_rows_does_not_push_out_the_others() -> None:
    found = fitting(14.6, {"many": range(100), "few": range(2)}, lambda _: 1, head=1)

    assert [(len(part.shown), part.more) for part in found.values()] == [(9, 91), (2, 0)]


@given(st.text(), st.integers(2, 80))
def test_a_clipped_text_is_no_longer_than_wanted(text: str, length: int) -> None:
    short = clipped(text, length)

    assert len(short) <= length
    assert short == " ".join(text.split()) or short.endswith("…")


def test_wide_letters_take_more_room() -> None:
    assert lines_of("W" * 30, 20) == lines_of("漢" * 30, 20) == 2
    assert lines_of("i" * 60, 20) == lines_of("W" * 20, 20) == 1
    assert lines_of("a" * 32, 20, bold=True) == 2


@given(st.text(), st.floats(5, 90))
def test_a_wider_line_never_takes_more_lines(text: str, width: float) -> None:
    assert 1 <= lines_of(text, 2 * width) <= lines_of(text, width)
