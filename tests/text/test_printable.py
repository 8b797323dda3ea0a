import unicodedata
from xml.dom import minidom
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditproof.text.printable import printable, printable_lines

ANY_TEXT = st.text(st.characters(exclude_categories=()))  # lone surrogates, too
FORCES_DIRECTION = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("GET /\x1b[31m", "GET /\\x1b[31m"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x00\x7f\x9b", "\\x00\\x7f\\x9b"),
        ("exe.\u202efdp", "exe.\\u202efdp"),
        ("one\u2028two", "one\\u2028two"),
        ("\ud800", "\\ud800"),
        ("Zoë → 東京 👩‍🚀", "Zoë → 東京 👩‍🚀"),
        ("::error file=x::pwned", "\\x3a:error file=x::pwned"),
        ("get /##[error]x", "get /\\x23#[error]x"),
        ("##vso[task.complete result=Failed;]", "\\x23#vso[task.complete result=Failed;]"),
        ("::1", "::1"),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.1"),
        ("tests/a.py::test_b", "tests/a.py::test_b"),
    ],
)
def test_what_is_shown_in_one_line(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_several_lines_stay_lines_but_are_no_commands() -> None:
    """``::`` at the start of a line is a workflow command of GitHub Actions."""
    text = "first\n\t::add-mask::secret\n  ::stop-commands::x\nlast \x1b]0;title\x07"
    shown = "first\n\t\\x3a:add-mask::secret\n  \\x3a:stop-commands::x\nlast \\x1b]0;title\\x07"
    assert printable_lines(text) == shown


@given(ANY_TEXT)
def test_nothing_that_is_shown_controls_a_terminal_breaks_a_line_or_is_refused_by_xml(text: str) -> None:
    shown = printable(text)
    assert not {unicodedata.category(letter) for letter in shown} & {"Cc", "Cs", "Zl", "Zp"}
    assert not {unicodedata.bidirectional(letter) for letter in shown} & FORCES_DIRECTION
    assert len(shown.splitlines()) <= 1
    assert minidom.parseString(f"<a>{escape(shown)}</a>".encode()).documentElement is not None


@given(ANY_TEXT)
def test_what_is_shown_once_is_shown_the_same_again(text: str) -> None:
    """Text passes through several writers: a second escape must change nothing."""
    assert printable(printable(text)) == printable(text)
    assert printable_lines(printable(text)) == printable(text)
