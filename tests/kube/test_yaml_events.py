"""Texts that are nested deeper than libyaml reads are read as PyYAML's own parser reads them, in much less time."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from auditproof.kube.yaml.yaml_events import _DeepLoader
from tests.support.properties import examples

PARTS = [
    "[",
    "]",
    "{",
    "}",
    ":",
    ": ",
    ", ",
    "a",
    '"b"',
    "? ",
    "- ",
    "\n",
    "\n  ",
    "&x ",
    "*x ",
    "!t ",
    "c" * 600,
    "# d",
]
texts = st.lists(st.sampled_from(PARTS), max_size=40).map("".join)


def read(text: str, loader: Any) -> list[str]:
    """The events with their places, and the error that ends them, if any."""
    found: list[str] = []
    try:
        found.extend(f"{one!r} {one.start_mark} {one.end_mark}" for one in yaml.parse(text, Loader=loader))
    except yaml.YAMLError as error:
        found.append(str(error))
    return found


@examples(400)
@given(text=texts)
def test_a_text_is_read_as_by_the_parser_of_pyyaml(text: str) -> None:
    assert read(text, _DeepLoader) == read(text, yaml.SafeLoader)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 40 + "k: v" + "]" * 40,
        "{" * 3 + "a: [b, " + "c" * 1100 + ": d" + "]" + "}" * 3,
        "[" * 1100 + "k: v" + "]" * 1100 + ": w",
        "a: b\n" + "c" * 1100 + ": d\n",
        "a: b\nc\nd: e\n",
        "a: [b\n, c]: d\n",
    ],
    ids=["keys in brackets", "a long key in brackets", "a thousand brackets", "a long key", "no key", "two lines"],
)
def test_the_limits_of_keys_are_those_of_pyyaml(text: str) -> None:
    assert read(text, _DeepLoader) == read(text, yaml.SafeLoader)
